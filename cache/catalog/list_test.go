package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
)

// fill makes results by hand: cheaper than publishing, and with any times. It returns
// their ids in the order of lists.
func fill(t *testing.T, c *Catalog, created ...string) []int64 {
	t.Helper()
	type row struct {
		id int64
		at time.Time
	}
	var rows []row
	for i, at := range created {
		var r row
		if err := c.pool.QueryRow(t.Context(), `
			INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns, created)
			VALUES ('shared', sha256(convert_to($1, 'UTF8')), 1, 1, '[]', $2) RETURNING id, created`, fmt.Sprint(t.Name(), i, rand.Int64()), at).Scan(&r.id, &r.at); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b row) int {
		if n := b.at.Compare(a.at); n != 0 {
			return n
		}
		return int(b.id - a.id)
	})
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r.id)
	}
	return ids
}

func idsOf(page Page) []int64 {
	var ids []int64
	for _, l := range page.Results {
		ids = append(ids, l.ID)
	}
	return ids
}

func pageOf(t *testing.T, c *Catalog, f Filter, n int) Page {
	t.Helper()
	page, err := c.List(t.Context(), f, n)
	if err != nil {
		t.Fatal(err)
	}
	return page
}

// R-016 … R-020: newest first, equal times by id; each row once on the way down, and on
// the way up again; the ends of the list know that they are.
func TestR016Pages(t *testing.T) {
	c := open(t)
	if page := pageOf(t, c, Filter{}, 3); len(page.Results) > 0 || !page.Next.IsZero() || !page.Prev.IsZero() {
		t.Errorf("nothing is listed as %+v", page)
	}
	same := "2026-03-01 12:00:00.000001"
	all := fill(t, c, "2026-03-01 11:00", same, same, "2026-03-01 12:00:00", same, same, "2026-03-02", "2026-03-01 12:00:00.000002")
	for n := 1; n <= len(all)+1; n++ {
		var down, up []int64
		page := pageOf(t, c, Filter{}, n)
		if !page.Prev.IsZero() {
			t.Errorf("%d a page: the first page has one before it", n)
		}
		for {
			if got := len(page.Results); got != min(n, len(all)-len(down)) {
				t.Errorf("%d a page: %d results after %d", n, got, len(down))
			}
			down = append(down, idsOf(page)...)
			if page.Next.IsZero() {
				break
			}
			page = pageOf(t, c, Filter{After: reread(t, page.Next)}, n)
			if page.Prev.IsZero() {
				t.Errorf("%d a page: a page behind another has none before it", n)
			}
		}
		if diff := cmp.Diff(all, down); diff != "" {
			t.Errorf("%d a page, going on: %s", n, diff)
		}
		up = idsOf(page)
		for !page.Prev.IsZero() {
			page = pageOf(t, c, Filter{Before: reread(t, page.Prev)}, n)
			up = append(idsOf(page), up...)
			if page.Next.IsZero() {
				t.Errorf("%d a page: a page before another has none behind it", n)
			}
		}
		if diff := cmp.Diff(all, up); diff != "" {
			t.Errorf("%d a page, going back: %s", n, diff)
		}
	}
}

// reread is the cursor as it comes back from outside.
func reread(t *testing.T, c Cursor) Cursor {
	t.Helper()
	again, err := ParseCursor(c.String())
	if err != nil || again.id != c.id || !again.created.Equal(c.created) {
		t.Fatalf("%q is read as %v, %v", c, again, err)
	}
	return again
}

// a date is a place in the list, too: behind it is what is strictly older.
func TestR021FromADate(t *testing.T) {
	c := open(t)
	all := fill(t, c, "2026-03-01", "2026-03-01 00:00:00.000001", "2026-02-28 23:59:59.999999", "2026-03-02")
	for text, want := range map[string][]int64{
		"2026-03-01":                  all[3:],
		"2026-03-01T00:00:00Z":        all[3:],
		"2026-03-01T01:00:00+01:00":   all[3:],
		"2026-03-01T00:00:00.000001Z": all[2:],
		"2026-03-03":                  all,
		"2026-02-01":                  nil,
	} {
		cursor, err := ParseCursor(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		page := pageOf(t, c, Filter{After: cursor}, 10)
		if got := idsOf(page); !slices.Equal(got, want) {
			t.Errorf("before %s: %v, want %v", text, got, want)
		}
		if page.Prev.IsZero() != (len(want) == len(all)) {
			t.Errorf("before %s: prev is %q", text, page.Prev)
		}
		if !page.Prev.IsZero() { // together they are all
			newer := idsOf(pageOf(t, c, Filter{Before: reread(t, page.Prev)}, 10))
			if got := append(newer, want...); !slices.Equal(got, all) {
				t.Errorf("from %s both ways: %v, want %v", text, got, all)
			}
		}
	}
}

// what is no cursor is refused, and never taken for the first page.
func TestR024MalformedCursor(t *testing.T) {
	for _, text := range []string{
		"", "_", "17", "2026-03-01T00:00:00.000000Z", "2026-03-01T00:00:00.000000Z_17",
		"2026-03-01_17", "2026-03-01T00:00:00Z_17", "2026-03-01T00:00:00.000000Z_", "2026-03-01T00:00:00.000000Z_-1", "2026-03-01T00:00:00.000000Z_+1",
		"2026-03-01T00:00:00.000000Z_9223372036854775808", "2026-03-01T00:00:00.000000Z_017", "2026-03-01T00:00:00.000000Z_1 ", "2026-03-01T00:00:00.0000001Z_1",
		"2026-02-30", "0000-01-01", "yesterday", "2026-03-01T00:00:00.000000Z_1'; DROP TABLE slashbatch.result; --",
	} {
		_, err := ParseCursor(text)
		good := text == "2026-03-01T00:00:00.000000Z" || text == "2026-03-01T00:00:00.000000Z_17"
		if good == errors.Is(err, ErrCursor) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// no page is longer than MostListed, whatever is asked for; and the last
// page costs what the first one does.
func TestR026DeepPage(t *testing.T) {
	c := open(t)
	if _, err := c.pool.Exec(t.Context(), `
		INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns, created)
		SELECT 'shared', sha256(int4send(n)), 1, 1, '[]', '2026-01-01'::timestamptz + n / 7 * interval '1 minute' FROM generate_series(1, 30000) n`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(t.Context(), `ANALYZE slashbatch.result, slashbatch.request, slashbatch.alias, slashbatch.variant`); err != nil {
		t.Fatal(err)
	}
	if page := pageOf(t, c, Filter{}, 10_000_000); len(page.Results) != MostListed || page.Next.IsZero() {
		t.Errorf("%d results on a page, next %q", len(page.Results), page.Next)
	}
	first := blocksRead(t, c, listOlder, "infinity", 0)
	deep := blocksRead(t, c, listOlder, "2026-01-01T00:10:00.000000Z", 12)
	back := blocksRead(t, c, listNewer, "2026-01-01T00:10:00.000000Z", 12)
	if first == 0 || deep > first*3/2 || back > first*3/2 {
		t.Errorf("a page reads %d blocks at the top, %d at the bottom, %d upwards from there", first, deep, back)
	}
}

// blocksRead is how many blocks a page of 50 takes.
func blocksRead(t *testing.T, c *Catalog, sql, at string, id int64) int {
	t.Helper()
	var plans []struct {
		Plan struct {
			Hit  int `json:"Shared Hit Blocks"`
			Read int `json:"Shared Read Blocks"`
		}
	}
	var text string
	if err := c.pool.QueryRow(t.Context(), `EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) `+sql, "", "", at, id, 51).Scan(&text); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &plans); err != nil {
		t.Fatal(err)
	}
	return plans[0].Plan.Hit + plans[0].Plan.Read
}

// I-16: who pages through a list meets everything that is there all the while exactly
// once, however many have the same time, and whatever comes and goes meanwhile: the very
// result at which a page ended, too.
func TestI16PagingWhileThingsComeAndGo(t *testing.T) {
	c := open(t)
	var times []string
	for i := range 120 {
		times = append(times, fmt.Sprintf("2026-03-01 12:%02d", i/17))
	}
	all := fill(t, c, times...)
	staying := map[int64]int{}
	going := make(chan int64, len(all))
	for i, id := range all {
		if i%3 == 0 {
			staying[id] = 0
		} else {
			going <- id
		}
	}
	close(going)
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() { // new ones, above, between and below
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := c.pool.Exec(t.Context(), `
				INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns, created)
				VALUES ('shared', sha256($1), 1, 1, '[]', '2026-03-01 12:00'::timestamptz + $2 * interval '1 second')`,
				fmt.Append(nil, "new", i), i%500-30); err != nil {
				t.Error(err)
				return
			}
		}
	})
	others.Go(func() { // any, in no order
		for id := range going {
			if _, _, err := c.Purge(t.Context(), id); err != nil {
				t.Error(err)
				return
			}
		}
	})
	seen := map[int64]bool{}
	filter := Filter{}
	for {
		page := pageOf(t, c, filter, 7)
		for _, l := range page.Results {
			if seen[l.ID] {
				t.Errorf("%d is listed twice", l.ID)
			}
			seen[l.ID] = true
			if _, ok := staying[l.ID]; ok {
				staying[l.ID]++
			}
		}
		if page.Next.IsZero() {
			break
		}
		// The cursor's own row goes, unless it is one of those that stay.
		if last := page.Results[len(page.Results)-1].ID; !has(staying, last) {
			if _, _, err := c.Purge(t.Context(), last); err != nil {
				t.Fatal(err)
			}
		}
		filter.After = reread(t, page.Next)
	}
	close(stop)
	others.Wait()
	for id, n := range staying {
		if n != 1 {
			t.Errorf("%d was there all the while and is listed %d times", id, n)
		}
	}
}

func has(set map[int64]int, id int64) bool {
	_, ok := set[id]
	return ok
}

// what a list says of a result, which is made once and keeps its time and
// place however many names come to it.
func TestR012WhatIsListed(t *testing.T) {
	c, ctx := open(t), t.Context()
	p := content("j1", "k1", cache.OwnerShared, "rows")
	first, _ := publish(t, c, p)
	one := pageOf(t, c, Filter{}, 5).Results[0]
	want := Listed{
		ID: first.Result, Owner: "shared", Rows: 2, Bytes: 20, Stored: 10, Forms: []string{"csv"},
		Requests: 1, Key: "k1", Endpoint: "packages", Created: one.Created, Accessed: one.Accessed, Generated: p.Generated, Expires: p.Generated.Add(time.Hour),
	}
	if diff := cmp.Diff(want, one); diff != "" {
		t.Errorf("-want +got: %s", diff)
	}
	if one.Created.IsZero() || one.Accessed.IsZero() {
		t.Errorf("created %v, accessed %v", one.Created, one.Accessed)
	}

	again := content("j2", "k2", cache.OwnerShared, "rows")
	again.Endpoint, again.Pinned = "others", true
	publish(t, c, again)
	for i, form := range []cache.Form{{Format: "parquet"}, {Format: "csv", Options: "bom"}} {
		file := p.File
		file.Object, file.Stored = "results/variant"+strconv.Itoa(i), 7
		if _, _, err := c.PublishVariant(ctx, first.Result, form, file); err != nil {
			t.Fatal(err)
		}
	}
	for _, ttl := range []time.Duration{-time.Hour, 100 * time.Hour} {
		a := alias(fmt.Sprint("a", ttl), first.Result, "secret")
		a.TTL = ttl
		if err := c.Mint(ctx, a); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, c, content("j3", "k3", cache.OwnerUser("bob"), "others"))
	page := pageOf(t, c, Filter{}, 5)
	if got := idsOf(page); len(got) != 2 || got[1] != first.Result {
		t.Errorf("listed are %v", got)
	}
	now := page.Results[1]
	want.Requests, want.Stored, want.Forms, want.Aliases, want.Pinned = 2, 24, []string{"csv", "csv:bom", "parquet"}, 1, true
	want.Accessed, want.Generated, want.Expires = now.Accessed, now.Generated, now.Expires
	if diff := cmp.Diff(want, now); diff != "" {
		t.Errorf("-want +got: %s", diff)
	}
	if d := time.Until(now.Expires); d < 99*time.Hour {
		t.Errorf("expires in %v; an alias lives longer", d)
	}

	for _, tt := range []struct {
		filter Filter
		want   []int64
	}{
		{Filter{Owner: "shared"}, []int64{first.Result}},
		{Filter{Owner: "user:bob"}, []int64{page.Results[0].ID}},
		{Filter{Owner: "bob"}, nil},
		{Filter{Endpoint: "others"}, []int64{first.Result}},
		{Filter{Endpoint: "packages"}, idsOf(page)},
		{Filter{Endpoint: "packages", Owner: "shared"}, []int64{first.Result}},
		{Filter{Endpoint: "other"}, nil},
	} {
		got := pageOf(t, c, tt.filter, 5)
		if diff := cmp.Diff(tt.want, idsOf(got)); diff != "" || !got.Next.IsZero() || !got.Prev.IsZero() {
			t.Errorf("%+v: %s, next %q, prev %q", tt.filter, diff, got.Next, got.Prev)
		}
	}
	// A filter holds on every page.
	if page := pageOf(t, c, Filter{Owner: "shared", Before: Cursor{time.Unix(0, 0), 0}}, 5); len(page.Results) != 1 || !page.Prev.IsZero() {
		t.Errorf("of shared after 1970: %v, prev %q", idsOf(page), page.Prev)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add("2026-03-01T00:00:00.000000Z_17")
	f.Add("2026-03-01")
	f.Fuzz(func(t *testing.T, text string) {
		cursor, err := ParseCursor(text)
		if err != nil {
			return
		}
		again, err := ParseCursor(cursor.String())
		if err != nil || again.id != cursor.id || strings.ContainsAny(cursor.String(), " '\"&;") {
			t.Errorf("%q is written as %q and read as %v, %v", text, cursor, again, err)
		}
	})
}
