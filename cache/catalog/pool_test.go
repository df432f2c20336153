package catalog

import (
	"context"
	"fmt"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/pg"
	"slashbatch/internal/pgtest"
)

// I-22: with a pool of one connection all upkeep comes to its end: nothing asks for a
// second one while it holds the first.
func TestI22PoolOfOne(t *testing.T) {
	pool, err := pg.Open(pgtest.New(t), "slashbatch test", 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	c := &Catalog{pool: pool}
	c.Use()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if _, err := c.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	stores := make([]upkeep.Store, 2)
	for i := range stores {
		s, err := filestore.Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		url := fmt.Sprint("file:///", i)
		registered, err := upkeep.Register(ctx, c, s, url)
		if err != nil {
			t.Fatal(err)
		}
		stores[i] = upkeep.Store{Store: s, ID: registered.ID, URL: url}
	}
	c.Use(stores[0].ID)
	const rows = "id\n1\n"
	for i := range 20 {
		p := content(fmt.Sprint("j", i), fmt.Sprint("k", i), cache.OwnerShared, rows)
		p.Owner = cache.OwnerUser(fmt.Sprint("user", i))
		p.File.Stored, p.File.Bytes = int64(len(rows)), int64(len(rows))
		w, err := stores[0].Create(ctx, p.File.Object, cache.ObjectOptions{})
		if err == nil {
			_, _ = w.Write([]byte(rows))
			_, err = w.Commit(ctx)
		}
		if err != nil {
			t.Fatal(err)
		}
		publish(t, c, p)
	}
	change(t, c, `UPDATE slashbatch.variant SET gzipped = false`)
	change(t, c, `UPDATE slashbatch.location SET verified = now() - interval '1 hour'`)
	change(t, c, `UPDATE slashbatch.request SET expires = now() WHERE key < 'k13'`)
	change(t, c, `UPDATE slashbatch.result r SET accessed = now() - interval '1 year' FROM slashbatch.request q WHERE q.result = r.id AND q.key < 'k13'`)

	freed, removed, err := upkeep.Tidy(ctx, c, stores, cache.Retention{Grace: time.Hour, Results: time.Hour, Runs: time.Hour, MaxBytes: 1 << 20})
	if err != nil || freed.Results() == 0 || removed.Objects != freed.Results() {
		t.Fatalf("tidied %+v %+v, %v", freed, removed, err)
	}
	left := 20 - freed.Results()
	if _, err := upkeep.SweepTemps(ctx, c, stores, time.Hour); err != nil {
		t.Fatal(err)
	}
	if r, err := upkeep.Walk(ctx, c, stores[0], time.Hour); err != nil || r.Files != left {
		t.Fatalf("walked over %+v, %v", r, err)
	}
	if r, err := upkeep.Copy(ctx, c, stores[0], stores[1], upkeep.CopyOptions{}); err != nil || r.Copied != left {
		t.Fatalf("copied %+v, %v", r, err)
	}
	if r, err := upkeep.Verify(ctx, c, stores[0], upkeep.VerifyOptions{}); err != nil || r.Files != left {
		t.Fatalf("verified %+v, %v", r, err)
	}
	if n, err := upkeep.Retire(ctx, c, stores[0], stores[1:]); err != nil || n != left {
		t.Fatalf("retired %d, %v", n, err)
	}
}
