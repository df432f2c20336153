package upkeep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"slashbatch/cache"
)

// Tidy takes out of the catalogue what may go, and removes the objects that nothing
// refers to any more from the stores. A store that is away, or not marked, keeps its
// objects until it is there.
func Tidy(ctx context.Context, l Ledger, stores []Store, r cache.Retention) (cache.Freed, cache.Removed, error) {
	freed, err := l.Expire(ctx, r)
	if err != nil {
		return freed, cache.Removed{}, err
	}
	more, err := l.Evict(ctx, r)
	freed = freed.Add(more)
	var removed cache.Removed
	failed := []error{err}
	for _, s := range stores {
		one, err := Remove(ctx, l, s)
		removed.Objects += one.Objects
		removed.Failed += one.Failed
		if one.Reason != nil {
			failed = append(failed, fmt.Errorf("%d objects could not be removed from %s: %w", one.Failed, s.URL, one.Reason))
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return freed, removed, errors.Join(failed...)
}

// Remove takes the objects that are listed for removal out of a store. Those that it will
// not give up stay listed.
func Remove(ctx context.Context, l Ledger, s Store) (cache.Removed, error) {
	name, err := l.Name(ctx) // not below, where a connection of the catalogue is held
	if err != nil {
		return cache.Removed{}, err
	}
	// Asked for only when there is something to remove: this runs every minute.
	checked := sync.OnceValue(func() error { return bears(ctx, s, marker{name, s.ID}) })
	return l.Remove(ctx, s.ID, func(ctx context.Context, object string) error {
		if err := checked(); err != nil {
			return err
		}
		return s.Delete(ctx, object)
	}, func(ctx context.Context) bool {
		return checked() == nil && s.Ping(ctx) == nil
	})
}

// SweepTemps removes what dead writers have left in the stores, and takes back copies
// that nobody has gone on with for as long as age, which is longer than anything takes
// to be written.
func SweepTemps(ctx context.Context, l Ledger, stores []Store, age time.Duration) (int, error) {
	n, err := l.Abandon(ctx, age)
	failed := []error{err}
	for _, s := range stores {
		more := 0
		switch sweeper := s.Store.(type) {
		case interface {
			Sweep(ctx context.Context, olderThan time.Duration) (int, error)
		}:
			more, err = sweeper.Sweep(ctx, age)
		case interface {
			AbortStale(ctx context.Context, olderThan time.Duration) (int, error)
		}:
			more, err = sweeper.AbortStale(ctx, age)
		default:
			continue
		}
		n += more
		if err != nil {
			failed = append(failed, err)
		}
	}
	return n, errors.Join(failed...)
}

// said is what a round of Tidy has done, in words; empty when that is nothing.
func said(freed cache.Freed, removed cache.Removed) string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{
		{freed.Collected, "results without a name collected"},
		{freed.Aged, "old results evicted"},
		{freed.Crowded, "results evicted to make room"},
		{freed.Files, "further files evicted"},
		{freed.Aliases, "expired aliases dropped"},
		{freed.Requests, "expired requests dropped"},
		{freed.Runs, "old runs forgotten"},
		{freed.Wishes, "old wishes forgotten"},
		{removed.Objects, "objects removed"},
		{removed.Failed, "objects could not be removed"},
	} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprint(p.n, " ", p.what))
		}
	}
	if freed.Bytes > 0 {
		parts = append(parts, fmt.Sprint(freed.Bytes, " bytes freed"))
	}
	return strings.Join(parts, ", ")
}
