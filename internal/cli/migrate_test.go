package cli

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/pgtest"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/queue/pgqueue"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Everything of ours can live in one database: catalogue, queue, and what is
// read. Who does not want processes to change its schema is told what to do.
func TestQueueInTheCatalogue(t *testing.T) {
	url := pgtest.New(t)
	files := map[string]string{"config.yaml": fmt.Sprintf(`
catalog: {url: %q, migrate: false}
dataSources: {default: {url: %q}}
queue: {url: "postgres:"}
batch: {process: {timeout: 100, drain: 1s}}
`, url, url)}
	for _, command := range []string{"worker", "serve"} {
		code, _, stderr := runIn(t, files, []string{"SLASHBATCH_SERVER_LISTEN=127.0.0.1:0"}, command)
		if code != 1 || !strings.Contains(stderr, "the schema of the catalog is behind (001_results") || !strings.Contains(stderr, "run slashbatch migrate") {
			t.Errorf("%s: exit code %d, said:\n%s", command, code, stderr)
		}
	}
	if code, _, stderr := runIn(t, files, nil, "queue", "stats"); code != 1 || !strings.Contains(stderr, "run slashbatch migrate") {
		t.Errorf("queue stats: exit code %d, said:\n%s", code, stderr)
	}
	code, stdout, stderr := runIn(t, files, nil, "migrate")
	if code != 0 || !strings.Contains(stdout, "applied catalog 001_results\n") || !strings.Contains(stdout, "applied queue 001_") {
		t.Errorf("migrate: exit code %d, said:\n%s%s", code, stdout, stderr)
	}
	if code, stdout, _ := runIn(t, files, nil, "migrate"); code != 0 || stdout != "the schema is up to date\n" {
		t.Errorf("migrate again: exit code %d, said:\n%s", code, stdout)
	}
	if code, stdout, stderr := runIn(t, files, nil, "queue", "stats"); code != 0 || !strings.Contains(stdout, "LANE") {
		t.Errorf("queue stats: exit code %d, said:\n%s", code, stderr)
	}

	q, err := pgqueue.Open(t.Context(), url, pgqueue.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer q.Close()
	sub, err := jobs.SQLRequest{
		Plan: jobs.SQLPlan{Source: "default", Steps: []jobs.SQLStep{{SQL: "CREATE TABLE made (n int)"}, {SQL: "INSERT INTO made VALUES (1)"}}},
		User: "alice", RunningCap: 1,
	}.Submission(uuid.NewString())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Enqueue(t.Context(), sub); err != nil {
		t.Fatal(err)
	}

	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.yaml", []byte(files["config.yaml"]), 0o600); err != nil {
		t.Fatal(err)
	}
	var said lines
	go func() { ended <- Main(ctx, t.Context(), []string{"worker"}, nil, &said, &said) }()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		job, err := q.Get(t.Context(), sub.ID)
		if err != nil {
			t.Fatal(err)
		}
		if job.State == queue.Done {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v\n%s", job, said.String())
		}
	}
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("the worker's exit code is %d:\n%s", code, said.String())
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	var n int
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM made").Scan(&n); err != nil || n != 1 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// lines collects what several goroutines write.
type lines struct {
	mu sync.Mutex
	bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.Buffer.Write(p)
}
