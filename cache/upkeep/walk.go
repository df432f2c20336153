package upkeep

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"slashbatch/cache"
)

// brakePercent is how much of a store may look missing before its loss is thought to
// be a mistake: of the mount, of the bucket, of the store itself.
const brakePercent = 5

// actMost is how many objects, and how many rows, one walk acts on. It bounds the
// memory; the next walk takes the rest.
const actMost = 10_000

// WalkReport is what a walk over a store has found, and done.
type WalkReport struct {
	// Files are those that were to be there; Missing of them are not, Orphans are objects
	// that nobody knows.
	Files, Missing, Orphans int
	// Marked of the missing are noted as such by now, Listed of the orphans listed for
	// removal. Back were noted as missing, and are read again. Unclear are those that the
	// store would not speak of.
	Marked, Listed, Back, Unclear int
}

// String is the report in one line; empty when all is well.
func (r WalkReport) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.Marked, "files marked as missing"}, {r.Back, "files came back"}, {r.Listed, "orphans listed for removal"}, {r.Unclear, "files could not be looked at"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprint(p.n, " ", p.what))
		}
	}
	return strings.Join(parts, ", ")
}

// BrakeError says that a walk has stopped before it changed anything, because too much
// seemed to be missing.
type BrakeError struct {
	URL            string
	Missing, Files int
}

func (e *BrakeError) Error() string {
	return fmt.Sprintf("%d of %d files seem to be missing from the store %s, more than %d %%: nothing was changed. "+
		"If they are gone indeed, slashbatch store verify -mark-missing says so to the catalogue", e.Missing, e.Files, e.URL, brakePercent)
}

// Walk compares a store with the books. A file that is not there is marked as missing,
// after the store has been asked for it by name; one that was so, and is there again with
// the size it had, is live again; an object that nobody knows, and that is older than
// orphanAge, is listed for removal. Rows that are younger than the walk are not judged,
// nor is anything that the store gives no clear answer to.
//
// All is counted first. Nothing is changed when the marker is not ours
// (*MarkerError), or when more than 5 % of the files seem to be missing
// (*BrakeError).
func Walk(ctx context.Context, l Ledger, s Store, orphanAge time.Duration) (WalkReport, error) {
	var r WalkReport
	if err := ours(ctx, l, s); err != nil {
		return r, err
	}
	began, err := l.Clock(ctx)
	if err != nil {
		return r, err
	}
	var missing, back, orphans []string
	look := visitor{
		both: func(f cache.Located, size int64) error {
			switch {
			case !f.Verified.Before(began):
			case f.Live:
				r.Files++
			case f.Missing && size == f.Stored && len(back) < actMost:
				back = append(back, f.Object)
			}
			return nil
		},
		row: func(f cache.Located) error {
			if f.Live && f.Verified.Before(began) {
				r.Files, r.Missing = r.Files+1, r.Missing+1
				if len(missing) < actMost {
					missing = append(missing, f.Object)
				}
			}
			return nil
		},
		objects: func(objects []cache.Object) error {
			for _, o := range objects {
				if !olderThan(o, orphanAge) {
					continue
				}
				if r.Orphans++; len(orphans) < actMost {
					orphans = append(orphans, o.Name)
				}
			}
			return nil
		},
	}
	if err := sideBySide(ctx, l, s, look); err != nil {
		return r, err
	}
	if tooMany(r.Missing, r.Files) {
		return r, &BrakeError{s.URL, r.Missing, r.Files}
	}
	gone, err := confirm(ctx, s, missing, &r)
	if err != nil {
		return r, err
	}
	// The walk may have taken hours, and the store gone away meanwhile.
	if err := ours(ctx, l, s); err != nil {
		return r, err
	}
	for batch := range batches(gone) {
		n, err := l.MarkMissing(ctx, s.ID, batch, began)
		r.Marked += n
		if err != nil {
			return r, err
		}
	}
	for batch := range batches(back) {
		n, err := l.MarkLive(ctx, s.ID, batch, began)
		r.Back += n
		if err != nil {
			return r, err
		}
	}
	for batch := range batches(orphans) {
		n, err := l.AddOrphans(ctx, s.ID, batch)
		r.Listed += n
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

func tooMany(missing, files int) bool { return missing*100 > files*brakePercent }

// confirm asks for each object by name, and returns those that are not there.
func confirm(ctx context.Context, s Store, objects []string, r *WalkReport) ([]string, error) {
	var gone []string
	for _, object := range objects {
		_, err := s.Stat(ctx, object)
		switch {
		case errors.Is(err, cache.ErrNotFound):
			gone = append(gone, object)
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case err != nil:
			r.Unclear++
		}
	}
	return gone, nil
}

// batches cuts a list into pages.
func batches(all []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		for ; len(all) > 0; all = all[min(page, len(all)):] {
			if !yield(all[:min(page, len(all))]) {
				return
			}
		}
	}
}
