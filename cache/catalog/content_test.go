package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"
)

// content is a publication of these rows, by a job of its own.
func content(job, key, owner, rows string) cache.Publication {
	p := publication(job, "c-"+job, key, submitted)
	p.Owner, p.File.SHA256 = owner, digestOf(rows)
	return p
}

func publish(t *testing.T, c *Catalog, p cache.Publication) (cache.Entry, bool) {
	t.Helper()
	e, kept, err := c.Publish(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return e, kept
}

func count(t *testing.T, c *Catalog, what string) (n int) {
	t.Helper()
	if err := c.pool.QueryRow(t.Context(), "SELECT count(*) FROM slashbatch."+what).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// I-02, R-045: equal content of one owner is one result with one file, whichever
// requests come to it; of two owners it is two.
func TestI02EqualContentOfOneOwner(t *testing.T) {
	c := open(t)
	first, kept := publish(t, c, content("j1", "k1", cache.OwnerShared, "rows"))
	if !kept {
		t.Error("the first file was not kept")
	}
	second, kept := publish(t, c, content("j2", "k2", cache.OwnerShared, "rows"))
	if kept || second.Result != first.Result || second.File.Object != first.File.Object || second.Key != "k2" || second.Job != "j2" {
		t.Errorf("the same rows again: %+v, kept %v; want the first file, under a name of its own", second, kept)
	}
	other, kept := publish(t, c, content("j3", "k3", cache.OwnerUser("shared"), "rows"))
	if !kept || other.Result == first.Result {
		t.Errorf("the same rows of a user called shared: result %d, kept %v; want another than %d", other.Result, kept, first.Result)
	}
	if n := count(t, c, "result"); n != 2 {
		t.Errorf("%d results, want 2", n)
	}
}

// I-03, R-011: a result is known by its rows and their columns, not by how its file
// was compressed; another length, type or name of a column is another result.
func TestI03WhatAResultIsKnownBy(t *testing.T) {
	c := open(t)
	first, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	for i, tt := range []struct {
		name   string
		change func(*cache.Publication)
		same   bool
	}{
		{"compressed otherwise", func(p *cache.Publication) { p.File.Stored, p.File.Blocks = 9, nil }, true},
		{"read from another table", func(p *cache.Publication) { p.Endpoint, p.SpecDigest = "other", "other" }, true},
		{"another length", func(p *cache.Publication) { p.File.Bytes++ }, false},
		{"other rows", func(p *cache.Publication) { p.File.SHA256 = digestOf("others") }, false},
		{"another type", func(p *cache.Publication) { p.File.Columns = []cache.Column{{Name: "id", OID: 23}} }, false},
		{"another precision", func(p *cache.Publication) { p.File.Columns = []cache.Column{{Name: "id", OID: 20, Mod: 8}} }, false},
		{"another name", func(p *cache.Publication) { p.File.Columns = []cache.Column{{Name: "no", OID: 20}} }, false},
		{"names that run into each other", func(p *cache.Publication) {
			p.File.Columns = []cache.Column{{Name: "i", OID: 20}, {Name: "d", OID: 20}}
		}, false},
	} {
		p := content(fmt.Sprint("j", i), fmt.Sprint("k", i), cache.OwnerShared, "rows")
		tt.change(&p)
		if e, kept := publish(t, c, p); (e.Result == first.Result) != tt.same || kept == tt.same {
			t.Errorf("%s: result %d (first %d), kept %v; want the same: %v", tt.name, e.Result, first.Result, kept, tt.same)
		}
	}
}

// equal content published at the same moment, by many, comes to one
// result whose one file is one of theirs; all others are told that theirs is not.
func TestR045EqualContentAtOnce(t *testing.T) {
	c := open(t)
	for round := range 20 {
		var wg sync.WaitGroup
		var mu sync.Mutex
		kept, results, objects := map[string]bool{}, map[int64]bool{}, map[string]bool{}
		for i := range 8 {
			wg.Go(func() {
				job := fmt.Sprintf("j%d-%d", round, i)
				p := content(job, "k"+job, cache.OwnerShared, fmt.Sprint("rows", round))
				e, mine, err := c.Publish(context.Background(), p)
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				results[e.Result], objects[e.File.Object] = true, true
				if mine {
					kept[p.File.Object] = true
				}
			})
		}
		wg.Wait()
		if len(kept) != 1 || len(results) != 1 || len(objects) != 1 || !objects[only(kept)] {
			t.Fatalf("kept %v, results %v, objects %v; want one of each, and the same", kept, results, objects)
		}
	}
}

func only(set map[string]bool) string {
	for one := range set {
		return one
	}
	return ""
}

// R-056…R-059: the first file of a form stands, and whoever comes later is told so.
func TestR056OneFileOfAForm(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	form := cache.Form{Format: "parquet"}
	if _, err := c.Variant(ctx, e.Result, form); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("before: %v, want ErrNotFound", err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	kept := 0
	for i := range 8 {
		wg.Go(func() {
			f, mine, err := c.PublishVariant(context.Background(), e.Result, form, cache.File{
				Object: fmt.Sprint("o", i), Stored: 5, Bytes: 5, SHA256: digestOf("p"), ContentType: "application/vnd.apache.parquet",
			})
			if err != nil || mine != (f.Object == fmt.Sprint("o", i)) {
				t.Errorf("%+v, kept %v, %v", f, mine, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if mine {
				kept++
			}
		})
	}
	wg.Wait()
	f, err := c.Variant(ctx, e.Result, form)
	if kept != 1 || err != nil || f.Rows != 2 || f.Gzipped || count(t, c, "variant") != 2 {
		t.Errorf("%d were kept; %+v, %v; want one, of 2 rows, beside the csv", kept, f, err)
	}
	if again, mine, err := c.PublishVariant(ctx, e.Result, form, f); err != nil || !mine || again.Object != f.Object {
		t.Errorf("repeated after a lost answer: %+v, kept %v, %v", again, mine, err)
	}
	if _, _, err := c.PublishVariant(ctx, e.Result+1000, form, f); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("of a result that is gone: %v, want ErrNotFound", err)
	}
	safe := cache.Form{Format: "csv", Options: "safe"}
	if _, mine, err := c.PublishVariant(ctx, e.Result, safe, cache.File{Object: "safe", SHA256: digestOf("s"), Gzipped: true}); err != nil || !mine {
		t.Errorf("csv with options is a form of its own: kept %v, %v", mine, err)
	}
}

// A process that reads from other stores only does not see the file; what it publishes
// then replaces what it cannot see, and nobody is left with half of each.
func TestFileOutOfReach(t *testing.T) {
	c, ctx := open(t), t.Context()
	first, _ := publish(t, c, content("j1", "k", cache.OwnerShared, "rows"))
	here := c.inReach()[0]
	there, _, err := c.StoreByURL(ctx, "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	c.Use(there)
	if _, err := c.ByKey(ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("in a store that is not read: %v, want ErrNotFound", err)
	}
	p := content("j2", "k", cache.OwnerShared, "rows")
	p.File.Stored = 11
	if e, kept := publish(t, c, p); !kept || e.Result != first.Result {
		t.Errorf("%+v, kept %v", e, kept)
	}
	c.Use(here, there)
	if e, err := c.ByKey(ctx, "k"); err != nil || e.File.Stored != 11 || e.File.Object != p.File.Object {
		t.Errorf("%+v, %v; want the later file", e, err)
	}
	if n := count(t, c, "removal WHERE object = '"+first.File.Object+"'"); n != 1 {
		t.Errorf("the earlier object is to be removed %d times, want once", n)
	}
}

// Of the same bytes, a file in a store that is not read stays where it is: somebody else
// may be reading it.
func TestFileOutOfReachStays(t *testing.T) {
	c, ctx := open(t), t.Context()
	first, _ := publish(t, c, content("j1", "k", cache.OwnerShared, "rows"))
	here := c.inReach()[0]
	there, _, err := c.StoreByURL(ctx, "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	c.Use(there)
	if _, kept := publish(t, c, content("j2", "k", cache.OwnerShared, "rows")); !kept {
		t.Error("a file in a store of its own was not kept")
	}
	c.Use(here)
	if e, err := c.ByKey(ctx, "k"); err != nil || e.File.Object != first.File.Object || count(t, c, "removal") != 0 {
		t.Errorf("%+v, %v; want the first file, and nothing to remove", e, err)
	}
}

// reading is noted on the name, the result and the file, at most once
// a minute, and tells when the file has gone.
func TestR100Touch(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	parquet := cache.Form{Format: "parquet"}
	long := time.Now().Add(-time.Hour)
	age := func() {
		for _, table := range []string{"result", "request", "variant"} {
			if _, err := c.pool.Exec(ctx, "UPDATE slashbatch."+table+" SET accessed = $1", long); err != nil {
				t.Fatal(err)
			}
		}
	}
	recent := func(table string) bool {
		return count(t, c, table+" WHERE accessed > now() - interval '1 minute'") == 1
	}
	age()
	for range 2 {
		if err := c.Touch(ctx, e, cache.FormCSV); err != nil {
			t.Errorf("touch: %v", err)
		}
	}
	if !recent("result") || !recent("request") || !recent("variant") {
		t.Error("an access was not noted everywhere")
	}
	if err := c.Touch(ctx, e, parquet); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a file that was never made: %v, want ErrNotFound", err)
	}
	e.Result++
	if err := c.Touch(ctx, e, cache.FormCSV); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a result that is gone: %v, want ErrNotFound", err)
	}
}

// Wishes are kept until they are granted, one of each user for each form.
func TestWishes(t *testing.T) {
	c, ctx := open(t), t.Context()
	parquet := cache.Wish{Form: cache.Form{Format: "parquet"}, User: "ann", RunningCap: 1}
	safe := cache.Wish{Form: cache.Form{Format: "csv", Options: "safe"}, User: "bob", RunningCap: 3}
	again := parquet
	again.User = "bob"
	for _, w := range []cache.Wish{parquet, safe, again, safe, parquet} {
		if err := c.Wish(ctx, "k", w); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := c.Wishes(ctx, "k"); err != nil || !slices.Equal(got, []cache.Wish{parquet, safe, again}) {
		t.Errorf("%+v, %v", got, err)
	}
	if err := c.Grant(ctx, "k"); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Wishes(ctx, "k"); err != nil || len(got) != 0 {
		t.Errorf("after they were granted: %+v, %v", got, err)
	}
}

// An object that was stored before the process wrote to another store is published where
// it is.
func TestPublishWhereItWasDrafted(t *testing.T) {
	c, ctx := open(t), t.Context()
	here := c.inReach()[0]
	there, _, err := c.StoreByURL(ctx, "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	p := content("j", "k", cache.OwnerShared, "rows")
	if err := c.Draft(ctx, p.File.Object); err != nil {
		t.Fatal(err)
	}
	c.Use(there, here)
	for range 2 {
		if _, kept := publish(t, c, p); !kept {
			t.Error("not kept")
		}
	}
	if n := count(t, c, fmt.Sprintf("location WHERE store = %d AND object = '%s'", here, p.File.Object)); n != 1 || count(t, c, "location") != 1 {
		t.Errorf("%d locations in the store where it is, %d in all", n, count(t, c, "location"))
	}
}
