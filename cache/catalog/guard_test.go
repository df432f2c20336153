package catalog

import (
	"testing"
	"time"

	"slashbatch/cache"
)

// guarded is a publication of these rows by a job of its own, with a value of the guard.
func guarded(job, rows, guard string) cache.Publication {
	p := content(job, "k", cache.OwnerShared, rows)
	p.Guard = &guard
	return p
}

// guardOf is the value that is noted for a key; "none" where none is.
func guardOf(t *testing.T, c *Catalog, key string) string {
	t.Helper()
	e, err := c.ByKey(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if e.Guard == nil {
		return "none"
	}
	return *e.Guard
}

// The value of the guard is that of the run which answers the key, also where the rows are
// those that are stored already.
func TestGuardIsNoted(t *testing.T) {
	c := open(t)
	first, _ := publish(t, c, guarded("j1", "rows", "1"))
	if got := guardOf(t, c, "k"); got != "1" {
		t.Errorf("noted %q, want 1", got)
	}
	second, kept := publish(t, c, guarded("j2", "rows", "2"))
	if kept || second.Result != first.Result {
		t.Errorf("equal rows: kept %v, result %d", kept, second.Result)
	}
	if got := guardOf(t, c, "k"); got != "2" {
		t.Errorf("noted after equal rows %q, want 2", got)
	}
	publish(t, c, guarded("j3", "others", ""))
	if got := guardOf(t, c, "k"); got != "" {
		t.Errorf("noted %q, want nothing, which is a value", got)
	}
	publish(t, c, content("j4", "k", cache.OwnerShared, "by hand"))
	if got := guardOf(t, c, "k"); got != "none" {
		t.Errorf("noted %q for rows without a guard", got)
	}
}

// An entry that is outdated gives way to rows that were read after its own, also where the
// queue's clock has stepped back since it was submitted: else every request would run again,
// until that has caught up.
func TestGuardAndTheClock(t *testing.T) {
	c := open(t)
	publish(t, c, guarded("j1", "rows", "1"))
	for _, tt := range []struct {
		job, guard string
		after      time.Duration // the rows were read
		pinned     bool          // what is there
		want       string
	}{
		{"the same value", "1", time.Minute, false, "j1"},
		{"another value, read before", "0", -time.Minute, false, "j1"},
		{"pinned", "2", time.Minute, true, "j1"},
		{"another value, read later", "2", time.Minute, false, "another value, read later"},
	} {
		change(t, c, `UPDATE slashbatch.request SET pinned = $1`, tt.pinned)
		p := guarded(tt.job, tt.job, tt.guard)
		p.Submitted, p.Generated = submitted.Add(-time.Hour), p.Generated.Add(tt.after)
		publish(t, c, p)
		if e, err := c.ByKey(t.Context(), "k"); err != nil || e.Job != tt.want {
			t.Errorf("%s: answered by %s, %v; want %s", tt.job, e.Job, err, tt.want)
		}
	}
}

// publishBefore is how the version before guards published.
const publishBefore = `
	SELECT won, kept, result_id, file_object, file_stored FROM slashbatch.publish(
		$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24)`

// A program of the version before publishes as it did, on a connection that it had before
// the migration, too; what it has published is there, without a guard.
func TestGuardMigration(t *testing.T) {
	c, ctx := version(t, 3), t.Context()
	id, _, err := c.StoreByURL(ctx, "file:///one")
	if err != nil {
		t.Fatal(err)
	}
	c.Use(id)
	conn, err := c.pool.Acquire(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	before := func(job string) {
		t.Helper()
		p := content(job, "k-"+job, cache.OwnerShared, job)
		f := p.File
		digest := cache.ContentDigest(p.Owner, f.Columns, f.SHA256)
		var won, kept bool
		var result, stored int64
		var object string
		if err := conn.QueryRow(ctx, publishBefore,
			p.Job, p.Claim, p.Key, p.Owner, p.Endpoint, p.User, f.FileName,
			p.Submitted, p.SpecDigest, p.Generated, p.MaxAge, p.MinFresh, p.Unique, p.Pinned,
			digest[:], f.Rows, f.Columns, f.ContentType, f.Bytes, f.SHA256, f.Stored, f.Blocks,
			f.Object, []int64{id}).Scan(&won, &kept, &result, &object, &stored); err != nil || !won || !kept {
			t.Errorf("%s: won %v, kept %v, %v", job, won, kept, err)
		}
	}
	before("one")
	if applied, err := c.Migrate(ctx); err != nil || len(applied) != 1 {
		t.Fatal(applied, err)
	}
	before("two")
	publish(t, c, guarded("three", "three", "3"))
	for key, want := range map[string]string{"k-one": "none", "k-two": "none", "k": "3"} {
		if got := guardOf(t, c, key); got != want {
			t.Errorf("%s has %q, want %q", key, got, want)
		}
	}
}
