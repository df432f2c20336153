package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"slashbatch/cache"
)

// SoleError says how many files would be lost with a store.
type SoleError struct {
	URL   string
	Files int
}

func (e *SoleError) Error() string {
	return fmt.Sprintf("%d files are in the store %s and in no other; slashbatch store copy brings them to one", e.Files, e.URL)
}

// Retire takes a store out of use for good: its files out of the books, what is below
// results/ out of the store, then its marker, and at last the store out of the
// catalogue. Killed at any point it goes on when it is called again. It returns how many
// objects it has deleted. What people have put into the store stays.
//
// Nobody may still write to the store. *SoleError: there are files that no other store
// has; nothing, or not more than what others have, was taken away. *MarkerError: the
// store is not the one it should be.
func Retire(ctx context.Context, l RetireLedger, s Store) (deleted int, err error) {
	held, err := l.Locations(ctx, s.ID, resultFolder, "", 1)
	if err != nil {
		return 0, err
	}
	wrong := ours(ctx, l, s)
	_, err = s.Stat(ctx, cache.MarkerObject)
	if unmarked := errors.Is(err, cache.ErrNotFound); wrong != nil && (!unmarked || len(held) > 0) {
		return 0, wrong
	}
	if n, err := l.Sole(ctx, s.ID); err != nil || n > 0 {
		return 0, orSole(err, s, n)
	}
	if _, err := l.Vacate(ctx, s.ID); err != nil {
		if !errors.Is(err, cache.ErrSole) {
			return 0, err
		}
		n, err := l.Sole(ctx, s.ID)
		return 0, orSole(err, s, n)
	}
	if wrong == nil { // else it has come to the marker before
		if deleted, err = empty(ctx, l, s); err != nil {
			return deleted, err
		}
		if err := s.Delete(ctx, cache.MarkerObject); err != nil {
			return deleted, err
		}
	}
	return deleted, l.ForgetStore(ctx, s.ID)
}

func orSole(err error, s Store, n int) error {
	if err != nil {
		return err
	}
	return &SoleError{s.URL, n}
}

// deletesAtOnce bounds how many objects are deleted at the same time.
const deletesAtOnce = 8

// empty deletes all objects below results/ that are no files.
func empty(ctx context.Context, l Ledger, s Store) (int, error) {
	names := make(chan string)
	var mu sync.Mutex
	var failed error
	deleted := 0
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var deleting sync.WaitGroup
	for range deletesAtOnce {
		deleting.Go(func() {
			for name := range names {
				err := s.Delete(ctx, name)
				mu.Lock()
				if err == nil {
					deleted++
				} else if failed == nil {
					failed = err
					stop()
				}
				mu.Unlock()
			}
		})
	}
	err := func() error {
		for o, err := range s.List(ctx, resultFolder) {
			if err != nil {
				return err
			}
			select {
			case names <- o.Name:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}()
	close(names)
	deleting.Wait()
	if failed != nil {
		err = failed
	}
	return deleted, err
}
