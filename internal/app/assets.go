package app

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"slashbatch/assets"
	"slashbatch/internal/rows"
	"slashbatch/server"
	"slashbatch/server/endpoint"
)

// Data sources over assets' tables, in the catalogue's database: of the endpoints' pages, of
// their exports, and of what answers to a POST say. Each has connections of its own, so that
// who reads slowly holds up neither of the others. No data source of the configuration has a
// colon in its name.
var listSources = map[string]rows.SourceOptions{
	listSource:         {MaxConns: 8, StatementTimeout: 30 * time.Second},
	listExports:        {MaxConns: 4, StatementTimeout: 12 * time.Hour},
	server.ListAnswers: {MaxConns: 4, StatementTimeout: 30 * time.Second},
}

const (
	listSource  = "slashbatch:lists"
	listExports = "slashbatch:exports"
)

// openLists reads the endpoints over assets' tables, and opens their data source. Workers
// need that, too.
func (a *App) openLists() error {
	for name, options := range listSources {
		options.LockTimeout, options.IdleTimeout, options.Application = lockTimeout, idleTimeout, "slashbatch lists"
		// Nothing that others have put into another schema is taken for PostgreSQL's own.
		options.SearchPath = "pg_catalog"
		source, err := rows.Open(name, a.config.Catalog.URL.Reveal(), options)
		if err != nil {
			return err
		}
		a.sources[name] = source
	}
	files := assets.Lists()
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		return err
	}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		specs, problems := endpoint.DecodeOwn(text, name)
		if len(problems) > 0 {
			return problems
		}
		for _, s := range specs {
			s.DataSource, s.Batch.DataSource, s.Batch.StepsDataSource = listSource, listExports, listExports
			if s.SoftLimit == usualSoftLimit {
				s.SoftLimit = int64(a.config.Assets.PageSize)
			}
			a.lists = append(a.lists, s)
		}
	}
	return nil
}

// usualSoftLimit is that of a spec that does not say.
const usualSoftLimit = 100

// describeLists asks the database about the endpoints over assets' tables, once these are
// there.
func (a *App) describeLists(ctx context.Context) error {
	waiting, problems := a.describeAll(ctx, a.lists, a.registry)
	if len(problems) > 0 {
		return problems
	}
	if len(waiting) > 0 {
		return fmt.Errorf("%w: the tables of assets could not be asked about", assets.ErrUnavailable)
	}
	return nil
}

// prepareAssets makes everything about assets ready to be served.
func (a *App) prepareAssets(ctx context.Context) error {
	if err := a.ensureCustomers(ctx); err != nil {
		return err
	}
	return a.describeLists(ctx)
}

// ensureCustomers sees to it that users who are customers have one to be.
func (a *App) ensureCustomers(ctx context.Context) error {
	for _, u := range a.config.Auth.Users {
		if u.Customer == 0 {
			continue
		}
		if err := a.assets.EnsureCustomer(ctx, u.Customer, u.Name); err != nil {
			return err
		}
	}
	return nil
}

func (a *App) assetOptions() server.AssetOptions {
	c := a.config
	return server.AssetOptions{
		Store: a.assets, Specs: a.lists, MaxMembers: c.Assets.MaxMembers, PageSize: c.Assets.PageSize,
		Limits:        server.Limits{Running: c.Batch.Limits.Running.Export, Queued: c.Batch.Limits.Queued.Export},
		PublicQueries: c.NamedQueries.Public, EmptyIs404: c.NamedQueries.EmptyIs404,
	}
}
