package upkeep

import (
	"context"
	"time"

	"slashbatch/cache"
)

// resultFolder is where all files of results are. Other objects are somebody's own:
// the marker, and what people put into the store for a request.
const resultFolder = "results/"

// page is how many rows are read, and objects asked about, at a time.
const page = 1000

// visitor is told what a store and the books have, object by object, in the order of
// their names. An error ends the walk.
type visitor struct {
	// both: the books have it, and an object of this size is there.
	both func(f cache.Located, size int64) error
	// row: the books have it, and the store does not list it.
	row func(cache.Located) error
	// objects: the store lists them, and the books know nothing of them.
	objects func([]cache.Object) error
}

// sideBySide walks over a store and over its books. Memory does not depend on how much
// there is.
func sideBySide(ctx context.Context, l Ledger, s Store, v visitor) error {
	rows := &rowReader{ledger: l, store: s.ID}
	var strange []cache.Object
	ask := func() error {
		unlisted, err := unlisted(ctx, l, s.ID, strange)
		strange = strange[:0]
		if err != nil || len(unlisted) == 0 {
			return err
		}
		return v.objects(unlisted)
	}
	for object, err := range s.List(ctx, resultFolder) {
		if err != nil {
			return err
		}
		row, err := rows.peek(ctx)
		for ; err == nil && row != nil && row.Object < object.Name; row, err = rows.peek(ctx) {
			rows.pop()
			if err := v.row(*row); err != nil {
				return err
			}
		}
		switch {
		case err != nil:
			return err
		case row != nil && row.Object == object.Name:
			rows.pop()
			err = v.both(*row, object.Size)
		default:
			if strange = append(strange, object); len(strange) == page {
				err = ask()
			}
		}
		if err != nil {
			return err
		}
	}
	for {
		row, err := rows.peek(ctx)
		if err != nil {
			return err
		}
		if row == nil {
			return ask()
		}
		rows.pop()
		if err := v.row(*row); err != nil {
			return err
		}
	}
}

// unlisted are those of the objects that the books know nothing of: a row may be younger
// than the page that was read, and what waits for its removal has none.
func unlisted(ctx context.Context, l Ledger, store int64, objects []cache.Object) ([]cache.Object, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	names := make([]string, len(objects))
	byName := make(map[string]cache.Object, len(objects))
	for i, o := range objects {
		names[i], byName[o.Name] = o.Name, o
	}
	left, err := l.Unlisted(ctx, store, names)
	found := make([]cache.Object, len(left))
	for i, name := range left {
		found[i] = byName[name]
	}
	return found, err
}

// rowReader reads the rows of a store one after the other.
type rowReader struct {
	ledger Ledger
	store  int64
	rows   []cache.Located
	after  string
	ended  bool
}

// peek returns the next row; nil at the end.
func (r *rowReader) peek(ctx context.Context) (*cache.Located, error) {
	if len(r.rows) == 0 && !r.ended {
		var err error
		if r.rows, err = r.ledger.Locations(ctx, r.store, resultFolder, r.after, page); err != nil {
			return nil, err
		}
		if r.ended = len(r.rows) < page; len(r.rows) > 0 {
			r.after = r.rows[len(r.rows)-1].Object
		}
	}
	if len(r.rows) == 0 {
		return nil, nil //nolint:nilnil // there is no further row, as documented
	}
	return &r.rows[0], nil
}

func (r *rowReader) pop() { r.rows = r.rows[1:] }

// olderThan reports whether an object has been there for as long as age.
func olderThan(o cache.Object, age time.Duration) bool { return time.Since(o.Modified) > age }
