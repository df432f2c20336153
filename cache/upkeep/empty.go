package upkeep

import (
	"context"
	"slices"
	"sync"
)

// empty deletes all objects below results/ that are no files any more. One that the books
// have in another store, under the same name, goes only if it was seen there: the books may be
// wrong about which store is which.
func (r *retiring) empty(ctx context.Context) (deleted int, err error) {
	var names []string
	flush := func() error {
		n, err := r.drop(ctx, names)
		deleted += n
		names = names[:0]
		return err
	}
	for o, err := range r.store.List(ctx, resultFolder) {
		if err != nil {
			return deleted, err
		}
		if names = append(names, o.Name); len(names) == page {
			if err := flush(); err != nil {
				return deleted, err
			}
		}
	}
	return deleted, flush()
}

// drop deletes those of the objects that may go.
func (r *retiring) drop(ctx context.Context, names []string) (deleted int, err error) {
	copies, err := r.ledger.Copies(ctx, r.store.ID, nil, names)
	if err != nil {
		return 0, err
	}
	seen, err := r.seen(ctx, copies)
	if err != nil {
		return 0, err
	}
	doubtful := map[string]bool{}
	for _, c := range copies {
		if !seen[c.Variant] || c.Store == r.store.ID { // the latter: somebody writes here still
			doubtful[c.Object] = true
		}
	}
	going := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return doubtful[name] })
	for name := range doubtful {
		r.unconfirmed.add(name)
	}
	failures := make([]error, len(going))
	atOnce(len(going), func(i int) { failures[i] = r.store.Delete(ctx, going[i]) })
	for _, failed := range failures {
		if failed != nil {
			err = failed
			continue
		}
		deleted++
	}
	return deleted, err
}

// askedAtOnce bounds how many objects of a store are asked for, or deleted, at a time.
const askedAtOnce = 8

// atOnce does something for each of n, several at a time.
func atOnce(n int, do func(i int)) {
	next := make(chan int)
	var working sync.WaitGroup
	for range min(n, askedAtOnce) {
		working.Go(func() {
			for i := range next {
				do(i)
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	working.Wait()
}
