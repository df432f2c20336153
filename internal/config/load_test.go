package config

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

var update = flag.Bool("update", false, "write golden files")

// minimal is what an empty file lacks.
const minimal = "catalog: {url: postgres:///c}\ndataSources: {default: {url: postgres:///d}}\n"

// mustLoad loads text, which has no problems.
func mustLoad(t *testing.T, text string, env ...string) *Config {
	t.Helper()
	c, problems := load("test.yaml", []byte(text), env)
	if err := problems.Err(); err != nil {
		t.Fatalf("load: %v", err)
	}
	return c
}

func TestEveryProblemIsTold(t *testing.T) {
	_, problems := Load("testdata/broken.yaml", []string{
		"SLASHBATCH_SERVR_LISTEN=:80",
		"SLASHBATCH_DATASOURCES_BATCH_MAXCON=3",
		"SLASHBATCH_AUTH_USERS=bob",
		"SLASHBATCH_BATCH_RETRYHOLD=hunter2",
		"SLASHBATCH_TEST_POSTGRES=is not ours",
		"OTHER=hunter2",
	})
	got := problems.Error() + "\n"
	if strings.Contains(got, "hunter2") {
		t.Error("a problem repeats a secret")
	}
	golden(t, "testdata/broken.golden", got)
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}

func TestWholeFileProblems(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"not YAML":        {"server: [", "f: is not YAML: line 1: did not find expected node content"},
		"a list":          {"- server", "f: expected a mapping of keys such as server and catalog, got a list"},
		"two documents":   {"log: {}\n---\nlog: {}", "f: holds more than one YAML document"},
		"alias in itself": {"log: &a [*a]", "f: its aliases come to more than 200000 values"},
		"empty":           {"# nothing\n", "f: catalog.url: is required, here or as urlFile\nf: dataSources.default: is required"},
		"only null":       {"~", "f: catalog.url: is required, here or as urlFile\nf: dataSources.default: is required"},
	} {
		t.Run(name, func(t *testing.T) {
			c, problems := load("f", []byte(tt.text), nil)
			if diff := cmp.Diff(tt.want, problems.Error()); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if c == nil {
				t.Error("no configuration beside the problems")
			}
		})
	}
}

func TestLoadReadsFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "config.yaml")
	if _, problems := Load(file, nil); problems.Error() != file+": cannot be read: no such file or directory" {
		t.Errorf("missing file: %v", problems)
	}
	if err := os.WriteFile(file, []byte(minimal), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := Load(file, nil)
	if len(problems) > 0 || c.File != file || c.Catalog.URL.Reveal() != "postgres:///c" {
		t.Errorf("got %v, %v, %v", c.File, c.Catalog.URL, problems)
	}
}

func TestLoadWithoutFile(t *testing.T) {
	c, problems := Load("", []string{
		"SLASHBATCH_CATALOG_URL=postgres:///c", "SLASHBATCH_DATASOURCES_DEFAULT_URL=postgres:///d",
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if got := c.DataSources["default"].MaxConns; got != 8 {
		t.Errorf("a data source made by a variable has maxConns %d, want the default 8", got)
	}
}

func TestInherited(t *testing.T) {
	c := mustLoad(t, `
auth: {users: [{name: alice, limits: {running: {export: 4}, queryTimeout: 1h}}]}
batch: {limits: {queued: 10}, retention: {results: 2d}}
`+minimal)
	want := c.Batch.Limits
	want.Running.Export, want.QueryTimeout = 4, Duration(time.Hour)
	if diff := cmp.Diff(want, c.Auth.Users[0].Limits); diff != "" {
		t.Errorf("a user has everybody's limits and its own (-want +got):\n%s", diff)
	}
	if want := (Lanes{Export: 10, SQL: 10}); c.Auth.Users[0].Limits.Queued != want {
		t.Errorf("queued = %+v, want %+v", c.Auth.Users[0].Limits.Queued, want)
	}
	if want := Duration(48 * time.Hour); c.Batch.MaxAge != want {
		t.Errorf("maxAge = %v, want that of retention.results, %v", c.Batch.MaxAge, want)
	}
}

func TestEndpointsAreKept(t *testing.T) {
	c := mustLoad(t, minimal+`
endpoints:
  - name: packages
    query: &q "DO $$ ${x} $$"
  - *q
`)
	if len(c.Endpoints) != 2 {
		t.Fatalf("got %d endpoints, want 2", len(c.Endpoints))
	}
	if query := child(&c.Endpoints[0], "query"); query.Value != "DO $$ ${x} $$" || query.Line != 6 {
		t.Errorf("query is %q on line %d", query.Value, query.Line)
	}
	if c.Endpoints[1].Kind != yaml.ScalarNode {
		t.Error("an alias is left in the endpoints")
	}
}

func TestAliases(t *testing.T) {
	c := mustLoad(t, `
catalog: &db {url: postgres:///c}
dataSources: {default: *db, batch: *db}
`, "SLASHBATCH_CATALOG_URL=postgres:///mine")
	for place, got := range map[string]URL{
		"default": c.DataSources["default"].URL, "batch": c.DataSources["batch"].URL,
	} {
		if got != "postgres:///c" {
			t.Errorf("%s is %v: an override of the anchor reached its alias", place, got)
		}
	}
}

func TestSecretsFromFiles(t *testing.T) {
	c := mustLoad(t, `
catalog: {urlFile: testdata/url}
dataSources: {default: {urlFile: testdata/url}}
queue: {urlFile: /nowhere}
`, "SLASHBATCH_QUEUE_URL=memory:")
	want := URL("postgres://u:hunter2@localhost/x")
	if c.Catalog.URL != want || c.DataSources["default"].URL != want {
		t.Errorf("urls = %q, %q", c.Catalog.URL.Reveal(), c.DataSources["default"].URL.Reveal())
	}
	if c.Queue.URL != "memory:" || c.Queue.URLFile != "" {
		t.Errorf("queue = %+v, want the variable's url instead of the file's", c.Queue)
	}
}

func TestFolderIsAbsolute(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{
		"file:./data":      "file://" + wd + "/data",
		"file:data":        "file://" + wd + "/data",
		"file:///srv/data": "file:///srv/data",
		"file:/srv/../srv": "file:///srv",
		"s3://b/p?x=y":     "s3://b/p?x=y",
	} {
		if got := AbsoluteFile(URL(in)).Reveal(); got != want {
			t.Errorf("%s is %s, want %s", in, got, want)
		}
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range []string{"testdata/broken.yaml", "../../config.yaml"} {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, "SLASHBATCH_SERVER_LISTEN", ":80")
	}
	f.Add([]byte(minimal), "SLASHBATCH_BATCH_PROCESS_WORKERS_SQL", "1")
	f.Add([]byte("a: &a [*a]\n? [x]\n: y"), "SLASHBATCH_DATASOURCES__URL", "$")
	f.Fuzz(func(t *testing.T, data []byte, name, value string) {
		c, problems := load("fuzz", data, []string{"SLASHBATCH_" + name + "=" + value, name + "=" + value})
		if c == nil {
			t.Fatal("no configuration")
		}
		_ = problems.Error()
		if len(problems) == 0 {
			if err := c.Print(&bytes.Buffer{}); err != nil {
				t.Errorf("Print: %v", err)
			}
		}
	})
}
