package app

import (
	"context"
	"fmt"
	"strings"

	"slashbatch/cache/catalog"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
	"slashbatch/queue/pgqueue"
)

// schema is a set of our own tables in PostgreSQL. Both functions return names of
// migrations: migrate of those that it applied, behind of those that it would.
type schema struct {
	name            string
	migrate, behind func(ctx context.Context) ([]string, error)
}

// openCatalog connects to the catalogue alone, for what is done by hand. Its schema has to
// be there already.
func openCatalog(ctx context.Context, c *config.Config) (*catalog.Catalog, error) {
	opened, err := catalog.Open(c.Catalog.URL.Reveal())
	if err != nil {
		return nil, problem.List{{File: c.File, Path: "catalog.url", Message: err.Error()}}
	}
	missing, err := opened.Behind(ctx)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the schema of the catalog is behind (%s): run slashbatch migrate", strings.Join(missing, ", "))
	}
	if err != nil {
		opened.Close()
		return nil, err
	}
	return opened, nil
}

// schemas are those that this configuration needs.
func (a *App) schemas() []schema {
	all := []schema{{"catalog", a.catalog.Migrate, a.catalog.Behind}, {"assets", a.assets.Migrate, a.assets.Behind}}
	if url, ok := a.config.Queue.Database(a.config.Catalog.URL); ok {
		all = append(all, schema{
			"queue",
			func(ctx context.Context) ([]string, error) { return pgqueue.Migrate(ctx, url.Reveal()) },
			func(ctx context.Context) ([]string, error) { return pgqueue.Behind(ctx, url.Reveal()) },
		})
	}
	return all
}

// Migrate brings the schemas up to date and returns the names of the migrations
// that it applied.
func (a *App) Migrate(ctx context.Context) ([]string, error) {
	var all []string
	for _, s := range a.schemas() {
		applied, err := s.migrate(ctx)
		for _, name := range applied {
			a.log.Info("schema migrated", "schema", s.name, "migration", name)
			all = append(all, s.name+" "+name)
		}
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// prepareSchema migrates, or asks that nothing is missing where the configuration
// leaves that to people.
func (a *App) prepareSchema(ctx context.Context) error {
	if a.config.Catalog.Migrate {
		_, err := a.Migrate(ctx)
		return err
	}
	for _, s := range a.schemas() {
		missing, err := s.behind(ctx)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("the schema of the %s is behind (%s), and catalog.migrate is false: run slashbatch migrate", s.name, strings.Join(missing, ", "))
		}
	}
	return nil
}
