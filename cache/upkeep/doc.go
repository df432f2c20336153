// Package upkeep keeps the result store in order: it takes out what may go, finds what
// a crash has left, checks that what the catalogue promises is there, and copies
// files from one store to another while both are in use.
//
// # What finds what
//
//	names that have expired, results without one    Tidy, every minute
//	objects that nothing refers to any more         Tidy, by the list that deletions leave
//	temporary files, unfinished multipart uploads   SweepTemps, hourly
//	copies that nobody goes on with                 SweepTemps
//	objects without a row, rows without an object   Walk, daily
//
// Every sweep works in small steps, each of them complete by itself: it may be killed
// anywhere, and run by any number of processes at once. That one process of a fleet
// does a chore at a time (Keeper) only saves work.
//
// # The marker
//
// An object in the root of each store says which store it is, and of which catalogue.
// What would take much away, or believe that much is gone, asks for it first: a
// folder that is not mounted and a bucket of somebody else look just like a store that
// has lost everything.
package upkeep

import (
	"context"
	"time"

	"slashbatch/cache"
)

// Store is a store that the catalogue knows.
type Store struct {
	cache.Store
	ID int64
	// URL is without credentials.
	URL string
}

// Registry is where stores are known.
type Registry interface {
	// Name is the catalogue's own.
	Name(ctx context.Context) (string, error)
	Stores(ctx context.Context) ([]cache.Registered, error)
	// StoreByURL makes a store known that was not.
	StoreByURL(ctx context.Context, url string) (id int64, marked bool, err error)
	// Unplaced is the store of the first version, until Place says where it is.
	Unplaced(ctx context.Context, n int) (id int64, files []cache.Located, err error)
	Place(ctx context.Context, unplaced int64, url string) error
	MoveStore(ctx context.Context, id int64, url string) error
	SetAside(ctx context.Context, id int64, url string) error
	Marked(ctx context.Context, id int64) error
}

// Ledger is what sweeping needs of the catalogue, which documents each method.
type Ledger interface {
	Registry
	Clock(ctx context.Context) (time.Time, error)
	ClaimChore(ctx context.Context, name, worker string, every, first time.Duration) (bool, error)
	EndChore(ctx context.Context, name, worker, report string, again time.Duration) error

	Evict(ctx context.Context, r cache.Retention) (cache.Freed, error)
	Expire(ctx context.Context, r cache.Retention) (cache.Freed, error)
	Abandon(ctx context.Context, age time.Duration) (int, error)
	Remove(ctx context.Context, store int64, remove func(context.Context, string) error, goOn func(context.Context) bool) (cache.Removed, error)
	AddOrphans(ctx context.Context, store int64, objects []string) (int, error)
	Locations(ctx context.Context, store int64, prefix, after string, n int) ([]cache.Located, error)
	Located(ctx context.Context, store int64, object string) (cache.Located, error)
	Unlisted(ctx context.Context, store int64, objects []string) ([]string, error)
	Held(ctx context.Context, store int64) (n int, bytes int64, err error)
	MarkMissing(ctx context.Context, store int64, objects []string, since time.Time) (int, error)
	MarkLive(ctx context.Context, store int64, objects []string, since time.Time) (int, error)
}

// CopyLedger is what copying needs besides.
type CopyLedger interface {
	Ledger
	LockCopy(ctx context.Context, source int64) (release func(), err error)
	NoteCopy(ctx context.Context, source, target int64) (int64, error)
	EndCopy(ctx context.Context, id int64) error
	LeftToCopy(ctx context.Context, source, target int64) (n int, bytes int64, err error)
	ToCopy(ctx context.Context, source, target, after int64, n int) ([]cache.Located, error)
	Intend(ctx context.Context, f cache.Located, source, target int64) (bool, error)
	Landed(ctx context.Context, f cache.Located, target int64) (bool, error)
	GiveUp(ctx context.Context, f cache.Located, target int64) error
}

// RetireLedger is what retiring needs besides.
type RetireLedger interface {
	Ledger
	Sole(ctx context.Context, store int64) (int, error)
	Drafts(ctx context.Context, store int64) (int, error)
	Copies(ctx context.Context, store int64, variants []int64, names []string) ([]cache.Copy, error)
	Vacate(ctx context.Context, store int64, variants []int64) (int, error)
	ForgetStore(ctx context.Context, id int64) error
}
