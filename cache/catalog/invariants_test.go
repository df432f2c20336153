package catalog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/pgtest"
)

// I-15: whatever the time zone of a session, validity, access and the end of an alias are
// the same, also for rows that a session of another zone has written.
func TestI15TimeZones(t *testing.T) {
	database := pgtest.New(t)
	var all []*Catalog
	for _, zone := range []string{"UTC", "Etc/GMT+8", "Etc/GMT-9"} {
		u, err := url.Parse(database)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("timezone", zone)
		u.RawQuery = query.Encode()
		c, err := Open(u.String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		if _, err := c.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		id, _, err := c.StoreByURL(t.Context(), "file:///one")
		if err != nil {
			t.Fatal(err)
		}
		c.Use(id)
		all = append(all, c)
	}
	for i, writer := range all {
		for key, age := range map[string]time.Duration{"good": 0, "expired": -2 * time.Hour} {
			key = fmt.Sprint(key, i)
			p := content("j"+key, key, cache.OwnerShared, key)
			p.Generated, p.MinFresh = time.Now().Add(age), 0
			e, _ := publish(t, writer, p)
			if err := writer.Mint(t.Context(), alias("a"+key, e.Result, "t")); err != nil {
				t.Fatal(err)
			}
			for j, reader := range all {
				got, err := reader.ByKey(t.Context(), key)
				if err != nil || got.Valid != (age == 0) || got.Age < 0 || got.Age > time.Minute || !got.Generated.Equal(p.Generated.Truncate(time.Microsecond)) {
					t.Errorf("%s, written in zone %d and read in zone %d: %+v, %v", key, i, j, got, err)
				}
				if _, err := reader.ByAlias(t.Context(), "a"+key); err != nil {
					t.Errorf("alias of %s in zone %d: %v", key, j, err)
				}
			}
		}
	}
}

// I-23: what requests ask for costs as much among many results as among few: every
// statement finds its rows by an index.
func TestI23Indexes(t *testing.T) {
	c, ctx := open(t), t.Context()
	if _, err := c.pool.Exec(ctx, `
		INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns)
			SELECT 'shared', sha256(n::text::bytea), n, n, '[]' FROM generate_series(1, 5000) n;
		INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks)
			SELECT id, 'csv', '', 'text/csv', true, 1, repeat('0', 64), 1, '[]' FROM slashbatch.result;
		INSERT INTO slashbatch.location (variant, store, object, state) SELECT id, 1, 'o' || id, 'live' FROM slashbatch.variant;
		INSERT INTO slashbatch.request (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires)
			SELECT 'k' || id, id, 'j', 'c', 'e', 'u', 'f', now(), '', now(), now() + interval '1 day' FROM slashbatch.result;
		INSERT INTO slashbatch.run (job, claim, key, result, file_name, generated) SELECT 'j' || id, 'c', 'k' || id, id, 'f', now() FROM slashbatch.result;
		INSERT INTO slashbatch.alias (name, result, token, owner, file_name, generated, expires)
			SELECT 'a' || id, id, sha256(''), 'o', 'f', now(), now() + interval '1 day' FROM slashbatch.result;
		ANALYZE`); err != nil {
		t.Fatal(err)
	}
	for name, ask := range map[string]func() error{
		"by key":   func() error { _, err := c.ByKey(ctx, "k17"); return err },
		"by job":   func() error { _, err := c.ByJob(ctx, "j17"); return err },
		"by alias": func() error { _, err := c.ByAlias(ctx, "a17"); return err },
		"variant":  func() error { _, err := c.Variant(ctx, 17, cache.FormCSV); return err },
		"touch":    func() error { return c.Touch(ctx, cache.Entry{Key: "k17", Result: 17}, cache.FormCSV) },
		"missing":  func() error { return c.Missing(ctx, "o17") },
		"publish":  func() error { _, _, err := c.Publish(ctx, content("new", "new", cache.OwnerShared, "new")); return err },
		"drop": func() error {
			err := c.DropAlias(ctx, "a18", sha256.Sum256(nil))
			if errors.Is(err, cache.ErrToken) {
				err = nil
			}
			return err
		},
	} {
		scans := func() string {
			time.Sleep(20 * time.Millisecond)
			var text strings.Builder
			rows, err := c.pool.Query(ctx, `
				SELECT relname, seq_tup_read FROM pg_stat_user_tables WHERE schemaname = 'slashbatch' AND n_live_tup > 1000 ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for rows.Next() {
				var table string
				var n int64
				if err := rows.Scan(&table, &n); err != nil {
					t.Fatal(err)
				}
				fmt.Fprintln(&text, table, n)
			}
			return text.String()
		}
		flush := func() {
			if _, err := c.pool.Exec(ctx, `SELECT pg_stat_force_next_flush()`); err != nil {
				t.Fatal(err)
			}
		}
		flush()
		before := scans()
		if err := ask(); err != nil && !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
		flush()
		if after := scans(); after != before || before == "" {
			t.Errorf("%s reads whole tables: before\n%safter\n%s", name, before, after)
		}
	}
}
