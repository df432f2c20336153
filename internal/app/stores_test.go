package app

import (
	"bytes"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashbatch/cache/catalog"
	"slashbatch/internal/config"
	"slashbatch/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

func TestIdentity(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"file:///data/results", "file:///data/results"},
		{"file:///data//results/../results/", "file:///data/results"},
		{"file://localhost/data", "file:///data"},
		{"file:///with%20space", "file:///with%20space"},
		{"s3://bucket", "s3://bucket"},
		{"s3://bucket/", "s3://bucket"},
		{"s3://bucket/a/b/?region=eu-central-1", "s3://bucket/a/b"},
		{"s3://bucket/p?endpoint=http://127.0.0.1:7070/&path_style=true&region=x", "s3://bucket/p?endpoint=http%3A%2F%2F127.0.0.1%3A7070"},
		{"s3://bucket/p?endpoint=https://S3.Example.org", "s3://bucket/p?endpoint=https%3A%2F%2Fs3.example.org"},
		{"s3://bucket?endpoint=https://u:hunter2@h", "s3://bucket/?endpoint=https%3A%2F%2Fh"},
	} {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		if got := identity(u); got != tt.want {
			t.Errorf("identity(%s) = %s, want %s", tt.url, got, tt.want)
		}
	}
}

// Every store that cannot be opened is a problem at its place, and so is one that is
// named twice.
func TestOpenStores(t *testing.T) {
	dir := t.TempDir()
	c := config.Defaults()
	c.File = "config.yaml"
	c.Cache.URL = config.URL("file://" + dir)
	c.Cache.ReadFrom = []config.URL{
		config.URL("file://" + filepath.Join(dir, "old")), config.URL("file://" + dir + "/"), "s3://bucket?regoin=x",
	}
	s, problems := openStores(t.Context(), c, slog.New(slog.DiscardHandler))
	defer s.close()
	want := []string{"config.yaml: cache.readFrom[1]: is the same store", `config.yaml: cache.readFrom[2]: s3 store: unknown option "regoin"`}
	for i, p := range problems {
		if i >= len(want) || !strings.HasPrefix(p.String(), want[i]) {
			t.Errorf("problem %q", p)
		}
	}
	if len(problems) != len(want) {
		t.Errorf("%d problems, want %d", len(problems), len(want))
	}
	if s.front() == nil {
		t.Error("there is nothing to read from")
	}
}

// Files of the first version that none of the stores has are told of once, as long as
// nobody has them.
func TestFilesThatNoStoreHasAreTold(t *testing.T) {
	database, ctx := pgtest.New(t), t.Context()
	record, err := catalog.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer record.Close()
	if _, err := record.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.Connect(ctx, database)
	if err != nil {
		t.Fatal(err)
	}
	defer tables.Close(ctx)
	if _, err := tables.Exec(ctx, `
		WITH s AS (INSERT INTO slashbatch.store (url) VALUES ('') RETURNING id), r AS (
			INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns) VALUES ('shared', sha256(''), 4, 1, '[]') RETURNING id
		), v AS (
			INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks)
			SELECT id, 'csv', '', 'text/csv', false, 4, repeat('0', 64), 4, '[]' FROM r RETURNING id
		)
		INSERT INTO slashbatch.location (variant, store, object, state) SELECT v.id, s.id, 'results/old', 'live' FROM v, s`); err != nil {
		t.Fatal(err)
	}
	old, log := t.TempDir(), &bytes.Buffer{}
	if err := os.MkdirAll(filepath.Join(old, "results"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(old, "results", "old"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	register := func(times int, readFrom ...config.URL) {
		t.Helper()
		c := config.Defaults()
		c.Cache.URL = config.URL("file://" + t.TempDir())
		c.Cache.ReadFrom = readFrom
		s, problems := openStores(ctx, c, slog.New(slog.NewTextHandler(log, nil)))
		defer s.close()
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for range 2 {
			if err := s.register(ctx, record); err != nil {
				t.Fatal(err)
			}
		}
		if n := strings.Count(log.String(), "files=1 example=results/old"); n != times {
			t.Errorf("it was told %d times, want %d:\n%s", n, times, log)
		}
		log.Reset()
	}
	register(1)
	register(0, config.URL("file://"+old))
	register(0)
}

func TestLongestQuery(t *testing.T) {
	c := config.Defaults()
	c.Auth.Users = []config.User{{Limits: config.Limits{QueryTimeout: c.Batch.Limits.QueryTimeout * 2}}, {}}
	if got := longestQuery(c); got != 2*c.Batch.Limits.QueryTimeout.Std() {
		t.Errorf("the longest query takes %v", got)
	}
}
