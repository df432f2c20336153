package catalog

import (
	"io/fs"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/pg"
	"slashbatch/internal/pgtest"

	"github.com/google/go-cmp/cmp"
)

// firstVersion is a catalogue in the schema of the first version.
func firstVersion(t *testing.T) *Catalog { return version(t, 1) }

// version is a catalogue in the schema of the n-th version.
func version(t *testing.T, n int) *Catalog {
	t.Helper()
	c, err := Open(pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	folder, err := fs.Sub(files, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	all, err := pg.Migrations(folder)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pg.Migrate(t.Context(), c.pool, table, all[:n]); err != nil {
		t.Fatal(err)
	}
	return c
}

// I-25, R-106: what the first version has published is found after the migration, with the
// times at which it was accessed: so nothing expires at once that was spread before, and
// what was old is still old.
func TestI25MigrationKeepsTimes(t *testing.T) {
	c, ctx := firstVersion(t), t.Context()
	change(t, c, `
		INSERT INTO slashbatch.result (job, claim, owner, endpoint, user_name, object, stored, rows, bytes, sha256, content_type, file_name, generated, created)
		SELECT 'job' || i, 'c', owner, 'packages', 'alice', 'results/' || i, 10, 2, 20, sha, 'text/csv', 'x.csv', now() - age, now() - age
		FROM (VALUES
			(1, 'shared', repeat('a', 64), interval '1 day'),
			(2, 'shared', repeat('b', 64), '20 days'),
			(3, 'shared', repeat('a', 64), '3 days'),  -- the same rows as 1
			(4, 'alice', repeat('a', 64), '4 days'),   -- the same rows of a user
			(5, 'shared', repeat('e', 64), '30 days')  -- answers nothing any more
		) AS r (i, owner, sha, age)`)
	change(t, c, `INSERT INTO slashbatch.detail SELECT id, '[{"name": "id", "oid": 20}]', '[{"o": 10, "p": 0}]' FROM slashbatch.result`)
	change(t, c, `
		INSERT INTO slashbatch.request (key, result, submitted, spec_digest, published, expires, accessed)
		SELECT key, i, now() - interval '40 days', 'd', now() - age, now() + interval '100 days', now() - age
		FROM (VALUES ('one', 1, interval '1 hour'), ('two', 2, '19 days'), ('three', 3, '2 days'), ('sql:four', 4, '5 days')) AS q (key, i, age)`)

	if applied, err := c.Migrate(ctx); err != nil || len(applied) < 2 {
		t.Fatalf("applied %v, %v", applied, err)
	}
	// The store gets its name when it is opened, by its files.
	unplaced, sample, err := c.Unplaced(ctx, 3)
	if err != nil || len(sample) != 3 {
		t.Fatal(unplaced, sample, err)
	}
	if err := c.Place(ctx, unplaced, "file:///data"); err != nil {
		t.Fatal(err)
	}
	id, marked, err := c.StoreByURL(ctx, "file:///data")
	if err != nil || marked || id != unplaced {
		t.Fatal(id, marked, err)
	}
	c.Use(id)

	type found struct {
		Result int64
		Object string
		Days   int // since it was accessed
	}
	got := map[string]found{}
	for _, key := range []string{"one", "two", "three", "sql:four"} {
		e, err := c.ByKey(ctx, key)
		if err != nil || !e.Valid || e.File.SHA256 == "" || !e.File.Gzipped {
			t.Fatalf("%s leads to %+v, %v", key, e, err)
		}
		var days float64
		if err := c.one(ctx, &days, `SELECT extract(epoch FROM now() - accessed) / 86400 FROM slashbatch.result WHERE id = $1`, e.Result); err != nil {
			t.Fatal(err)
		}
		got[key] = found{e.Result, e.File.Object, int(days)}
		blocks, err := c.Blocks(ctx, e.Result, cache.FormCSV)
		if err != nil || len(blocks) != 1 {
			t.Errorf("%s has the blocks %v, %v", key, blocks, err)
		}
		columns, err := c.Columns(ctx, e.Result)
		if err != nil || !cmp.Equal(columns, []cache.Column{{Name: "id", OID: 20}}) {
			t.Errorf("%s has the columns %v, %v", key, columns, err)
		}
	}
	want := map[string]found{
		"one": {1, "results/1", 0}, "three": {1, "results/1", 0},
		"two": {2, "results/2", 19}, "sql:four": {4, "results/4", 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"results/3"}, objects(t, c, "removal")); diff != "" {
		t.Errorf("the second file of the same rows is to be removed (-want +got):\n%s", diff)
	}
	if e, err := c.ByJob(ctx, "job3"); err != nil || e.Result != 1 {
		t.Errorf("job3 has made %+v, %v", e, err)
	}

	// What was not read for a week goes, and nothing else; new results go on after the old.
	if freed := evict(t, c, week); freed.Aged != 1 || freed.Collected != 1 {
		t.Errorf("%+v went, want the second, and the one without a name", freed)
	}
	e, _ := publish(t, c, publication("new", "c", "new", time.Now()))
	if e.Result != 6 {
		t.Errorf("a new result is number %d, want 6", e.Result)
	}
}

// A catalogue that was empty has no store before one is opened.
func TestI25EmptyMigration(t *testing.T) {
	c := firstVersion(t)
	if _, err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stores, err := c.Stores(t.Context()); err != nil || len(stores) > 0 {
		t.Errorf("stores %v, %v", stores, err)
	}
}
