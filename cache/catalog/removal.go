package catalog

import (
	"context"
	"sync"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

const (
	// removals are done so many at a time, and so many at once.
	removalBatch, removalsAtOnce = 100, 8
	// removalPatience is how long the store may take for a batch, whose rows are
	// locked meanwhile: less than the database lets a transaction stand idle.
	removalPatience = 8 * time.Second
)

// Remove takes the objects that nothing refers to any more out of a store, with the
// caller's remove. Each is tried once; what fails stays, and is tried by the next
// call. When a whole batch fails, goOn is asked whether that is the store's own doing.
//
// The rows are locked until their objects are gone. Who is about to put an object
// under such a name again takes the row away first, and so waits.
func (c *Catalog) Remove(ctx context.Context, store int64, remove func(context.Context, string) error, goOn func(context.Context) bool) (cache.Removed, error) {
	var all cache.Removed
	after := ""
	for {
		batch, last, err := c.removeSome(ctx, store, after, remove)
		all.Objects += batch.Objects
		all.Failed += batch.Failed
		if batch.Reason != nil {
			all.Reason = batch.Reason
		}
		if err != nil || last == "" || ctx.Err() != nil {
			return all, err
		}
		if batch.Objects == 0 && batch.Failed > 0 && !goOn(ctx) {
			return all, nil
		}
		after = last
	}
}

// removeSome is Remove for the objects that come next in the order of their names,
// and returns the last of them.
func (c *Catalog) removeSome(ctx context.Context, store int64, after string, remove func(context.Context, string) error) (batch cache.Removed, last string, err error) {
	err = c.inTx(ctx, "remove objects", func(ctx context.Context, tx pgx.Tx) error {
		objects, err := texts(ctx, tx, `
			SELECT object FROM slashbatch.removal WHERE store = $1 AND object > $2
			ORDER BY object`+limit(removalBatch)+` FOR UPDATE SKIP LOCKED`, store, after)
		if err != nil || len(objects) == 0 {
			return err
		}
		last = objects[len(objects)-1]
		// Some may be a file again. Their rows were meant for what was there before.
		named, err := texts(ctx, tx, `SELECT object FROM slashbatch.location WHERE store = $1 AND object = ANY ($2)`, store, objects)
		if err != nil {
			return err
		}
		done := named
		again := map[string]bool{}
		for _, object := range named {
			again[object] = true
		}
		removing, cancel := context.WithTimeout(ctx, removalPatience)
		defer cancel()
		var mu sync.Mutex
		var working sync.WaitGroup
		slots := make(chan struct{}, removalsAtOnce)
		for _, object := range objects {
			if again[object] {
				continue
			}
			slots <- struct{}{}
			working.Go(func() {
				defer func() { <-slots }()
				err := remove(removing, object)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					batch.Failed, batch.Reason = batch.Failed+1, err
					return
				}
				batch.Objects++
				done = append(done, object)
			})
		}
		working.Wait()
		_, err = tx.Exec(ctx, `DELETE FROM slashbatch.removal WHERE store = $1 AND object = ANY ($2)`, store, done)
		return err
	})
	return batch, last, err
}

// AddOrphans lists objects of a store for removal, unless a file or a draft is there by
// now. It returns how many were not listed before.
func (c *Catalog) AddOrphans(ctx context.Context, store int64, objects []string) (int, error) {
	return c.affected(ctx, "list objects for removal", `
		INSERT INTO slashbatch.removal (store, object)
		SELECT $1, o FROM unnest($2::text[]) o
		WHERE NOT EXISTS (SELECT FROM slashbatch.location l WHERE l.store = $1 AND l.object = o)
		  AND NOT EXISTS (SELECT FROM slashbatch.draft d WHERE d.store = $1 AND d.object = o AND d.made > now() - $3::interval)
		ON CONFLICT DO NOTHING`, store, objects, draftAge)
}
