package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5/pgconn"
)

// block is a fenced block of a document: a kind, and for files their name.
type block struct{ kind, name, text string }

func blocks(t *testing.T, file string) (out []block) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+) ?([^\\n]*)\\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		out = append(out, block{m[1], m[2], m[3]})
	}
	return out
}

// fits reports whether an output is as a document shows it: … stands for anything but a
// line end.
func fits(shown, output string) bool {
	pattern := strings.ReplaceAll(regexp.QuoteMeta(strings.TrimSpace(shown)), "…", ".*")
	return regexp.MustCompile(`^` + pattern + `$`).MatchString(strings.TrimSpace(output))
}

// A new user's way through docs/endpoints.md, as it is written.
func TestEndpointsDocument(t *testing.T) {
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	database, dir := pgtest.New(t), t.TempDir()
	t.Setenv("DATABASE_URL", database)
	t.Setenv("SLASHBATCH_SERVER_LISTEN", "127.0.0.1:0")
	t.Setenv("SLASHBATCH_CACHE_URL", "file://"+filepath.Join(dir, "data"))
	t.Setenv("PATH", filepath.Dir(program)+":"+os.Getenv("PATH"))
	const documented = "localhost:8080"
	address, output, commands := documented, "", 0
	for _, b := range blocks(t, "../../docs/endpoints.md") {
		switch b.kind {
		case "sql":
			conn, err := pgconn.Connect(t.Context(), database)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := conn.Exec(t.Context(), b.text).ReadAll(); err != nil {
				t.Fatal(err)
			}
			_ = conn.Close(t.Context())
		case "yaml":
			file := filepath.Join(dir, b.name)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(b.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if address != documented {
				eventually(t, time.Minute, "the changed file is taken", func() bool {
					r, err := http.Get("http://" + address + "/street/Elm%20Street/tree?_view=short")
					if err != nil {
						return false
					}
					r.Body.Close()
					return r.StatusCode == http.StatusOK
				})
			}
		case "sh":
			if strings.HasPrefix(b.text, "slashbatch serve") {
				t.Chdir(dir)
				address = start(t, "the server", "config.yaml", "serve").address
				continue
			}
			c := exec.Command("bash", "-euo", "pipefail", "-c", strings.ReplaceAll(b.text, "curl ", "curl -sS "))
			c.Args[len(c.Args)-1] = strings.ReplaceAll(c.Args[len(c.Args)-1], documented, address)
			c.Dir = dir
			text, err := c.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", b.text, err, text)
			}
			output = strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), address, documented)
			commands += strings.Count(strings.TrimSpace(b.text), "\n") + 1
		case "text":
			if !fits(b.text, output) {
				t.Errorf("the document shows\n%s\nand the output is\n%s", b.text, output)
			}
		}
	}
	testenv.Report(t, "docs/endpoints.md: %d commands ran as they are written", commands)
	if commands < 10 {
		t.Error("there are more of them")
	}
}
