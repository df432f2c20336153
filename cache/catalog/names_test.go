package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
)

// named is a result of two requests, two aliases and two files.
func named(t *testing.T, c *Catalog, prefix string) cache.Entry {
	t.Helper()
	e, _ := publish(t, c, content(prefix+"j1", prefix+"k1", cache.OwnerShared, prefix))
	publish(t, c, content(prefix+"j2", prefix+"k2", cache.OwnerShared, prefix))
	file := publication("", "", "", submitted).File
	file.Object = "results/" + prefix + "parquet"
	if _, _, err := c.PublishVariant(t.Context(), e.Result, cache.Form{Format: "parquet"}, file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a1", "a2"} {
		if err := c.Mint(t.Context(), alias(prefix+name, e.Result, "secret")); err != nil {
			t.Fatal(err)
		}
	}
	return e
}

func wantGone(t *testing.T, err error, what string) {
	t.Helper()
	if !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("%s: %v, want ErrNotFound", what, err)
	}
}

func TestFind(t *testing.T) {
	c := open(t)
	e := named(t, c, "x")
	// A key that is a number is found by its number only where no result has it.
	publish(t, c, content("j9", "4711", cache.OwnerShared, "others"))
	publish(t, c, content("j8", fmt.Sprint(e.Result), cache.OwnerShared, "yet others"))
	for word, want := range map[string]Name{
		fmt.Sprint(e.Result): {Result: e.Result},
		"xk2":                {Result: e.Result, Key: "xk2"},
		"xa1":                {Result: e.Result, Alias: "xa1"},
		"4711":               {Result: e.Result + 1, Key: "4711"},
	} {
		got, err := c.Find(t.Context(), word)
		if want.Key == "4711" {
			want.Result = got.Result
		}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", word, got, err, want)
		}
	}
	for _, word := range []string{"", "0", "-1", "99", "99999999999999999999", "xk3", "x"} {
		_, err := c.Find(t.Context(), word)
		wantGone(t, err, word)
	}
}

// I-06: a name that goes takes nothing else with it, and the last one neither: what is
// left is for the collector, after the grace.
func TestI06OneNameGoes(t *testing.T) {
	c, ctx := open(t), t.Context()
	e := named(t, c, "x")
	if _, err := c.pool.Exec(ctx, `UPDATE slashbatch.result SET accessed = now() - interval '1 year'`); err != nil {
		t.Fatal(err)
	}
	lives := map[string]func() error{
		"xk1": func() error { _, err := c.ByKey(ctx, "xk1"); return err },
		"xk2": func() error { _, err := c.ByKey(ctx, "xk2"); return err },
		"xa1": func() error { _, err := c.ByAlias(ctx, "xa1"); return err },
		"xa2": func() error { _, err := c.ByAlias(ctx, "xa2"); return err },
	}
	for _, drop := range []struct {
		name string
		do   func(context.Context, string) error
	}{{"xk1", c.DropRequest}, {"xa1", c.RemoveAlias}, {"xk2", c.DropRequest}, {"xa2", c.RemoveAlias}} {
		if err := drop.do(ctx, drop.name); err != nil {
			t.Fatal(err)
		}
		wantGone(t, lives[drop.name](), drop.name)
		delete(lives, drop.name)
		for name, look := range lives {
			if err := look(); err != nil {
				t.Errorf("%s went with %s: %v", name, drop.name, err)
			}
		}
		wantGone(t, drop.do(ctx, drop.name), drop.name+" again")
	}
	d, err := c.Details(ctx, e.Result)
	if err != nil || len(d.Files) != 2 || time.Since(d.Accessed) > time.Hour {
		t.Errorf("the result: %+v, %v; want it whole, and safe for the grace from now on", d, err)
	}
}

// Removing a name while it is being read and published again neither fails nor removes
// what is newer by mistake.
func TestDropWhileInUse(t *testing.T) {
	c := open(t)
	first, _ := publish(t, c, content("j0", "k", cache.OwnerShared, "rows0"))
	latest := func() cache.Entry {
		if e, err := c.ByKey(context.Background(), "k"); err == nil {
			return e
		}
		return first
	}
	stop := make(chan struct{})
	var readers, publishers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				// As if the last access was long ago, so that the rows do change.
				e := latest()
				for table, of := range map[string]any{"result WHERE id = $1": e.Result, "request WHERE key = $1": "k"} {
					if err := c.exec(context.Background(), "age", `UPDATE slashbatch.`+strings.Replace(table, " ", " SET accessed = 'epoch' ", 1), of); err != nil {
						t.Error(err)
					}
				}
				if err := c.Touch(context.Background(), e, cache.FormCSV); err != nil && !errors.Is(err, cache.ErrNotFound) {
					t.Error(err)
				}
			}
		})
	}
	for i := 1; i <= 60; i++ {
		p := content(fmt.Sprint("j", i), "k", cache.OwnerShared, fmt.Sprint("rows", i))
		p.Submitted = submitted.Add(time.Duration(i) * time.Second)
		publishers.Go(func() {
			if _, _, err := c.Publish(context.Background(), p); err != nil {
				t.Error(err)
			}
		})
		for range 3 {
			publishers.Go(func() {
				if err := c.DropRequest(context.Background(), "k"); err != nil && !errors.Is(err, cache.ErrNotFound) {
					t.Error(err)
				}
			})
		}
		publishers.Wait()
	}
	close(stop)
	readers.Wait()
}

func TestNow(t *testing.T) {
	c, ctx := open(t), t.Context()
	now, first, err := c.Now(ctx, "k")
	if err != nil || time.Since(now).Abs() > time.Hour || !first.Equal(now) {
		t.Errorf("now is %v, to be submitted at %v, %v", now, first, err)
	}
	// A queue whose clock is ahead.
	publish(t, c, publication("j", "c", "k", now.Add(24*time.Hour)))
	then, later, err := c.Now(ctx, "k")
	if err != nil || !later.Equal(now.Add(24*time.Hour)) || then.Sub(now) > time.Hour {
		t.Errorf("now is %v, to be submitted at %v, %v; want the submission of what is there", then, later, err)
	}
	p := content("j2", "k", cache.OwnerShared, "by hand")
	p.Submitted = later
	publish(t, c, p)
	if e, err := c.ByKey(ctx, "k"); err != nil || e.Job != "j2" {
		t.Errorf("the key is answered by %s, %v", e.Job, err)
	}
}

func TestDetails(t *testing.T) {
	c, ctx := open(t), t.Context()
	p := content("j", "k", cache.OwnerUser("alice"), "rows")
	p.Pinned = true
	p.File.Columns = []cache.Column{{Name: "id", OID: 20}, {Name: "mass", OID: 1700, Mod: 655366}, {Name: "kind", OID: 16500}, {Name: "tags", OID: 1009}}
	e, _ := publish(t, c, p)
	other, _, err := c.StoreByURL(ctx, "s3://bucket/other")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(ctx, `INSERT INTO slashbatch.location (variant, store, object, state) SELECT variant, $1, object, 'copying' FROM slashbatch.location`, other); err != nil {
		t.Fatal(err)
	}
	file := p.File
	file.Object, file.Blocks = "results/x.parquet", nil
	if _, _, err := c.PublishVariant(ctx, e.Result, cache.Form{Format: "parquet"}, file); err != nil {
		t.Fatal(err)
	}
	if err := c.Mint(ctx, alias("a", e.Result, "secret")); err != nil {
		t.Fatal(err)
	}
	d, err := c.Details(ctx, e.Result)
	if err != nil {
		t.Fatal(err)
	}
	want := []TypedColumn{
		{cache.Column{Name: "id", OID: 20}, "bigint"},
		{cache.Column{Name: "mass", OID: 1700, Mod: 655366}, "numeric(10,2)"},
		{cache.Column{Name: "kind", OID: 16500}, ""}, // whatever has this id here
		{cache.Column{Name: "tags", OID: 1009}, "text[]"},
	}
	if diff := cmp.Diff(want, d.Columns); diff != "" {
		t.Error(diff)
	}
	if len(d.Files) != 2 || d.Files[0].Form != cache.FormCSV || d.Files[1].Form.Format != "parquet" {
		t.Fatalf("files %+v", d.Files)
	}
	csv := d.Files[0]
	if csv.Blocks != 2 || csv.SHA256 != p.File.SHA256 || csv.Stored != 10 || csv.Bytes != 20 || !csv.Gzipped || d.Files[1].Blocks != 0 {
		t.Errorf("files %+v", d.Files)
	}
	var where []string
	for _, l := range csv.Locations {
		where = append(where, l.Store+" "+l.Object+" "+l.State)
	}
	if diff := cmp.Diff([]string{"file:///one results/j.c-j live", "s3://bucket/other results/j.c-j copying"}, where); diff != "" {
		t.Error(diff)
	}
	digest := cache.ContentDigest("user:alice", p.File.Columns, p.File.SHA256)
	if d.Digest != fmt.Sprintf("%x", digest) || d.Owner != "user:alice" || d.Rows != 2 || d.Bytes != 20 {
		t.Errorf("%+v", d)
	}
	if r := d.Requests; len(r) != 1 || d.RequestCount != 1 || r[0].Key != "k" || r[0].Job != "j" || r[0].User != "alice" || r[0].Endpoint != "packages" || !r[0].Pinned || !r[0].Valid {
		t.Errorf("requests %+v", r)
	}
	if a := d.Aliases; len(a) != 1 || d.AliasCount != 1 || a[0].Name != "a" || !a[0].Valid {
		t.Errorf("aliases %+v", a)
	}
	_, err = c.Details(ctx, e.Result+1)
	wantGone(t, err, "another id")
}

// a purge takes the result with all its names and files, at once or not at
// all, says what went, and leaves the files to the sweeper.
func TestR041Purge(t *testing.T) {
	c, ctx := open(t), t.Context()
	e := named(t, c, "x")
	other := named(t, c, "y")
	var moved int64
	if err := c.pool.QueryRow(ctx, `INSERT INTO slashbatch.store (url) VALUES ('s3://b/p') RETURNING id`).Scan(&moved); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(ctx, `
		INSERT INTO slashbatch.location (variant, store, object, state)
		SELECT v.id, $1, l.object, 'missing' FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id WHERE v.result = $2 AND v.format = 'csv'`,
		moved, e.Result); err != nil {
		t.Fatal(err)
	}
	gone, found, err := c.Purge(ctx, e.Result)
	want := Purged{ID: e.Result, Owner: "shared", Keys: []string{"xk1", "xk2"}, Aliases: []string{"xa1", "xa2"}, Objects: 3}
	if diff := cmp.Diff(want, gone); diff != "" || !found || err != nil {
		t.Errorf("%v %v -want +got: %s", found, err, diff)
	}
	for _, name := range []string{"xk1", "xk2", "xa1", "xa2"} {
		_, err := c.Find(ctx, name)
		wantGone(t, err, name)
	}
	_, err = c.ByJob(ctx, "xj1")
	wantGone(t, err, "the job")
	_, err = c.Variant(ctx, e.Result, cache.Form{Format: "parquet"})
	wantGone(t, err, "the other file")
	rows, err := c.pool.Query(ctx, `SELECT s.url || ' ' || object FROM slashbatch.removal r JOIN slashbatch.store s ON s.id = r.store ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	var objects []string
	for rows.Next() {
		var o string
		if err := rows.Scan(&o); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o)
	}
	if diff := cmp.Diff([]string{"file:///one results/xj1.c-xj1", "file:///one results/xparquet", "s3://b/p results/xj1.c-xj1"}, objects); diff != "" || rows.Err() != nil {
		t.Errorf("%v to be removed: %s", rows.Err(), diff)
	}
	if d, err := c.Details(ctx, other.Result); err != nil || len(d.Requests) != 2 || len(d.Aliases) != 2 || len(d.Files) != 2 {
		t.Errorf("another result: %+v, %v", d, err)
	}

	// what is not there is purged already.
	if again, found, err := c.Purge(ctx, e.Result); found || err != nil {
		t.Errorf("again: %+v, %v, %v", again, found, err)
	}
	// The same rows may come again.
	if e, kept := publish(t, c, content("j9", "xk1", cache.OwnerShared, "x")); !kept || e.Result == want.ID {
		t.Errorf("published again: %+v, kept %v", e, kept)
	}
}

// when one of its statements fails, a purge has done nothing.
func TestR027PurgeIsOneTransaction(t *testing.T) {
	c, ctx := open(t), t.Context()
	e := named(t, c, "x")
	// Something else holds the result, so that the last statement fails.
	if _, err := c.pool.Exec(ctx, `CREATE TABLE slashbatch.holder (result bigint REFERENCES slashbatch.result)`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(ctx, `INSERT INTO slashbatch.holder VALUES ($1)`, e.Result); err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.Purge(ctx, e.Result); err == nil || found {
		t.Errorf("purged what cannot go: %v, %v", found, err)
	}
	if d, err := c.Details(ctx, e.Result); err != nil || len(d.Requests) != 2 || len(d.Aliases) != 2 || len(d.Files) != 2 || count(t, c, "removal") != 0 || count(t, c, "run") != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

// I-05: a result that is purged while names come to it: each of them ends either with
// the result whole, or told that it is gone; nothing is left in between.
func TestI05PurgeWhileNamesCome(t *testing.T) {
	c := open(t)
	for round := range 25 {
		rows := fmt.Sprint("rows", round)
		e, _ := publish(t, c, content(fmt.Sprint("j", round), fmt.Sprint("k", round), cache.OwnerShared, rows))
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				a := alias(fmt.Sprintf("a%d-%d", round, i), e.Result, "secret")
				switch err := c.Mint(context.Background(), a); {
				case errors.Is(err, cache.ErrNotFound):
				case err != nil:
					t.Error(err)
				}
			})
			all.Go(func() {
				p := content(fmt.Sprintf("j%d-%d", round, i), fmt.Sprintf("k%d-%d", round, i), cache.OwnerShared, rows)
				if _, _, err := c.Publish(context.Background(), p); err != nil {
					t.Error(err)
				}
			})
		}
		all.Go(func() {
			if _, _, err := c.Purge(context.Background(), e.Result); err != nil {
				t.Error(err)
			}
		})
		all.Wait()
	}
	for what, sql := range map[string]string{
		"results without a csv":        `SELECT count(*) FROM slashbatch.result r WHERE NOT EXISTS (SELECT FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id WHERE v.result = r.id)`,
		"live files that will be gone": `SELECT count(*) FROM slashbatch.removal r JOIN slashbatch.location l USING (store, object)`,
	} {
		var n int
		if err := c.pool.QueryRow(t.Context(), sql).Scan(&n); err != nil || n != 0 {
			t.Errorf("%d %s (%v)", n, what, err)
		}
	}
}

func TestClear(t *testing.T) {
	ctx := t.Context()
	// Requests a0 … a4 of one endpoint, of which a3 is pinned and a4 shares its result with
	// b0 of another; c0 of a SQL job, b1 alone with an alias.
	fill := func(t *testing.T) *Catalog {
		c := open(t)
		for i := range 5 {
			p := content(fmt.Sprint("ja", i), fmt.Sprint("a", i), cache.OwnerShared, fmt.Sprint("rows", i))
			p.Pinned = i == 3
			publish(t, c, p)
		}
		shared, alone, sql := content("jb0", "b0", cache.OwnerShared, "rows4"), content("jb1", "b1", cache.OwnerShared, "alone"), content("jc", "c0", cache.OwnerUser("bob"), "sql")
		shared.Endpoint, alone.Endpoint, sql.Endpoint, sql.Unique = "b", "b", "", true
		publish(t, c, shared)
		publish(t, c, sql)
		e, _ := publish(t, c, alone)
		if err := c.Mint(ctx, alias("alias", e.Result, "secret")); err != nil {
			t.Fatal(err)
		}
		return c
	}
	for _, tt := range []struct {
		about, endpoint string
		pinned          bool
		want            Extent
		keys, purged    []string // left
	}{
		{"all", "", false, Extent{Requests: 7, Unique: 1, PinnedRequests: 1, Results: 6, Aliases: 1}, []string{"a3"}, []string{"a3"}},
		{"all, pinned too", "", true, Extent{Requests: 8, Unique: 1, PinnedRequests: 1, Results: 7, Aliases: 1}, nil, nil},
		{"one endpoint", "b", false, Extent{Requests: 2, Results: 2, Aliases: 1}, []string{"a0", "a1", "a2", "a3", "a4", "c0"}, []string{"a0", "a1", "a2", "a3", "c0"}},
		{"another", "packages", false, Extent{Requests: 4, PinnedRequests: 1, Results: 4}, []string{"a3", "b0", "b1", "c0"}, []string{"a3", "b1", "c0"}},
		{"another, pinned too", "packages", true, Extent{Requests: 5, PinnedRequests: 1, Results: 5}, []string{"b0", "b1", "c0"}, []string{"b1", "c0"}},
		{"none", "none", true, Extent{}, []string{"a0", "a1", "a2", "a3", "a4", "b0", "b1", "c0"}, []string{"a0", "a1", "a2", "a3", "a4", "b0", "b1", "c0"}},
	} {
		t.Run(tt.about, func(t *testing.T) {
			t.Parallel()
			c := fill(t)
			extent, err := c.Count(ctx, tt.endpoint, tt.pinned)
			if err != nil || extent.Until.IsZero() {
				t.Fatal(extent, err)
			}
			tt.want.Endpoint, tt.want.Pinned, tt.want.Until = tt.endpoint, tt.pinned, extent.Until
			if diff := cmp.Diff(tt.want, extent); diff != "" {
				t.Errorf("-want +got: %s", diff)
			}
			// What comes now is not meant.
			publish(t, c, content("jd", "d", cache.OwnerShared, "later"))
			cleared, last := 0, ""
			for {
				n, next, err := c.ClearRequests(ctx, extent, last, 2)
				if err != nil || n > 2 {
					t.Fatal(n, err)
				}
				cleared += n
				if last = next; last == "" {
					break
				}
			}
			if got := keysOf(t, c); cleared != tt.want.Requests || !slices.Equal(got, append(slices.Clone(tt.keys), "d")) {
				t.Errorf("%d cleared, left are %v", cleared, got)
			}
			if n := count(t, c, "result"); n != 8 {
				t.Errorf("%d results are left of 8; names go, not results", n)
			}

			c = fill(t)
			if extent, err = c.Count(ctx, tt.endpoint, tt.pinned); err != nil {
				t.Fatal(err)
			}
			publish(t, c, content("jd", "d", cache.OwnerShared, "later"))
			purged, at := 0, int64(0)
			for {
				gone, next, err := c.PurgeNext(ctx, extent, at, 2)
				if err != nil || len(gone) > 2 {
					t.Fatal(gone, err)
				}
				purged += len(gone)
				if at = next; at == 0 {
					break
				}
			}
			if got := keysOf(t, c); purged != tt.want.Results || !slices.Equal(got, append(slices.Clone(tt.purged), "d")) {
				t.Errorf("%d purged, left are %v", purged, got)
			}
			if n := count(t, c, "result"); n != 8-purged {
				t.Errorf("%d results are left of 8", n)
			}
		})
	}
}

func keysOf(t *testing.T, c *Catalog) []string {
	t.Helper()
	var keys []string
	if err := c.pool.QueryRow(t.Context(), `SELECT coalesce(array_agg(key ORDER BY key), '{}') FROM slashbatch.request`).Scan(&keys); err != nil {
		t.Fatal(err)
	}
	// "d" last, as the test has it.
	return keys
}
