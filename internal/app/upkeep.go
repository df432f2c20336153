package app

import (
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/config"
)

var (
	_ upkeep.CopyLedger   = (*catalog.Catalog)(nil)
	_ upkeep.RetireLedger = (*catalog.Catalog)(nil)
)

// keeper does the chores of the result store.
func (a *App) keeper() *upkeep.Keeper {
	return upkeep.NewKeeper(upkeep.Options{
		Ledger: a.catalog, Stores: a.stores.kept, Worker: workerID(), Log: a.log,
		Retention: retention(a.config), Longest: longestQuery(a.config),
	})
}

func retention(c *config.Config) cache.Retention {
	r := c.Batch.Retention
	return cache.Retention{
		Grace: c.Cache.Grace.Std(), Results: r.Results.Std(), Runs: r.Jobs.Std(), MaxBytes: int64(r.MaxBytes),
	}
}

// longestQuery is how long any query may take: so long an object may be written before
// anything refers to it.
func longestQuery(c *config.Config) time.Duration {
	longest := c.Batch.Limits.QueryTimeout.Std()
	for _, u := range c.Auth.Users {
		longest = max(longest, u.Limits.QueryTimeout.Std())
	}
	return longest
}

// orphanAge is how old an object that nobody knows must be to belong to nobody.
func orphanAge(c *config.Config) time.Duration { return c.Cache.Grace.Std() + longestQuery(c) }
