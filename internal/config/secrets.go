package config

import (
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// readSecrets fills every url that is given by a file.
func (l *loader) readSecrets() {
	c := l.cfg
	l.secret("catalog", &c.Catalog.URL, c.Catalog.URLFile)
	for _, name := range slices.Sorted(maps.Keys(c.DataSources)) {
		ds := c.DataSources[name]
		l.secret(join("dataSources", name), &ds.URL, ds.URLFile)
		c.DataSources[name] = ds
	}
	l.secret("queue", &c.Queue.URL, c.Queue.URLFile)
	l.secret("cache", &c.Cache.URL, c.Cache.URLFile)
}

// secret reads the url of the section at path from file.
func (l *loader) secret(path string, into *URL, file string) {
	at := path + ".urlFile"
	switch {
	case file == "":
		return
	case l.given[path+".url"]:
		l.add(at, "is given beside url; leave out one of them")
		return
	}
	// A pipe or a device could keep the start waiting for ever.
	if info, err := os.Stat(file); err != nil {
		l.add(at, "%s cannot be read: %v", file, bare(err))
		return
	} else if !info.Mode().IsRegular() {
		l.add(at, "%s is not a regular file", file)
		return
	}
	data, err := readFile(file, maxSecret)
	if err != nil {
		l.add(at, "%s %v", file, err)
		return
	}
	text := strings.TrimSpace(string(data))
	if text == "" {
		l.add(at, "%s is empty", file)
		return
	}
	*into = URL(text)
	l.fromFile[path+".url"] = at
}

// AbsoluteFile makes the folder of a file: URL absolute, so that it means one
// place to whoever reads it; other URLs stay.
func AbsoluteFile(u URL) URL {
	p, err := url.Parse(string(u))
	if err != nil || p.Scheme != "file" || p.Host != "" || p.User != nil || p.RawQuery != "" || p.Fragment != "" {
		return u
	}
	folder := p.Path
	if p.Opaque != "" {
		if folder, err = url.PathUnescape(p.Opaque); err != nil {
			return u
		}
	}
	if folder == "" || strings.ContainsRune(folder, 0) {
		return u
	}
	if folder, err = filepath.Abs(folder); err != nil {
		return u
	}
	return URL((&url.URL{Scheme: "file", Path: filepath.ToSlash(folder)}).String())
}
