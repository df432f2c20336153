package catalog

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/testenv"
)

// Everything at once on a few rows: nothing waits for each other, and nothing fails but by
// what others took away.
func TestEverythingAtOnce(t *testing.T) {
	c := open(t)
	two, _, err := c.StoreByURL(t.Context(), "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	c.Use(1, two)
	ctx := t.Context()
	end := time.Now().Add(testenv.Race())
	var n, calls atomic.Int64
	r := cache.Retention{Grace: time.Millisecond, Results: time.Millisecond, Runs: time.Millisecond, MaxBytes: 50}
	ext := Extent{Until: time.Now().Add(time.Hour), Pinned: true}
	some := func() (cache.Entry, error) { return c.ByKey(ctx, fmt.Sprint("key", rand.IntN(6))) }
	pq := cache.Form{Format: "parquet"}
	ops := map[string]func() error{
		"publish": func() error {
			i := n.Add(1)
			p := publication(fmt.Sprint("job", i), "c", fmt.Sprint("key", rand.IntN(6)), time.Now())
			p.File.SHA256 = digestOf(fmt.Sprint(rand.IntN(5)))
			_, _, err := c.Publish(ctx, p)
			return err
		},
		"variant": func() error {
			e, err := some()
			if err == nil {
				_, _, err = c.PublishVariant(ctx, e.Result, pq, cache.File{Object: fmt.Sprint("v", n.Add(1)), Stored: 1, SHA256: digestOf("p"), ContentType: "x"})
			}
			return err
		},
		"touch": func() error {
			e, err := some()
			if err == nil {
				err = c.Touch(ctx, e, cache.FormCSV)
			}
			return err
		},
		"missing": func() error {
			e, err := some()
			if err == nil {
				err = c.Missing(ctx, e.File.Object)
			}
			return err
		},
		"mint": func() error {
			e, err := some()
			if err == nil {
				name := fmt.Sprint("a", n.Add(1))
				a := cache.Alias{Name: name, Result: e.Result, Token: sha256.Sum256(nil), FileName: "x", Generated: time.Now(), TTL: time.Millisecond}
				if err = c.Mint(ctx, a); err == nil {
					err = c.DropAlias(ctx, name, sha256.Sum256(nil))
				}
			}
			return err
		},
		"drop":  func() error { return c.DropRequest(ctx, fmt.Sprint("key", rand.IntN(6))) },
		"clear": func() error { _, _, err := c.ClearRequests(ctx, ext, "", 10); return err },
		"purge": func() error {
			e, err := some()
			if err == nil {
				_, _, err = c.Purge(ctx, e.Result)
			}
			return err
		},
		"expire": func() error { _, err := c.Expire(ctx, r); return err },
		"age": func() error {
			for _, sql := range []string{`UPDATE slashbatch.result SET accessed = now() - interval '1 hour' WHERE id = $1`, `UPDATE slashbatch.request SET accessed = now() - interval '1 hour', expires = now() WHERE result = $1`, `UPDATE slashbatch.variant SET accessed = now() - interval '1 hour' WHERE result = $1`} {
				e, err := some()
				if err != nil {
					return err
				}
				if err := c.exec(ctx, "age", sql, e.Result); err != nil {
					return err
				}
			}
			return nil
		},
		"evict": func() error { _, err := c.Evict(ctx, r); return err },
		"copy": func() error {
			list, err := c.ToCopy(ctx, 1, two, 0, 10)
			for _, f := range list {
				ok, err := c.Intend(ctx, f, 1, two)
				if err != nil {
					return err
				}
				if ok {
					if _, err := c.Landed(ctx, f, two); err != nil {
						return err
					}
				}
			}
			return err
		},
		"abandon": func() error { _, err := c.Abandon(ctx, 0); return err },
		"mark": func() error {
			list, err := c.Locations(ctx, 1, "results/", "", 10)
			var names []string
			for _, l := range list {
				names = append(names, l.Object)
			}
			if err == nil && rand.IntN(3) == 0 {
				_, err = c.MarkMissing(ctx, 1, names, time.Now())
			}
			return err
		},
		"remove": func() error {
			_, err := c.Remove(ctx, 1, func(context.Context, string) error { return nil }, func(context.Context) bool { return true })
			return err
		},
	}
	var wg sync.WaitGroup
	for name, op := range ops {
		wg.Go(func() {
			for time.Now().Before(end) {
				err := op()
				calls.Add(1)
				if err != nil && !errors.Is(err, cache.ErrNotFound) {
					t.Errorf("%s: %v", name, err)
					return
				}
			}
		})
	}
	wg.Wait()
	testenv.Report(t, "everything at once on a few results for %v: %d calls, no error", testenv.Race(), calls.Load())
}
