package app

import (
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"slashbatch/internal/config"
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

func TestLongestQuery(t *testing.T) {
	c := config.Defaults()
	c.Auth.Users = []config.User{{Limits: config.Limits{QueryTimeout: c.Batch.Limits.QueryTimeout * 2}}, {}}
	if got := longestQuery(c); got != 2*c.Batch.Limits.QueryTimeout.Std() {
		t.Errorf("the longest query takes %v", got)
	}
}
