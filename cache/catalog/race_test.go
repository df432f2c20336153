package catalog

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
	"slashbatch/internal/testenv"
)

// A contest is a catalogue and a store of files, and clients that do everything to them at
// once: what is promised to one must hold whatever the others do.
type contest struct {
	*testing.T
	*Catalog
	store  *filestore.Store
	id     int64
	until  time.Time
	number atomic.Int64
	// again is how often a publication is repeated that has failed.
	again int
	// met reports whether what the contest is about has happened; nil: it need not.
	met func() bool
}

// short lets everything go that was not accessed within the last two minutes.
var short = cache.Retention{Grace: time.Minute, Results: time.Minute, Runs: time.Minute}

func newContest(t *testing.T) *contest {
	t.Helper()
	store, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return &contest{T: t, Catalog: open(t), store: store, id: 1, until: time.Now().Add(testenv.Race())}
}

// goesOn reports whether the time is not over; chance gets longer where what is to meet
// has not met yet.
func (c *contest) goesOn() bool {
	now := time.Now()
	return now.Before(c.until) || c.met != nil && !c.met() && now.Before(c.until.Add(time.Minute))
}

// run lets so many clients of each kind work until the time is over.
func (c *contest) run(clients map[int][]func(ctx context.Context) error) {
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	for n, kinds := range clients {
		for _, kind := range kinds {
			for range n {
				wg.Go(func() {
					for c.goesOn() && ctx.Err() == nil {
						if err := kind(ctx); err != nil && ctx.Err() == nil {
							c.Error(err)
							stop()
						}
					}
				})
			}
		}
	}
	wg.Wait()
}

// publish commits an object of these rows, publishes it, and deletes it if it was not
// kept, as a worker does.
func (c *contest) publish(ctx context.Context, key, rows string) (cache.Entry, error) {
	job := fmt.Sprint("job", c.number.Add(1))
	p := publication(job, "c", key, time.Now())
	p.File.SHA256 = digestOf(rows)
	if err := c.put(ctx, p.File.Object); err != nil {
		return cache.Entry{}, err
	}
	e, kept, err := c.Publish(ctx, p)
	for try := 0; err != nil && try < c.again; try++ {
		e, kept, err = c.Publish(ctx, p)
	}
	if err == nil && !kept {
		err = c.store.Delete(ctx, p.File.Object)
	}
	return e, err
}

func (c *contest) put(ctx context.Context, object string) error {
	return putInto(ctx, c.store, object)
}

func putInto(ctx context.Context, s *filestore.Store, object string) error {
	w, err := s.Create(ctx, object, cache.ObjectOptions{})
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := io.WriteString(w, object); err != nil {
		return err
	}
	_, err = w.Commit(ctx)
	return err
}

// sweep evicts and removes.
func (c *contest) sweep(ctx context.Context) error {
	if _, err := c.Evict(ctx, short); err != nil {
		return fmt.Errorf("evict: %w", err)
	}
	removed, err := c.Remove(ctx, c.id, c.store.Delete, func(context.Context) bool { return true })
	if err == nil {
		err = removed.Reason
	}
	return err
}

// readable wants an object to be there.
func (c *contest) readable(ctx context.Context, object string) error {
	body, _, err := c.store.Open(ctx, object, 0, -1)
	if err != nil {
		return err
	}
	return body.Close()
}

// I-01, I-05: the same rows are published again while they are collected. Whichever comes
// first, the name leads to a file, as long as it is a name.
func TestI05AttachRacesCollect(t *testing.T) {
	c := newContest(t)
	var attached, shared, collected atomic.Int64
	c.run(map[int][]func(context.Context) error{
		9: {func(ctx context.Context) error {
			rows, key := fmt.Sprint("rows", rand.IntN(5)), fmt.Sprint("key", c.number.Add(1))
			e, err := c.publish(ctx, key, rows)
			if err != nil {
				return fmt.Errorf("publish: %w", err)
			}
			attached.Add(1)
			if e.Job != "" && e.File.Object != "results/"+e.Job+".c" {
				shared.Add(1)
			}
			for range 3 {
				now, err := c.ByKey(ctx, key)
				if err != nil || !now.Valid {
					return fmt.Errorf("the key leads to %+v, %w", now, err)
				}
				if err := c.readable(ctx, now.File.Object); err != nil {
					return fmt.Errorf("the file of a name: %w", err)
				}
			}
			// The name goes, and nobody has read the rows for long.
			if err := c.DropRequest(ctx, key); err != nil {
				return fmt.Errorf("drop: %w", err)
			}
			return c.exec(ctx, "age", `UPDATE slashbatch.result SET accessed = now() - interval '1 day' WHERE id = $1`, e.Result)
		}},
		3: {func(ctx context.Context) error {
			freed, err := c.Evict(ctx, short)
			collected.Add(int64(freed.Collected))
			if err != nil {
				return fmt.Errorf("collect: %w", err)
			}
			return c.sweep(ctx)
		}},
	})
	testenv.Report(t, "attach against collect, 12 clients for %v: %d names, %d of them to rows that were there, %d results collected", testenv.Race(), attached.Load(), shared.Load(), collected.Load())
	if shared.Load() == 0 || collected.Load() == 0 {
		t.Error("nothing met; the run shows nothing")
	}
	c.nothingLeft()
}

// nothingLeft sweeps once more, and wants store and books to agree.
func (c *contest) nothingLeft() {
	c.Helper()
	if err := c.sweep(context.Background()); err != nil {
		c.Fatal(err)
	}
	there := map[string]bool{}
	for o, err := range c.store.List(context.Background(), "results/") {
		if err != nil {
			c.Fatal(err)
		}
		there[o.Name] = true
	}
	for _, object := range objects(c.T, c.Catalog, "location") {
		if !there[object] {
			c.Errorf("%s is in the books, and not in the store", object)
		}
		delete(there, object)
	}
	if len(there) > 0 {
		c.Errorf("%d objects are in the store, and not in the books", len(there))
	}
}

// I-01, I-17: files are read while they are evicted. A reader whose touch has succeeded finds the
// file, and goes on finding it; one who came too late is told so.
func TestI17TouchRacesEvict(t *testing.T) {
	c := newContest(t)
	parquet := cache.Form{Format: "parquet"}
	var mu sync.Mutex
	var waiting []cache.Entry // published, and old already
	var touched, late, made atomic.Int64
	next := func() (e cache.Entry, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if len(waiting) == 0 {
			return e, false
		}
		i := rand.IntN(len(waiting))
		e = waiting[i]
		if rand.IntN(3) == 0 { // two readers meet now and then
			waiting[i] = waiting[len(waiting)-1]
			waiting = waiting[:len(waiting)-1]
		}
		return e, true
	}
	c.run(map[int][]func(context.Context) error{
		3: {
			func(ctx context.Context) error { // makers
				n := c.number.Add(1)
				e, err := c.publish(ctx, fmt.Sprint("key", n), fmt.Sprint("rows", n))
				if err != nil {
					return fmt.Errorf("publish: %w", err)
				}
				further := cache.File{Object: e.File.Object + ".parquet", Stored: 1, SHA256: digestOf("p"), ContentType: "x"}
				if err := c.put(ctx, further.Object); err != nil {
					return err
				}
				if _, _, err := c.PublishVariant(ctx, e.Result, parquet, further); err != nil {
					return fmt.Errorf("publish a file: %w", err)
				}
				for _, sql := range []string{
					`UPDATE slashbatch.variant SET accessed = now() - interval '1 day' WHERE result = $1`,
					`UPDATE slashbatch.request SET expires = now(), accessed = now() - interval '1 day' WHERE result = $1`,
					`UPDATE slashbatch.result SET accessed = now() - interval '1 day' WHERE id = $1`, // from here on it may go
				} {
					if err := c.exec(ctx, "age", sql, e.Result); err != nil {
						return err
					}
				}
				mu.Lock()
				waiting = append(waiting, e)
				mu.Unlock()
				made.Add(1)
				return nil
			},
			c.sweep,
		},
		6: {func(ctx context.Context) error { // readers
			e, ok := next()
			if !ok {
				time.Sleep(time.Millisecond)
				return nil
			}
			form := cache.FormCSV
			if rand.IntN(2) == 0 {
				form = parquet
			}
			file, err := c.Variant(ctx, e.Result, form)
			if err == nil {
				err = c.Touch(ctx, e, form)
			}
			if errors.Is(err, cache.ErrNotFound) {
				late.Add(1)
				return nil
			}
			if err != nil {
				return fmt.Errorf("touch: %w", err)
			}
			touched.Add(1)
			for range 3 {
				if err := c.readable(ctx, file.Object); err != nil {
					return fmt.Errorf("a file that was touched: %w", err)
				}
				time.Sleep(5 * time.Millisecond)
			}
			return nil
		}},
	})
	testenv.Report(t, "touch against evict, 12 clients for %v: %d results made, %d touched and read, %d found gone", testenv.Race(), made.Load(), touched.Load(), late.Load())
	if touched.Load() == 0 || late.Load() == 0 {
		t.Error("nothing met; the run shows nothing")
	}
	c.nothingLeft()
}
