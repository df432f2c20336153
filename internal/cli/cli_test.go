package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashbatch/internal/pgtest"

	"github.com/google/go-cmp/cmp"
)

// command runs the program with arguments, in a folder with these files.
func runIn(t *testing.T, files map[string]string, vars []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	t.Chdir(t.TempDir())
	for name, text := range files {
		if err := os.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var out, errs bytes.Buffer
	code = Main(t.Context(), t.Context(), args, vars, &out, &errs)
	return code, out.String(), errs.String()
}

const goodConfig = `
catalog: {url: "postgres://127.0.0.1:1/x"}
dataSources: {default: {url: "postgres://127.0.0.1:1/x"}}
`

const goodSpec = `
name: items
path: /items
query: SELECT 1 AS id
key: id
`

// Every problem of the configuration and of every endpoint is told at once, in
// the form file: path: message, with exit code 1, and nothing is started.
func TestEveryProblemAtOnce(t *testing.T) {
	for _, command := range []string{"check", "serve"} {
		code, stdout, stderr := runIn(t, map[string]string{
			"config.yaml": `
server: {listen: ":8080", publicUlr: x}
catalog: {url: "mysql://x"}
dataSources: {default: {url: "postgres://127.0.0.1:1/x", maxConns: -1}}
batch: {retryHold: soon}
`,
			"endpoints/a.yaml": "name: a\npath: /a/batch\nquery: SELECT 1; DROP TABLE x\nkey: id\nsoftlimit: 5\n",
			"endpoints/b.yaml": "name: b\npath: b\nquery: SELECT {what}\nkey: id\n",
		}, nil, command)
		if code != 1 || stdout != "" {
			t.Errorf("%s: exit code %d, output %q; want 1 and none", command, code, stdout)
		}
		var places []string
		for line := range strings.Lines(stderr) {
			file, rest, _ := strings.Cut(strings.TrimSpace(line), ": ")
			path, message, ok := strings.Cut(rest, ": ")
			if !ok || message == "" {
				t.Errorf("%s: not of the form file: path: message: %q", command, line)
			}
			places = append(places, file+" "+path)
		}
		for _, want := range []string{
			"config.yaml server.publicUlr", "config.yaml catalog.url", "config.yaml dataSources.default.maxConns", "config.yaml batch.retryHold",
			"endpoints/a.yaml path", "endpoints/a.yaml query", "endpoints/a.yaml softlimit", "endpoints/b.yaml path", "endpoints/b.yaml query",
		} {
			if !contains(places, want) {
				t.Errorf("%s does not tell of %q; it says:\n%s", command, want, stderr)
			}
		}
	}
}

func contains(list []string, want string) bool {
	for _, s := range list {
		if s == want {
			return true
		}
	}
	return false
}

// A query that the database refuses, and a key that the query does not have,
// stop the start; they are not left for the first request.
func TestBrokenQueryIsToldAtStart(t *testing.T) {
	database := pgtest.New(t)
	config := "catalog: {url: \"" + database + "\"}\ndataSources: {default: {url: \"" + database + "\"}}\n"
	code, _, stderr := runIn(t, map[string]string{
		"config.yaml":      config,
		"endpoints/a.yaml": "name: a\npath: /a\nquery: SELECT id FROM nowhere\nkey: id\n",
		"endpoints/b.yaml": "name: b\npath: /b\nquery: SELECT 1 AS id\nkey: nr\n",
	}, nil, "serve")
	want := "endpoints/a.yaml: query: relation \"nowhere\" does not exist\n"
	if code != 1 || !strings.Contains(stderr, want) || !strings.Contains(stderr, "endpoints/b.yaml: key: ") {
		t.Errorf("exit code %d, said:\n%s", code, stderr)
	}
	code, stdout, stderr := runIn(t, map[string]string{"config.yaml": config, "endpoints/a.yaml": goodSpec}, nil, "check")
	if diff := cmp.Diff("configuration and 1 endpoints are in order\n", stdout); diff != "" || code != 0 {
		t.Errorf("exit code %d, %s\n%s", code, diff, stderr)
	}
}

func TestCommandLine(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		code int
		says string // on either output
	}{
		{"no command", nil, 2, "slashbatch COMMAND -h"},
		{"unknown command", []string{"sevre"}, 2, `there is no command "sevre"`},
		{"unknown flag", []string{"serve", "-x"}, 2, "see slashbatch serve -h"},
		{"surplus word", []string{"check", "now"}, 2, `takes no "now"`},
		{"help", []string{"help"}, 0, "everything in one process"},
		{"help of a command", []string{"serve", "-h"}, 0, "configuration file"},
		{"a group alone", []string{"queue"}, 2, "slashbatch queue stats"},
		{"help of a group", []string{"job", "-h"}, 0, "slashbatch job cancel"},
		{"no such command in a group", []string{"job", "lsit"}, 2, `there is no command "job lsit"`},
		{"help of a command in a group", []string{"queue", "requeue", "-h"}, 0, "Usage of slashbatch queue requeue JOB… | -user NAME:"},
		{"no ids", []string{"job", "cancel"}, 2, "takes the ids of jobs"},
		{"ids and a user", []string{"queue", "requeue", "x", "-user", "y"}, 2, "takes ids of jobs, or -user NAME"},
		{"two jobs to show", []string{"job", "show", "x", "--", "-c"}, 2, "takes the id of one job"},
		{"a state of nobody's", []string{"job", "list", "-state", "failed"}, 2, "-state needs -user"},
		{"no such state", []string{"job", "list", "-user", "x", "-state", "dead"}, 2, `there is no state "dead"`},
		{"two forms", []string{"job", "list", "-json", "-csv"}, 2, "not both"},
		{"a queue in another process", []string{"queue", "stats", "-c", "memory.yaml"}, 1, "memory.yaml: queue.url: a memory queue lives inside its process"},
		{"a queue that is away", []string{"queue", "stats", "-c", "away.yaml"}, 1, "queue: backend unavailable"},
		{"version", []string{"version"}, 0, "slashbatch"},
		{"no such configuration", []string{"check", "-c", "none.yaml"}, 1, "none.yaml: "},
		{"a setting this version would ignore", []string{"check", "-c", "plain.yaml"}, 1, "plain.yaml: cache.compressed: is not available in this version"},
		{"effective configuration", []string{"config"}, 0, "postgres://127.0.0.1:1/x"},
		{"a database that is away is told", []string{"check"}, 1, "could not be reached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, stdout, stderr := runIn(t, map[string]string{
				"config.yaml": goodConfig, "endpoints/a.yaml": goodSpec,
				"plain.yaml":  goodConfig + "cache: {compressed: false}\n",
				"memory.yaml": goodConfig + "queue: {url: \"memory:\"}\n",
				"away.yaml":   goodConfig + "queue: {url: \"redis://127.0.0.1:1\"}\n",
			}, nil, tt.args...)
			if code != tt.code || !strings.Contains(stdout+stderr, tt.says) {
				t.Errorf("exit code %d, want %d with %q:\n%s%s", code, tt.code, tt.says, stdout, stderr)
			}
		})
	}
}

// A store that cannot be opened is a problem of the configuration like any other.
func TestStoreThatCannotBeOpened(t *testing.T) {
	code, _, stderr := runIn(t, map[string]string{"config.yaml": goodConfig + "cache: {url: \"file:///proc/none/x\"}\n"}, nil, "check")
	if code != 1 || !strings.Contains(stderr, "config.yaml: cache.url: ") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
}
