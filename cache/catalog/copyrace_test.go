package catalog

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
	"slashbatch/internal/testenv"
)

// I-12, I-19: files are copied while results come and go, while files get lost in the source
// and are made again. Whatever is live has its bytes, in both stores, and nothing else is
// left in either.
func TestI19CopyRaces(t *testing.T) {
	c := newContest(t)
	target, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { target.Close() })
	to, _, err := c.StoreByURL(t.Context(), "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	// The file that a publication has found may be lost before that ends: workers repeat it.
	c.again = 3
	var busy sync.Map // variants that one of the copiers has in its hands, as within one copy
	var made, lost, copied, unwanted atomic.Int64
	copyOne := func(ctx context.Context, f cache.Located) error {
		if _, taken := busy.LoadOrStore(f.Variant, true); taken {
			return nil
		}
		defer busy.Delete(f.Variant)
		intended, err := c.Intend(ctx, f, c.id, to)
		if err != nil || !intended {
			return err
		}
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		if err := putInto(ctx, target, f.Object); err != nil {
			return err
		}
		landed, err := c.Landed(ctx, f, to)
		if err == nil && landed {
			copied.Add(1)
		} else {
			unwanted.Add(1)
		}
		return err
	}
	c.met = func() bool { return copied.Load() > 0 && unwanted.Load() > 0 }
	c.run(map[int][]func(context.Context) error{
		4: {
			func(ctx context.Context) error { // publishers
				key := fmt.Sprint("key", rand.IntN(20))
				_, err := c.publish(ctx, key, "rows of "+key)
				made.Add(1)
				return err
			},
			func(ctx context.Context) error { // copiers
				files, err := c.ToCopy(ctx, c.id, to, int64(rand.IntN(100)), 5)
				for _, f := range files {
					if err == nil {
						err = copyOne(ctx, f)
					}
				}
				if err != nil {
					err = fmt.Errorf("copy: %w", err)
				}
				return err
			},
		},
		2: {
			func(ctx context.Context) error { // sweepers
				if err := c.exec(ctx, "age", `UPDATE slashbatch.request SET expires = now() WHERE key = $1`, fmt.Sprint("key", rand.IntN(20))); err != nil {
					return err
				}
				if err := c.exec(ctx, "age", `UPDATE slashbatch.result r SET accessed = now() - interval '1 day'
					FROM slashbatch.request q WHERE q.result = r.id AND q.expires <= now()`); err != nil {
					return err
				}
				if err := c.sweep(ctx); err != nil {
					return err
				}
				_, err := c.Remove(ctx, to, target.Delete, nil)
				return err
			},
			func(ctx context.Context) error { // what loses files
				e, err := c.ByKey(ctx, fmt.Sprint("key", rand.IntN(20)))
				if errors.Is(err, cache.ErrNotFound) {
					return nil
				}
				if err == nil {
					err = c.store.Delete(ctx, e.File.Object)
				}
				if err == nil {
					err = c.Missing(ctx, e.File.Object)
				}
				lost.Add(1)
				return err
			},
		},
	})
	testenv.Report(t, "copy while things come and go, 12 clients for %v: %d publications, %d files lost, %d copied, %d copied in vain", testenv.Race(), made.Load(), lost.Load(), copied.Load(), unwanted.Load())
	if !c.met() {
		t.Error("nothing met; the run shows nothing")
	}
	ctx := context.Background()
	if _, err := c.Remove(ctx, to, target.Delete, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.sweep(ctx); err != nil {
		t.Fatal(err)
	}
	for id, s := range map[int64]*filestore.Store{c.id: c.store, to: target} {
		books := map[string]bool{} // and whether it is live
		for after := ""; ; {
			page, err := c.Locations(ctx, id, "results/", after, 1000)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, f := range page {
				after, books[f.Object] = f.Object, f.Live
			}
		}
		for o, err := range s.List(ctx, "results/") {
			if err != nil {
				t.Fatal(err)
			}
			if _, known := books[o.Name]; !known {
				t.Errorf("store %d: %s is in no book", id, o.Name)
			}
			delete(books, o.Name)
		}
		for object, live := range books {
			if live {
				t.Errorf("store %d: %s is live, and not there", id, object)
			}
		}
	}
}
