package upkeep

import (
	"context"

	"slashbatch/cache"
)

// sample is how many files of the first version's store are looked for in another.
const sample = 20

// place takes a store for that of the first version, whose URL is not known, if it has most
// of a sample of its files. Which of several stores is asked first must not matter: who
// upgrades and moves to another store at once names the new one first.
func place(ctx context.Context, r Registry, s cache.Store, url string) error {
	id, files, err := r.Unplaced(ctx, sample)
	if err != nil || len(files) == 0 {
		return err
	}
	asking, cancel := context.WithTimeout(ctx, markerPatience)
	defer cancel()
	there := 0
	for _, f := range files {
		if o, err := s.Stat(asking, f.Object); err == nil && o.Size == f.Stored {
			there++
		}
	}
	if 2*there <= len(files) {
		return nil
	}
	return r.Place(ctx, id, url)
}
