package upkeep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// DraftError says how many files of a store belong to jobs that have not ended.
type DraftError struct {
	URL   string
	Files int
}

func (e *DraftError) Error() string {
	return fmt.Sprintf("%d files in the store %s are the rows of SQL jobs that have not ended yet; wait for those", e.Files, e.URL)
}

// UnconfirmedError says how many files stay in a store because no other store was seen to
// have them, whatever the catalogue says; Objects are the first of them.
type UnconfirmedError struct {
	URL     string
	Files   int
	Objects []string
}

func (e *UnconfirmedError) Error() string {
	list := strings.Join(e.Objects, ", ")
	if len(e.Objects) < e.Files {
		list += ", …"
	}
	return fmt.Sprintf("%d files stay in the store %s, since no other store was seen to have them, though the catalogue says so: %s. "+
		"slashbatch store verify -store URL tells what is wrong with the other store", e.Files, e.URL, list)
}

// named is how many files an UnconfirmedError names.
const named = 10

func (e *UnconfirmedError) add(objects ...string) {
	e.Files += len(objects)
	e.Objects = append(e.Objects, objects[:min(len(objects), named-len(e.Objects))]...)
}

// Retire takes a store out of use for good: its files out of the books, what is below
// results/ out of the store, then its marker, and at last the store out of the
// catalogue. Killed at any point it goes on when it is called again. It returns how many
// objects it has deleted. What people have put into the store stays.
//
// A file goes only when one of the other stores, which bears its marker, has it with the
// size of the books; what is in none of these stays here, and in the books
// (*UnconfirmedError).
//
// Nobody may still write to the store. *SoleError, *DraftError: there are files that no
// other store has; nothing, or not more than what others have, was taken away.
// *MarkerError: the store is not the one it should be.
func Retire(ctx context.Context, l RetireLedger, s Store, others []Store) (deleted int, err error) {
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
	if n, err := l.Drafts(ctx, s.ID); err != nil || n > 0 {
		if err == nil {
			err = &DraftError{s.URL, n}
		}
		return 0, err
	}
	if wrong != nil { // it has come to the marker before
		return 0, l.ForgetStore(ctx, s.ID)
	}
	r := &retiring{ledger: l, store: s, unconfirmed: UnconfirmedError{URL: s.URL}}
	for _, o := range others {
		if o.ID != s.ID {
			r.others = append(r.others, o)
		}
	}
	if err := r.vacate(ctx); err != nil {
		if !errors.Is(err, cache.ErrSole) {
			return 0, err
		}
		n, err := l.Sole(ctx, s.ID)
		return 0, orSole(err, s, n)
	}
	// What the books have given up goes by their list; what then is left must be nobody's.
	removed, err := Remove(ctx, l, s)
	if err == nil {
		err = removed.Reason
	}
	deleted = removed.Objects
	if err != nil {
		return deleted, err
	}
	if r.unconfirmed.Files > 0 {
		return deleted, &r.unconfirmed
	}
	more, err := r.empty(ctx)
	deleted += more
	if err != nil {
		return deleted, err
	}
	if r.unconfirmed.Files > 0 {
		return deleted, &r.unconfirmed
	}
	if err := s.Delete(ctx, cache.MarkerObject); err != nil {
		return deleted, err
	}
	return deleted, l.ForgetStore(ctx, s.ID)
}

func orSole(err error, s Store, n int) error {
	if err != nil {
		return err
	}
	return &SoleError{s.URL, n}
}

// retiring is one run of Retire.
type retiring struct {
	ledger      RetireLedger
	store       Store
	others      []Store
	unconfirmed UnconfirmedError
}

// vacate takes out of the books of the store all files that another store was seen to
// have, and those that are not here either.
func (r *retiring) vacate(ctx context.Context) error {
	for after := resultFolder; ; {
		rows, err := r.ledger.Locations(ctx, r.store.ID, resultFolder, after, page)
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].Object
		variants := make([]int64, len(rows))
		for i, f := range rows {
			variants[i] = f.Variant
		}
		copies, err := r.ledger.Copies(ctx, r.store.ID, variants, nil)
		if err != nil {
			return err
		}
		seen, err := r.seen(ctx, copies)
		if err != nil {
			return err
		}
		var going []int64
		for _, f := range rows {
			keep := f.Live
			if f.Missing { // it may have come back
				if keep, err = r.here(ctx, f); err != nil {
					return err
				}
			}
			if keep && !seen[f.Variant] {
				r.unconfirmed.add(f.Object)
				continue
			}
			going = append(going, f.Variant)
		}
		if len(going) == 0 {
			continue
		}
		if _, err := r.ledger.Vacate(ctx, r.store.ID, going); err != nil {
			return err
		}
	}
}

// here reports whether the store itself has a file.
func (r *retiring) here(ctx context.Context, f cache.Located) (bool, error) {
	o, err := r.store.Stat(ctx, f.Object)
	if errors.Is(err, cache.ErrNotFound) {
		return false, nil
	}
	return err == nil && o.Size == f.Stored, err
}

// seen are the variants of which a copy was seen in another store: one that bears its
// marker now, and that says that it has the object, with the size of the books. A store
// that cannot be asked has not been seen to have it.
func (r *retiring) seen(ctx context.Context, copies []cache.Copy) (map[int64]bool, error) {
	stores := map[int64]Store{}
	for _, s := range r.others {
		wanted := slices.ContainsFunc(copies, func(c cache.Copy) bool { return c.Store == s.ID })
		if wanted && ours(ctx, r.ledger, s) == nil {
			stores[s.ID] = s
		}
	}
	found := make([]bool, len(copies))
	atOnce(len(copies), func(i int) {
		c := copies[i]
		if s, open := stores[c.Store]; open {
			o, err := s.Stat(ctx, c.Object)
			found[i] = err == nil && o.Size == c.Stored
		}
	})
	seen := map[int64]bool{}
	for i, c := range copies {
		seen[c.Variant] = seen[c.Variant] || found[i]
	}
	return seen, ctx.Err()
}
