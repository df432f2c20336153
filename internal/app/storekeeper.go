package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/config"
)

// Storekeeper copies, verifies and retires stores by hand, while the service runs. It
// asks the catalogue and the stores only.
type Storekeeper struct {
	catalog *catalog.Catalog
	config  *config.Config
	log     *slog.Logger
}

// OpenStorekeeper connects to the catalogue of a configuration. The caller closes the
// Storekeeper.
func OpenStorekeeper(ctx context.Context, c *config.Config, log *slog.Logger) (*Storekeeper, error) {
	opened, err := openCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Storekeeper{catalog: opened, config: c, log: log}, nil
}

// Close lets go of the catalogue.
func (k *Storekeeper) Close() { k.catalog.Close() }

// Copy copies all files of the store at one URL to that at another. What goes wrong with
// single files is in the report.
func (k *Storekeeper) Copy(ctx context.Context, from, to config.URL, o upkeep.CopyOptions) (upkeep.CopyReport, error) {
	source, leave, err := k.known(ctx, from)
	if err != nil {
		return upkeep.CopyReport{}, fmt.Errorf("source: %w", err)
	}
	defer leave()
	target, leave, err := k.welcome(ctx, to)
	if err != nil {
		return upkeep.CopyReport{}, fmt.Errorf("target: %w", err)
	}
	defer leave()
	if source.ID == target.ID {
		return upkeep.CopyReport{}, errors.New("source and target are one store")
	}
	return upkeep.Copy(ctx, k.catalog, source, target, o)
}

// Verify reads all files of a store; see upkeep.Verify. An empty URL is that of
// cache.url.
func (k *Storekeeper) Verify(ctx context.Context, address config.URL, o upkeep.VerifyOptions) (upkeep.VerifyReport, error) {
	if address == "" {
		address = k.config.Cache.URL
	}
	s, leave, err := k.known(ctx, address)
	if err != nil {
		return upkeep.VerifyReport{}, err
	}
	defer leave()
	o.OrphanAge = orphanAge(k.config)
	return upkeep.Verify(ctx, k.catalog, s, o)
}

// Retire takes a store out of use for good; see upkeep.Retire. The stores of the
// configuration are asked for what they are said to have; that of cache.url stays.
func (k *Storekeeper) Retire(ctx context.Context, address config.URL) (deleted int, err error) {
	s, leave, err := k.known(ctx, address)
	if err != nil {
		return 0, err
	}
	defer leave()
	if u, err := url.Parse(k.config.Cache.URL.Reveal()); err != nil || identity(u) == s.URL {
		return 0, errors.New("this is the store of cache.url, which is in use")
	}
	used, leaveUsed, err := k.known(ctx, k.config.Cache.URL)
	var others []upkeep.Store
	switch {
	case err == nil:
		defer leaveUsed()
		if used.ID == s.ID {
			return 0, errors.New("this is the store of cache.url under another name")
		}
		others = append(others, used)
	case !errors.Is(err, cache.ErrNotFound):
		return 0, fmt.Errorf("the store of cache.url: %w", err)
	}
	// What is in stores that cannot be opened was not seen there.
	var closed []error
	for i, address := range k.config.Cache.ReadFrom {
		other, leaveOther, err := k.known(ctx, address)
		if err != nil {
			closed = append(closed, fmt.Errorf("cache.readFrom[%d]: %w", i, err))
			continue
		}
		defer leaveOther()
		others = append(others, other)
	}
	deleted, err = upkeep.Retire(ctx, k.catalog, s, others)
	if _, doubtful := errors.AsType[*upkeep.UnconfirmedError](err); doubtful {
		err = errors.Join(append([]error{err}, closed...)...)
	}
	return deleted, err
}

// known opens a store that the catalogue knows, and makes none. cache.ErrNotFound: it
// does not know any there.
func (k *Storekeeper) known(ctx context.Context, address config.URL) (upkeep.Store, func(), error) {
	s, err := openExisting(ctx, address)
	if err != nil {
		return upkeep.Store{}, nil, err
	}
	found, err := upkeep.Known(ctx, k.catalog, s.Store, s.url)
	if err != nil {
		s.close()
		if errors.Is(err, cache.ErrNotFound) {
			err = k.unknown(ctx, s.url)
		}
		return upkeep.Store{}, nil, err
	}
	return upkeep.Store{Store: s.Store, ID: found.ID, URL: s.url}, s.close, nil
}

// welcome opens a store and makes it known if it is new.
func (k *Storekeeper) welcome(ctx context.Context, address config.URL) (upkeep.Store, func(), error) {
	s, err := openStore(ctx, config.AbsoluteFile(address))
	if err != nil {
		return upkeep.Store{}, nil, err
	}
	r, err := upkeep.Register(ctx, k.catalog, s.Store, s.url)
	switch {
	case err != nil:
	case r.Away != nil:
		err = r.Away
	case !r.Marked:
		err = fmt.Errorf("%s: %s", s.url, r.Warning)
	}
	if err != nil {
		s.close()
		return upkeep.Store{}, nil, err
	}
	return upkeep.Store{Store: s.Store, ID: r.ID, URL: s.url}, s.close, nil
}

// openExisting opens a store; a folder that is not there is not made.
func openExisting(ctx context.Context, address config.URL) (*store, error) {
	address = config.AbsoluteFile(address)
	if u, err := url.Parse(address.Reveal()); err == nil && u.Scheme == "file" {
		if info, err := os.Stat(filepath.FromSlash(u.Path)); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("there is no folder %s", u.Path)
		}
	}
	return openStore(ctx, address)
}

// unknown says which stores the catalogue does know.
func (k *Storekeeper) unknown(ctx context.Context, address string) error {
	all, err := k.catalog.Stores(ctx)
	if err != nil {
		return err
	}
	names := make([]string, len(all))
	for i, s := range all {
		if names[i] = s.URL; s.URL == "" {
			names[i] = "one whose URL is noted when slashbatch serve or worker starts with it in cache.url or cache.readFrom"
		}
	}
	if len(names) == 0 {
		names = []string{"none"}
	}
	return notFound("the catalogue knows no store %s; it knows %s", address, strings.Join(names, ", "))
}
