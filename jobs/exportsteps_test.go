package jobs

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/go-cmp/cmp"
)

const holdAtEnd = "INSERT INTO seen VALUES ('it'); SELECT hold()"

// A worker that is lost in the step of an endpoint takes the step with it; the result
// stands. What is left of it in the database is ended first.
func TestExportStepWorkerLost(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	var cut atomic.Bool
	first := s.WorkerOptions
	first.Queue = &faultyQueue{s.queue, func(string, func() error) error {
		if cut.Load() {
			return queue.ErrUnavailable
		}
		return nil
	}}
	startWorker(t, first)
	id := s.plan(t, Plan{SQL: "SELECT 1 AS one", OnSuccess: holdAtEnd}, nil)
	pid := s.asleep(t, id)
	cut.Store(true)
	s.open(t)
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
	s.gone(t, pid)
	if got := s.steps(t, id); got != "unknown "+lostReason {
		t.Error(got)
	}
	if got := s.seen(t); len(got) != 0 {
		t.Error(got)
	}
	s.published(t, 1)
}

// A step that was stopped for good, and had no effect, is run by the next worker; the
// query is not.
func TestExportStepStopped(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	stop, kill, ended := s.start(t)
	id := s.plan(t, Plan{SQL: "SELECT 1 AS one", OnSuccess: holdAtEnd}, nil)
	s.asleep(t, id)
	stop()
	kill()
	<-ended
	s.open(t)
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
	if diff := cmp.Diff([]string{"it"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	if n := s.store.begun.Load(); n != 1 {
		t.Errorf("the query ran %d times", n)
	}
}

// What a step leaves in its session is not there for the next one, and it sees what it
// is told.
func TestExportStepSession(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	for range 2 {
		id := s.plan(t, Plan{SQL: "SELECT 1 AS one", OnSuccess: "INSERT INTO seen VALUES (current_setting('search_path') || current_setting('batch.row_count')); SET search_path = nowhere"}, nil)
		s.await(t, id, queue.Done, 10*time.Second)
	}
	if diff := cmp.Diff([]string{`"$user", public1`, `"$user", public1`}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
}

// The database of the steps is away: onsuccess waits for it, and the query is not run
// again; onerror does not, since that would run the query again.
func TestExportStepsAway(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	away, err := rows.Open("steps", "postgres://nobody@127.0.0.1:1/none?sslmode=disable", rows.SourceOptions{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	without := s.WorkerOptions
	without.Sources = map[string]*rows.Source{"default": s.Sources["default"], "steps": away}
	stop, _, ended := startWorker(t, without)
	good := s.plan(t, Plan{SQL: "SELECT 1 AS one", StepsSource: "steps", OnSuccess: insert("onsuccess")}, nil)
	bad := s.plan(t, Plan{SQL: "SELECT 1 / 0", StepsSource: "steps", OnError: insert("onerror")}, nil)
	s.await(t, bad, queue.Failed, 30*time.Second)
	if got := s.steps(t, bad); !strings.HasPrefix(got, "failed ") {
		t.Error(got)
	}
	for s.job(t, good).Attempt < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	stop()
	<-ended
	s.Sources = map[string]*rows.Source{"default": s.Sources["default"], "steps": s.Sources["default"]}
	s.start(t)
	s.await(t, good, queue.Done, 10*time.Second)
	if diff := cmp.Diff([]string{"onsuccess"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	s.published(t, 1)
}
