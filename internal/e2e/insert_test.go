package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/jobs"
	"slashbatch/queue"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Workers are killed at random instants around a step that writes a row. No row is
// written twice, and a job that does not know says so.
func TestInsertKilled(t *testing.T) {
	t.Parallel()
	rounds := 8
	if fullSize() {
		rounds = 50
	}
	f := newFleetOf(t, small(testenv.Redis(t)))
	conn, err := pgx.Connect(t.Context(), f.database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.Exec(t.Context(), `CREATE TABLE written (job text)`); err != nil {
		t.Fatal(err)
	}
	var ids []string
	worker := start(t, "worker 0", f.config, "worker")
	for i := range rounds {
		id := uuid.NewString()
		submission, err := jobs.SQLRequest{
			Plan: jobs.SQLPlan{Source: "default", Steps: []jobs.SQLStep{{
				SQL: fmt.Sprintf("SELECT pg_sleep(0.04); INSERT INTO written VALUES ('%s'); SELECT pg_sleep(0.04)", id),
			}}},
			User: f.users[i%len(f.users)], Estimate: time.Second, RunningCap: 1, QueuedCap: 64,
		}.Submission(id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.queue.Enqueue(t.Context(), submission); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
		eventually(t, 20*time.Second, "the worker has the job", func() bool {
			job, err := f.queue.Get(t.Context(), id)
			return err == nil && job.State != queue.Pending
		})
		time.Sleep(time.Duration(rand.IntN(120)) * time.Millisecond)
		_ = worker.Process.Kill()
		<-worker.ended
		worker = start(t, fmt.Sprint("worker ", i+1), f.config, "worker")
	}

	count := map[string]int{}
	for _, id := range ids {
		var job queue.Job
		eventually(t, 30*time.Second, "the job has ended", func() bool {
			var err error
			job, err = f.queue.Get(t.Context(), id)
			return err == nil && job.State.Final()
		})
		var rows int
		if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM written WHERE job = $1`, id).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		definition, err := f.queue.Definition(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := jobs.StepsOf(job, definition)
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("%s, step %s, %d rows", job.State, steps[0].State, rows)
		count[what]++
		switch what {
		case "done, step done, 1 rows", "failed, step unknown, 0 rows", "failed, step unknown, 1 rows":
		default:
			t.Errorf("job %s is %s: %s", id, what, job.Error)
		}
	}
	testenv.Report(t, "insert: workers killed at %d random instants around an INSERT: %v", rounds, count)
}
