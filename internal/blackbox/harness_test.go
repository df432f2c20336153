// Package blackbox tests slashbatch from outside: a whole service in process,
// asked over HTTP and nothing else. What it expects comes from the
// specification, not from the code.
package blackbox

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
	"slashbatch/internal/pgtest"

	"go.yaml.in/yaml/v3"
)

// patience is how long a test waits for something that has to happen; it only
// shows when something is broken.
const patience = 30 * time.Second

// service is a running slashbatch.
type service struct {
	t   *testing.T
	url string
	// db is the database that its data sources read, folder its store, endpoints the folder
	// of its specs.
	db, folder, endpoints string
	log                   *lines
	stop                  func()
}

// setup is what a test wants different from the usual service.
type setup struct {
	// settings are keys of the configuration by their dotted path.
	settings map[string]any
	// endpoints are further specs, as YAML documents.
	endpoints []string
	// db is a database to share; empty makes a new one with the sample table.
	db string
	// idle starts no worker, so that jobs stay pending.
	idle bool
	// unready does not wait for the service to be ready.
	unready bool
}

// start runs a service until the test ends.
func start(t *testing.T, o setup) *service {
	t.Helper()
	s := &service{t: t, db: o.db, folder: filepath.Join(t.TempDir(), "results"), log: &lines{}}
	if s.db == "" {
		s.db = pgtest.New(t)
		execute(t, s.db, schema)
	}
	c, problems := config.Load(writeConfig(t, s, o), nil)
	if len(problems) > 0 {
		t.Fatalf("configuration:\n%v", problems)
	}
	log := slog.New(slog.NewJSONHandler(s.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	ctx, cancel := context.WithCancel(context.Background())
	a, problems := app.New(ctx, c, app.Roles{Serve: true, Work: c.Batch.Process.Enabled}, log)
	if len(problems) == 0 && !o.unready {
		_, problems = a.Describe(ctx)
	}
	if len(problems) > 0 {
		cancel()
		a.Close()
		t.Fatalf("start:\n%v", problems)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, ctx) }()
	s.stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("the service ended with: %v", err)
			}
		case <-time.After(patience):
			t.Error("the service did not stop")
		}
		a.Close()
	})
	t.Cleanup(func() {
		s.stop()
		if t.Failed() {
			t.Logf("log of the service:\n%s", s.log)
		}
	})
	s.eventually("the service listens", func() bool { s.url = s.log.listening(); return s.url != "" })
	if !o.unready {
		s.eventually("the service is ready", func() bool { return s.get("/readyz").code == http.StatusOK })
	}
	return s
}

// in is the service for a subtest.
func (s *service) in(t *testing.T) *service {
	one := *s
	one.t = t
	return &one
}

// writeConfig writes configuration and endpoint files and returns the path of
// the former.
func writeConfig(t *testing.T, s *service, o setup) string {
	t.Helper()
	dir := t.TempDir()
	s.endpoints = filepath.Join(dir, "endpoints")
	if err := os.Mkdir(s.endpoints, 0o700); err != nil {
		t.Fatal(err)
	}
	for i, text := range append([]string{specs}, o.endpoints...) {
		write(t, filepath.Join(s.endpoints, fmt.Sprintf("%02d.yaml", i)), text)
	}
	tree := map[string]any{}
	for path, value := range map[string]any{
		"server.listen":                "127.0.0.1:0",
		"catalog.url":                  s.db,
		"dataSources.default.url":      s.db,
		"dataSources.batch.url":        s.db,
		"queue.url":                    "memory:",
		"cache.url":                    "file://" + s.folder,
		"endpointsDir":                 s.endpoints,
		"batch.process.enabled":        !o.idle,
		"batch.process.drain":          "1s",
		"batch.process.retryInit":      "50ms",
		"batch.limits.running.export":  4,
		"auth.anonymous.running":       4,
		"dataSources.default.maxConns": 4,
		"dataSources.batch.maxConns":   4,
	} {
		put(tree, path, value)
	}
	for path, value := range o.settings {
		put(tree, path, value)
	}
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.yaml")
	write(t, file, string(text))
	return file
}

// put sets the value at a dotted path.
func put(tree map[string]any, path string, value any) {
	first, rest, nested := strings.Cut(path, ".")
	if !nested {
		tree[first] = value
		return
	}
	branch, ok := tree[first].(map[string]any)
	if !ok {
		branch = map[string]any{}
		tree[first] = branch
	}
	put(branch, rest, value)
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until ok holds, or fails the test.
func (s *service) eventually(what string, ok func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}

// lines collects a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// listening is the root of the service once its log tells the address. App.Addr
// would tell it only when everything has been reached.
func (l *lines) listening() string {
	_, line, _ := strings.Cut(l.String(), `"msg":"listening","address":"`)
	address, _, found := strings.Cut(line, `"`)
	if !found {
		return ""
	}
	return "http://" + address
}

// count is how many lines have all of the words.
func (l *lines) count(words ...string) int {
	n := 0
next:
	for line := range strings.Lines(l.String()) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue next
			}
		}
		n++
	}
	return n
}
