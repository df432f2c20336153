package config

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxQueued bounds limits.queued: queues promise bounded work per list.
const maxQueued = 100_000

// validate checks what the types cannot.
func (l *loader) validate() {
	l.server()
	l.databases()
	l.queue()
	l.cache()
	l.batch()
	l.auth()
	l.assets()
	l.word("log.level", l.cfg.Log.Level, "debug", "info", "warn", "error")
	l.word("log.format", l.cfg.Log.Format, "json", "text")
}

func (l *loader) server() {
	s := &l.cfg.Server
	l.address("server.listen", s.Listen)
	if s.AdminListen != "" {
		l.address("server.adminListen", s.AdminListen)
		if s.AdminListen == s.Listen && !strings.HasSuffix(s.Listen, ":0") {
			l.add("server.adminListen", "is the same as listen; leave it empty to share that")
		}
	}
	if s.PublicURL != "" {
		if p, err := url.Parse(s.PublicURL); err != nil || !httpURL(p) {
			l.add("server.publicUrl", "expected an absolute http or https URL without login, query and fragment")
		}
	}
	l.size("server.maxBodyBytes", s.MaxBodyBytes, 1<<10, 1<<30)
	for i, o := range s.CORSOrigins {
		l.origin(fmt.Sprintf("server.corsOrigins[%d]", i), o)
	}
	l.between("server.rateLimit", s.RateLimit, 0, 1_000_000)
}

func (l *loader) databases() {
	l.postgres("catalog", l.cfg.Catalog.URL)
	if _, ok := l.cfg.DataSources[DefaultSource]; !ok {
		l.add(join("dataSources", DefaultSource), "is required")
	}
	for _, name := range slices.Sorted(maps.Keys(l.cfg.DataSources)) {
		ds, path := l.cfg.DataSources[name], join("dataSources", name)
		if name == "user" {
			l.add(path, `this name is taken: in an endpoint it means the caller's own data source`)
		}
		l.name(path, name)
		l.postgres(path, ds.URL)
		l.between(path+".maxConns", ds.MaxConns, 1, 10_000)
		l.duration(path+".statementTimeout", ds.StatementTimeout, time.Millisecond, year)
		l.between(path+".capacity", ds.Capacity, 0, 1_000_000)
	}
}

func (l *loader) cache() {
	c := &l.cfg.Cache
	if p, ok := l.url("cache", c.URL, "s3", "file"); ok {
		l.store("cache.url", p)
		if p.Scheme == "file" && c.Download == DownloadRedirect {
			l.add("cache.download", "redirect needs an s3:// store; a folder has no URLs to redirect to")
		}
	}
	for i, u := range c.ReadFrom {
		at := fmt.Sprintf("cache.readFrom[%d]", i)
		if p, ok := l.urlAt(at, u, "s3", "file"); ok {
			l.store(at, p)
		}
	}
	l.word("cache.download", c.Download, DownloadProxy, DownloadRedirect)
	l.duration("cache.linkTTL", c.LinkTTL, time.Second, 15*time.Minute)
	l.duration("cache.grace", c.Grace, time.Second, 10*year)
	if c.Grace < c.LinkTTL {
		l.add("cache.grace", "is %v, shorter than linkTTL (%v): links would outlive their files", c.Grace, c.LinkTTL)
	}
}

// store checks the URL of a store.
func (l *loader) store(path string, p *url.URL) {
	switch {
	case p.Scheme == "s3" && p.Host == "":
		l.add(path, "expected s3://bucket/prefix?region=…&endpoint=…&path_style=true")
	case p.Scheme == "file" && (p.Path == "" || p.Host != ""):
		l.add(path, "expected a folder such as file:///var/lib/slashbatch, or file:./data")
	}
}

func (l *loader) assets() {
	a := &l.cfg.Assets
	l.between("assets.maxMembers", a.MaxMembers, 1, 100_000)
	l.between("assets.pageSize", a.PageSize, 1, 500)
	l.duration("assets.deadline", a.Deadline, time.Second, year)
	l.duration("assets.lease", a.Lease, time.Second, 24*time.Hour)
	l.duration("assets.cleanup.completed", a.Cleanup.Completed, 0, 100*year)
	l.duration("assets.cleanup.errors", a.Cleanup.Errors, 0, 100*year)
	l.duration("assets.cleanup.superseded", a.Cleanup.Superseded, 0, 100*year)
	l.between("assets.cleanup.keepLast", a.Cleanup.KeepLast, 0, 1_000_000)
}
