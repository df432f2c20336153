package catalog

import (
	"testing"
	"time"

	"slashbatch/cache"
)

// A catalogue of many results of the first version is migrated, in time that grows as they
// do: one that grows faster never ends in a large installation.
func TestMigrateMany(t *testing.T) {
	const n = 20_000
	c, ctx := firstVersion(t), t.Context()
	change(t, c, `
		INSERT INTO slashbatch.result (job, claim, owner, endpoint, user_name, object, stored, rows, bytes, sha256, content_type, file_name, generated, created)
		SELECT 'job' || i, 'c', 'shared', 'packages', 'alice', 'results/' || i, 10, 2, 20, encode(sha256(i::text::bytea), 'hex'), 'text/csv', 'x.csv', now(), now()
		FROM generate_series(1, $1) i`, n)
	change(t, c, `INSERT INTO slashbatch.detail SELECT id, '[{"name": "id", "oid": 20}]', '[{"o": 10, "p": 0}]' FROM slashbatch.result`)
	change(t, c, `
		INSERT INTO slashbatch.request (key, result, submitted, spec_digest, published, expires, accessed)
		SELECT 'key' || id, id, now(), 'd', now(), now() + interval '100 days', now() FROM slashbatch.result`)
	if _, err := c.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	if got := count(t, c, "request q JOIN slashbatch.result r ON r.id = q.result"); got != n {
		t.Errorf("%d requests were carried over, want %d", got, n)
	}
}

// What is pinned is replaced by no run, and by nothing but what is pinned as well.
func TestPinHolds(t *testing.T) {
	c, ctx := open(t), t.Context()
	p := publication("put", "c", "k", time.Now())
	p.Pinned, p.Unique = true, true
	publish(t, c, p)
	publish(t, c, publication("fresh", "c", "k", time.Now().Add(time.Second)))
	e, err := c.ByKey(ctx, "k")
	if err != nil {
		t.Fatal(err)
	}
	if !e.Pinned || e.Job != "put" {
		t.Errorf("the pinned rows do not answer their key any more: %+v", e)
	}
	change(t, c, `UPDATE slashbatch.result SET accessed = now() - interval '25 hours'`)
	change(t, c, `UPDATE slashbatch.request SET accessed = now()`)
	evict(t, c, cache.Retention{Grace: 24 * time.Hour, Results: 168 * time.Hour, Runs: 168 * time.Hour})
	if _, err := c.ByKey(ctx, "k"); err != nil {
		t.Errorf("the pinned rows went: %v", err)
	}
	next := publication("put again", "c", "k", time.Now().Add(time.Second))
	next.Pinned = true
	publish(t, c, next)
	if e, err := c.ByKey(ctx, "k"); err != nil || e.Job != "put again" {
		t.Errorf("answered by %s, %v; want what was put in later", e.Job, err)
	}
}
