package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/cache/s3store"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
)

// stores are those that a process has open: first the one that is written to, then
// those that are only read from.
type stores struct {
	all []*store
	log *slog.Logger

	mu sync.Mutex // of what registering finds out
	// unplaced: the log has been told that files are nowhere.
	unplaced bool
}

// store is one of them.
type store struct {
	cache.Store
	// url is where it is, without credentials and options; its name in the catalogue.
	url string
	// registered is what the catalogue knows of it, and told what the log has been told.
	registered upkeep.Registration
	told       string
}

// openStores opens the stores of a configuration, and asks none of them anything.
func openStores(ctx context.Context, c *config.Config, log *slog.Logger) (*stores, problem.List) {
	s, problems := &stores{log: log}, problem.List{}
	for i, u := range append([]config.URL{c.Cache.URL}, c.Cache.ReadFrom...) {
		path := "cache.url"
		if i > 0 {
			path = fmt.Sprintf("cache.readFrom[%d]", i-1)
		}
		opened, err := openStore(ctx, u)
		switch {
		case err != nil:
			problems.Add(path, "%v", err)
			continue
		case slices.ContainsFunc(s.all, func(other *store) bool { return other.url == opened.url }):
			problems.Add(path, "is the same store as another one here; name each once")
		}
		s.all = append(s.all, opened)
	}
	return s, problems.In(c.File)
}

// front reads from all of them, and writes to the first.
func (s *stores) front() cache.Store {
	if len(s.all) == 0 {
		return nil // and the configuration has a problem
	}
	var more []cache.Store
	for _, other := range s.all[1:] {
		more = append(more, other.Store)
	}
	return cache.Fallback(s.all[0].Store, more...)
}

func (s *stores) close() {
	for _, one := range s.all {
		one.close()
	}
}

func (s *store) close() {
	if closer, ok := s.Store.(interface{ Close() error }); ok {
		_ = closer.Close() // nothing is being written any more
	}
}

// register finds out which stores of the catalogue they are, and lets the catalogue
// look for files there. A store that is away is taken for the one that was at its URL
// last. The error is the catalogue's.
func (s *stores) register(ctx context.Context, c *catalog.Catalog) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ids []int64
	for _, one := range s.all {
		r, err := upkeep.Register(ctx, c, one.Store, one.url)
		if err != nil {
			return err
		}
		one.registered = r
		warning := r.Warning
		if slices.Contains(ids, r.ID) {
			warning = "it bears the marker of another store here: files have been copied by hand, marker and all; delete it in one of them"
		} else {
			ids = append(ids, r.ID)
		}
		if r.Away != nil {
			warning = "it cannot be asked for its marker yet: " + r.Away.Error()
		}
		if warning != one.told {
			if one.told = warning; warning != "" {
				s.log.Warn("a store is not swept nor checked", "store", one.url, "reason", warning)
			}
		}
	}
	c.Use(ids...)
	return s.missed(ctx, c)
}

// missed tells the log, once, of files of the first version that none of the stores has.
func (s *stores) missed(ctx context.Context, c *catalog.Catalog) error {
	id, files, err := c.Unplaced(ctx, 1)
	if err != nil || len(files) == 0 || s.unplaced {
		return err
	}
	n, _, err := c.Held(ctx, id)
	if err != nil {
		return err
	}
	s.unplaced = true
	s.log.Warn("files of the version before are in none of the stores, and are not found; name the store that has them in cache.readFrom, and start again",
		"files", n, "example", files[0].Object)
	return nil
}

// awaitMost is the longest pause between two looks at a store that is not marked.
const awaitMost = time.Minute

// await registers again as long as a store is away or lacks its marker, which somebody may
// restore.
func (s *stores) await(ctx context.Context, c *catalog.Catalog, pause time.Duration) {
	unsettled := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.ContainsFunc(s.all, func(one *store) bool { return !one.registered.Marked })
	}
	for ; unsettled(); pause = min(2*pause, max(pause, awaitMost)) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if err := s.register(ctx, c); err != nil && ctx.Err() == nil {
			s.log.Warn("stores could not be registered", "error", err)
		}
	}
}

// kept are those that are swept and checked, as far as they bear their markers.
func (s *stores) kept() []upkeep.Store {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []upkeep.Store
	for _, one := range s.all {
		if one.registered.Marked && !slices.ContainsFunc(all, func(k upkeep.Store) bool { return k.ID == one.registered.ID }) {
			all = append(all, upkeep.Store{Store: one.Store, ID: one.registered.ID, URL: one.url})
		}
	}
	return all
}

// openStore opens the store at a URL.
func openStore(ctx context.Context, address config.URL) (*store, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil {
		return nil, errors.New("is not a URL") // url.Error quotes it, credentials and all
	}
	s := &store{url: identity(u)}
	switch u.Scheme {
	case "file":
		s.Store, err = filestore.OpenURL(u)
	case "s3":
		s.Store, err = s3store.OpenURL(ctx, u, s3store.Options{})
	default:
		err = fmt.Errorf("has the scheme %q; known are s3 and file", u.Scheme)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// identity is a store's URL with what makes it another store, and nothing else: the
// folder; the bucket, the prefix, and the service where it is not Amazon's.
func identity(u *url.URL) string {
	if u.Scheme == "file" {
		return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Clean(filepath.FromSlash(u.Path)))}).String()
	}
	plain := url.URL{Scheme: u.Scheme, Host: u.Host, Path: "/" + strings.Trim(u.Path, "/")}
	if service, err := url.Parse(u.Query().Get("endpoint")); err == nil && service.Host != "" {
		endpoint := url.URL{Scheme: service.Scheme, Host: strings.ToLower(service.Host), Path: strings.TrimRight(service.Path, "/")}
		plain.RawQuery = url.Values{"endpoint": {endpoint.String()}}.Encode()
	}
	return strings.TrimRight(plain.String(), "/")
}
