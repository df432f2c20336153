package e2e

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/jobs"
	"slashbatch/queue"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// stepped is a SQL job of three steps, each of which writes a line with the
// backend that ran it; the second one takes as long as the table pace says.
type stepped struct {
	*fleet
	conn *pgx.Conn
	id   string
}

func newStepped(t *testing.T, s shape) *stepped {
	t.Helper()
	j := &stepped{fleet: newFleetOf(t, s), id: uuid.NewString()}
	conn, err := pgx.Connect(t.Context(), j.database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	j.conn = conn
	j.exec(t, `CREATE TABLE trace (step int, pid int, at timestamptz DEFAULT clock_timestamp());
		CREATE TABLE pace (seconds float); INSERT INTO pace VALUES (60)`)
	var steps []jobs.SQLStep
	for i := 1; i <= 3; i++ {
		sql := fmt.Sprintf("INSERT INTO trace VALUES (%d, pg_backend_pid())", i)
		if i == 2 {
			sql += "; SELECT pg_sleep(seconds) FROM pace"
		}
		steps = append(steps, jobs.SQLStep{SQL: sql})
	}
	submission, err := jobs.SQLRequest{
		Plan: jobs.SQLPlan{Source: "default", Steps: steps}, User: "user0", Estimate: time.Minute, RunningCap: 1, QueuedCap: 64,
	}.Submission(j.id)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.queue.Enqueue(t.Context(), submission); err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *stepped) exec(t *testing.T, sql string) {
	t.Helper()
	if _, err := j.conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// sleeping waits until the second step is under way.
func (j *stepped) sleeping(t *testing.T) {
	t.Helper()
	eventually(t, 20*time.Second, "step 2 runs", func() bool {
		var n int
		err := j.conn.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE '%pg_sleep(seconds)%' AND wait_event = 'PgSleep'`).Scan(&n)
		return err == nil && n == 1
	})
}

// states are the states of the steps, from the job's record.
func (j *stepped) states(t *testing.T) (queue.Job, string) {
	t.Helper()
	job, err := j.queue.Get(t.Context(), j.id)
	if err != nil {
		t.Fatal(err)
	}
	definition, err := j.queue.Definition(t.Context(), j.id)
	if err != nil {
		t.Fatal(err)
	}
	steps, err := jobs.StepsOf(job, definition)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range steps {
		words = append(words, string(s.State))
	}
	return job, strings.Join(words, " ")
}

// trace lists the steps that had an effect.
func (j *stepped) trace(t *testing.T) string {
	t.Helper()
	var text string
	if err := j.conn.QueryRow(t.Context(), `SELECT coalesce(string_agg(step::text, ' ' ORDER BY at), '') FROM trace`).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// SIGTERM in the middle of step 2 of 3: the job is pending with step 1 done, and
// another worker resumes at step 2.
func TestStepTwoDrained(t *testing.T) {
	for _, backend := range []string{"redis", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			s := small("")
			if backend == "redis" {
				s = small(testenv.Redis(t))
			}
			j := newStepped(t, s)
			first := start(t, "worker 1", j.config, "worker")
			j.sleeping(t)
			if err := first.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			<-first.ended
			given, between := j.states(t)
			if given.State != queue.Pending || between != "done pending pending" || j.trace(t) != "1" {
				t.Errorf("after the drain: job %s, steps %s, effects of steps %s; want pending, done pending pending, 1", given.State, between, j.trace(t))
			}
			j.exec(t, "UPDATE pace SET seconds = 0.1")
			start(t, "worker 2", j.config, "worker")
			eventually(t, 20*time.Second, "the job has ended", func() bool { job, _ := j.states(t); return job.State.Final() })
			job, words := j.states(t)
			testenv.Report(t, "steps: queue in %s: SIGTERM in step 2 of 3: job %s with steps %s; another worker: job %s, attempt %d, steps %s, effects of steps %s",
				backend, given.State, between, job.State, job.Attempt, words, j.trace(t))
			if job.State != queue.Done || job.Attempt != 2 || job.Crashes != 0 || job.Failures != 0 || words != "done done done" || j.trace(t) != "1 2 3" {
				t.Errorf("%+v, steps %s, effects %s; want each step done once", job, words, j.trace(t))
			}
		})
	}
}

// kill -9 in the middle of step 2 of 3: nobody can say what it did, so it is not
// run again, and the job says so.
func TestStepTwoKilled(t *testing.T) {
	t.Parallel()
	j := newStepped(t, small(testenv.Redis(t)))
	first := start(t, "worker 1", j.config, "worker")
	second := start(t, "worker 2", j.config, "worker")
	j.sleeping(t)
	victim := first
	if len(j.runs(t, queue.LaneSQL, first)) == 0 {
		victim = second
	}
	_ = victim.Process.Kill()
	<-victim.ended
	eventually(t, 20*time.Second, "the job has ended", func() bool { job, _ := j.states(t); return job.State.Final() })
	job, words := j.states(t)
	testenv.Report(t, "steps: kill -9 in step 2 of 3: job %s (%s), steps %s, effects of steps %s", job.State, job.Error, words, j.trace(t))
	if job.State != queue.Failed || words != "done unknown skipped" || j.trace(t) != "1" || !strings.Contains(job.Error, "effect is unknown") {
		t.Errorf("job %s (%s), steps %s, effects %s", job.State, job.Error, words, j.trace(t))
	}
}
