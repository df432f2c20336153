package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/config"
	"slashbatch/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// site is a running service, and the commands over its catalogue and store.
type site struct {
	t           *testing.T
	db          *pgx.Conn
	url, config string
	folder      string // of the store
	dir         string
	said        *lines
}

const siteSchema = `
CREATE TABLE item (id int PRIMARY KEY, grp text NOT NULL, label text, mass numeric(10,2));
INSERT INTO item VALUES (1, 'AB', 'one', 1.5), (2, 'AB', 'two', NULL), (3, 'CD', 'three', 3)`

const siteSpecs = `
name: items
path: /item
query: SELECT id, label, mass FROM item
key: id
views: {short: [id, label]}
---
name: group
path: /group/{grp}/item
query: SELECT id, grp FROM item WHERE grp = {grp}
key: id
batch: {maxAge: 2h}
---
name: own
path: /own
query: SELECT 1 AS id, {_user} AS who
key: id
scope: user
---
name: no-twin
path: /no-twin
query: SELECT id FROM item
key: id
batch: {enabled: false}
`

// newSite serves until the test ends. server are further settings of that block.
func newSite(t *testing.T, server string) *site {
	t.Helper()
	database, dir := pgtest.New(t), t.TempDir()
	s := &site{t: t, dir: dir, folder: filepath.Join(dir, "store"), config: filepath.Join(dir, "config.yaml"), said: &lines{}}
	var err error
	if s.db, err = pgx.Connect(t.Context(), database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.db.Close(context.Background()) })
	if _, err := s.db.Exec(t.Context(), siteSchema); err != nil {
		t.Fatal(err)
	}
	alice, bob := config.HashKey("alices"), config.HashKey("bobs")
	s.write("config.yaml", fmt.Sprintf(`
server: {listen: "127.0.0.1:0"%s}
catalog: {url: %q}
dataSources: {default: {url: %q}}
queue: {url: "memory:"}
cache: {url: "file://%s"}
endpointsDir: %s
batch: {process: {drain: 1s}, maxAge: 168h}
auth:
  users:
    - {name: alice, keys: [{sha256: "%x"}]}
    - {name: bob, keys: [{sha256: "%x"}]}
`, server, database, database, s.folder, filepath.Join(dir, "endpoints"), alice[:], bob[:]))
	s.write("endpoints/all.yaml", siteSpecs)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan int)
	go func() { ended <- Main(ctx, ctx, []string{"serve", "-c", s.config}, nil, s.said, s.said) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 || t.Failed() {
			t.Errorf("the service ended with code %d:\n%s", code, s.said.text())
		}
	})
	s.eventually("the service listens", func() bool {
		_, line, _ := strings.Cut(s.said.text(), `"msg":"listening","address":"`)
		address, _, found := strings.Cut(line, `"`)
		s.url = "http://" + address
		return found
	})
	s.eventually("the service is ready", func() bool { code, _ := s.get("/readyz"); return code == http.StatusOK })
	return s
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.String()
}

// in is the site for a subtest.
func (s *site) in(t *testing.T) *site {
	one := *s
	one.t = t
	return &one
}

func (s *site) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("waited in vain: %s\n%s", what, s.said.text())
		}
	}
}

func (s *site) write(name, text string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	return file
}

// get asks the service, as the user with a key where there is one, and follows no redirect.
func (s *site) get(path string, key ...string) (int, string) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, k := range key {
		r.Header.Set("Authorization", "Bearer "+k)
	}
	client := http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{DisableCompression: true, DisableKeepAlives: true},
	}
	response, err := client.Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response.StatusCode, string(body)
}

// serves asks for the file of a request and compares it.
func (s *site) serves(path, want string, key ...string) {
	s.t.Helper()
	if code, body := s.get(path, key...); code != http.StatusOK || body != want {
		s.t.Errorf("%s answers %d:\n%s\nwant\n%s", path, code, body, want)
	}
}

// computed asks for a file until a run has made it.
func (s *site) computed(path, want string, key ...string) {
	s.t.Helper()
	if code, body := s.get(path, key...); code != http.StatusSeeOther {
		s.t.Errorf("%s answers %d before it is computed: %s", path, code, body)
	}
	s.eventually(path+" is computed", func() bool { code, _ := s.get(path, key...); return code == http.StatusOK })
	s.serves(path, want, key...)
}

// run runs a command and asks for its exit code.
func (s *site) run(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	var out, errs bytes.Buffer
	if got := Main(s.t.Context(), s.t.Context(), append(args, "-c", s.config), nil, &out, &errs); got != code {
		s.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
	return out.String(), errs.String()
}

// says runs a command and asks for things in what it prints.
func (s *site) says(want []string, args ...string) string {
	s.t.Helper()
	stdout, stderr := s.run(0, args...)
	for _, w := range want {
		if !strings.Contains(stdout, w) {
			s.t.Errorf("%v says\n%s%s, want %q", args, stdout, stderr, w)
		}
	}
	return stdout
}

// fails runs a command that fails, and asks for all that it says.
func (s *site) fails(code int, want string, args ...string) {
	s.t.Helper()
	if _, stderr := s.run(code, args...); stderr != want {
		s.t.Errorf("%v says\n%s, want\n%s", args, stderr, want)
	}
}

// number asks our own tables for a number.
func (s *site) number(sql string) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(s.t.Context(), sql).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// objects are the names of all results' files in the store.
func (s *site) objects() []string {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.folder, "results", "*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return files
}
