package jobs

import (
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/go-cmp/cmp"
)

// newSQLSite is a site with a table that steps write to, and a gate: while it is
// shut, hold() does not return.
func newSQLSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	if _, err := s.pool.Exec(t.Context(), `
		CREATE TABLE seen (what text);
		CREATE TABLE gate AS SELECT true AS shut;
		CREATE FUNCTION hold() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(60) FROM gate WHERE shut'`); err != nil {
		t.Fatal(err)
	}
	return s
}

// open lets those pass who come from now on.
func (s *site) open(t *testing.T) {
	t.Helper()
	if _, err := s.pool.Exec(t.Context(), "UPDATE gate SET shut = false"); err != nil {
		t.Fatal(err)
	}
}

func (s *site) submitSQL(t *testing.T, steps ...SQLStep) string {
	t.Helper()
	job, err := s.service().SubmitSQL(t.Context(), SQLRequest{Plan: SQLPlan{Source: "default", Steps: steps}, User: "alice", RunningCap: 1})
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

// seen is what the steps have written, in order.
func (s *site) seen(t *testing.T) (what []string) {
	t.Helper()
	if err := s.pool.QueryRow(t.Context(), "SELECT coalesce(array_agg(what ORDER BY what), '{}') FROM seen").Scan(&what); err != nil {
		t.Fatal(err)
	}
	return what
}

// steps is how the steps of a job stand, in one line, with their errors.
func (s *site) steps(t *testing.T, id string) string {
	t.Helper()
	definition, err := s.queue.Definition(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	list, err := StepsOf(s.job(t, id), definition)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, step := range list {
		text = append(text, strings.TrimSpace(string(step.State)+" "+step.Error))
	}
	return strings.Join(text, ", ")
}

// asleep waits until a step is held at the gate, and returns its server process.
func (s *site) asleep(t *testing.T, id string) (pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := s.pool.QueryRow(t.Context(), `SELECT pid FROM pg_stat_activity
			WHERE application_name = $1 AND state = 'active' AND wait_event = 'PgSleep'`, "slashbatch job "+id).Scan(&pid)
		if err == nil {
			return pid
		}
		if time.Now().After(end) {
			t.Fatalf("no step is held: %v; %+v", err, s.job(t, id))
		}
	}
}

// gone waits until a server process runs nothing any more.
func (s *site) gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); s.runs(t, pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it goes on in the database")
		}
	}
}

// runs reports whether a server process runs something.
func (s *site) runs(t *testing.T, pid int) bool {
	t.Helper()
	var n int
	if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state <> 'idle'", pid).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// held3 are three steps of which the second one is held at the gate, in the middle
// of its work.
func held3(second SQLStep) []SQLStep {
	return []SQLStep{{SQL: "INSERT INTO seen VALUES ('1')"}, second, {SQL: "INSERT INTO seen VALUES ('3')"}}
}

const holdAt2 = "INSERT INTO seen VALUES ('2'); SELECT hold()"

// Steps run in order, in sessions of their own that say whose they are.
func TestSQLJob(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.open(t)
	s.start(t)
	id := s.submitSQL(t,
		SQLStep{SQL: "CREATE TEMP TABLE mine (n int); SET work_mem = '65kB'; INSERT INTO seen VALUES ('1 ' || current_setting('application_name'))"},
		SQLStep{SQL: "INSERT INTO seen SELECT '2 ' || coalesce(to_regclass('mine')::text, 'fresh') || ' ' || (current_setting('work_mem') <> '65kB')::text"},
		SQLStep{SQL: "VACUUM seen"},
		SQLStep{SQL: "INSERT INTO seen SELECT '3 ' || current_setting('client_connection_check_interval') || ' ' || current_setting('statement_timeout')", Timeout: time.Minute},
	)
	s.await(t, id, queue.Done, 10*time.Second)
	want := []string{"1 slashbatch job " + id, "2 fresh true", "3 1s 1min"}
	if diff := cmp.Diff(want, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	if got := s.steps(t, id); got != "done, done, done, done" {
		t.Error(got)
	}
}

// A step that fails fails its job, with the database's words; later ones are
// not reached.
func TestSQLStepFails(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitSQL(t, held3(SQLStep{SQL: "INSERT INTO seen VALUES ('2'); INSERT INTO nowhere VALUES (1)"})...)
	s.await(t, id, queue.Failed, 10*time.Second)
	const reason = `relation "nowhere" does not exist`
	if job := s.job(t, id); job.Error != reason || job.Attempt != 1 {
		t.Errorf("%+v", job)
	}
	if got := s.steps(t, id); got != "done, failed "+reason+", skipped" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"1"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
}

// Drained in its second step of three, a job goes on with that one elsewhere.
func TestSQLDrained(t *testing.T) {
	for name, tt := range map[string]struct {
		step  SQLStep
		state queue.State
		steps string
		seen  []string
	}{
		"confirmed": {SQLStep{SQL: holdAt2}, queue.Done, "done, done, done", []string{"1", "2", "3"}},
		"with a COMMIT of its own": {
			SQLStep{SQL: "INSERT INTO seen VALUES ('2'); COMMIT; SELECT hold()"},
			queue.Failed, "done, unknown " + stoppedReason + ", skipped",
			[]string{"1", "2"},
		},
		"the same, repeatable": {
			SQLStep{SQL: "INSERT INTO seen VALUES ('2'); COMMIT; SELECT hold()", Repeatable: true},
			queue.Done, "done, done, done",
			[]string{"1", "2", "2", "3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSQLSite(t)
			s.Drain = 0
			stop, _, ended := s.start(t)
			id := s.submitSQL(t, held3(tt.step)...)
			pid := s.asleep(t, id)
			stop()
			<-ended
			s.gone(t, pid)
			if job := s.job(t, id); tt.state == queue.Done && (job.State != queue.Pending || job.Crashes != 0 || job.Failures != 0) {
				t.Errorf("%+v", job)
			}
			s.open(t)
			s.start(t)
			s.await(t, id, tt.state, 10*time.Second)
			if got := s.steps(t, id); got != tt.steps {
				t.Error(got)
			}
			if diff := cmp.Diff(tt.seen, s.seen(t)); diff != "" {
				t.Error(diff)
			}
			if job := s.job(t, id); job.State == queue.Failed && job.Error != stoppedReason {
				t.Errorf("%+v", job)
			}
		})
	}
}

// A worker that is lost in a step takes the step with it: nobody can say what it
// had done. The next one first ends what is left of it in the database.
func TestSQLWorkerLost(t *testing.T) {
	for name, tt := range map[string]struct {
		repeatable bool
		state      queue.State
		steps      string
		seen       []string
	}{
		"unknown":    {false, queue.Failed, "done, unknown " + lostReason + ", skipped", []string{"1"}},
		"repeatable": {true, queue.Done, "done, done, done", []string{"1", "2", "3"}},
	} {
		t.Run(name, func(t *testing.T) {
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
			_, kill, _ := startWorker(t, first)
			id := s.submitSQL(t, held3(SQLStep{SQL: holdAt2, Repeatable: tt.repeatable})...)
			pid := s.asleep(t, id)
			cut.Store(true)
			s.open(t)
			s.start(t)
			s.await(t, id, tt.state, 10*time.Second)
			s.gone(t, pid)
			if got := s.steps(t, id); got != tt.steps {
				t.Error(got)
			}
			if diff := cmp.Diff(tt.seen, s.seen(t)); diff != "" {
				t.Error(diff)
			}
			job := s.job(t, id)
			if job.Crashes != 1 || job.State == queue.Failed && job.Error != lostReason {
				t.Errorf("%+v", job)
			}
			// The lost one comes back, and changes nothing.
			cut.Store(false)
			kill()
			if again := s.job(t, id); !cmp.Equal(job, again) {
				t.Errorf("%+v", again)
			}
		})
	}
}

// Cancelling a job stops its step in the database within a second, frees its
// place, and reaches no later step.
func TestSQLCancelled(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitSQL(t, held3(SQLStep{SQL: holdAt2})...)
	next := s.submitSQL(t, SQLStep{SQL: "INSERT INTO seen VALUES ('next')"})
	pid := s.asleep(t, id)
	if left, _, err := s.queue.Cancel(t.Context(), id); err != nil || left != queue.Stopping {
		t.Fatal(left, err)
	}
	s.gone(t, pid)
	s.await(t, next, queue.Done, 10*time.Second) // one runs at a time
	if got := s.steps(t, id); got != "done, cancelled, skipped" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"1", "next"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
}

// A job may be cancelled while nobody holds it any more: what its worker has left running
// in the database is ended by whoever cancels it.
func TestSQLCancelledWhileLost(t *testing.T) {
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
	id := s.submitSQL(t, SQLStep{SQL: "INSERT INTO seen VALUES ('cancelled'); SELECT hold()"})
	pid := s.asleep(t, id)
	cut.Store(true)
	service := NewService(Options{Queue: s.queue, Catalog: s.Catalog, Store: s.store, Sources: s.Sources})
	if _, err := service.CancelSQL(t.Context(), id, "alice"); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); s.runs(t, pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it goes on in the database")
		}
	}
	if got := s.seen(t); len(got) != 0 {
		t.Error(got)
	}
}

// A login that is refused fails the job with the database's words, rather than letting it
// wait for ever.
func TestSQLLoginRefused(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	wrong, err := rows.Open("default", strings.Replace(s.pool.Config().ConnString(), "slashbatch@", "nobody_of_this_name@", 1), rows.SourceOptions{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(wrong.Close)
	s.Sources = map[string]*rows.Source{"default": wrong}
	s.start(t)
	id := s.submitSQL(t, SQLStep{SQL: "SELECT 1"})
	s.await(t, id, queue.Failed, 10*time.Second)
	if got := s.steps(t, id); got != `failed role "nobody_of_this_name" does not exist` {
		t.Error(got)
	}
}

// A time limit is kept by the worker, whatever a step sets for itself.
func TestSQLTimeout(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitSQL(t, held3(SQLStep{SQL: "SET statement_timeout = 0; " + holdAt2, Timeout: 100 * time.Millisecond})...)
	s.await(t, id, queue.Failed, 10*time.Second)
	if got := s.steps(t, id); got != "done, failed canceling statement due to statement timeout, skipped" {
		t.Error(got)
	}
}

// A step whose beginning could not be recorded is not sent, and runs later.
func TestSQLNotRecorded(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.open(t)
	var left atomic.Int32
	left.Store(insistTries)
	s.queue.fault = func(op string, _ func() error) error {
		if op == "steps" && left.Add(-1) >= 0 {
			return queue.ErrUnavailable
		}
		return nil
	}
	s.start(t)
	id := s.submitSQL(t, held3(SQLStep{SQL: holdAt2})...)
	s.await(t, id, queue.Done, 10*time.Second)
	if diff := cmp.Diff([]string{"1", "2", "3"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	if job := s.job(t, id); job.Attempt != 2 {
		t.Errorf("%+v", job)
	}
}

// The end of a step that could not be recorded for long is not forgotten. The job
// then goes on under another claim, into which no late message of this one reaches.
func TestSQLEndNotRecorded(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.open(t)
	var documents, refused atomic.Int32
	s.queue.fault = func(op string, _ func() error) error {
		if op == "steps" && documents.Load() == 1 && refused.Add(1) <= 2*insistTries {
			return queue.ErrUnavailable
		}
		if op == "steps" {
			documents.Add(1)
		}
		return nil
	}
	s.start(t)
	id := s.submitSQL(t, held3(SQLStep{SQL: holdAt2})...)
	s.await(t, id, queue.Done, 10*time.Second)
	if diff := cmp.Diff([]string{"1", "2", "3"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	if job := s.job(t, id); job.Attempt != 2 || job.Crashes != 0 {
		t.Errorf("%+v", job)
	}
}

// A login that may not do something is told so; a database that is away is
// waited for.
func TestSQLRefused(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitSQL(t, SQLStep{SQL: "COPY seen FROM STDIN"})
	s.await(t, id, queue.Failed, 10*time.Second)
	if job := s.job(t, id); !strings.Contains(job.Error, "no input to copy from") {
		t.Errorf("%+v", job)
	}
	if _, err := (SQLRequest{Plan: SQLPlan{Steps: []SQLStep{{SQL: "SELECT '\x00'"}}}}).Submission("x"); err == nil {
		t.Error("NUL in a step")
	}
	if _, err := (SQLRequest{}).Submission("x"); err == nil {
		t.Error("no steps")
	}
}

// Exports and SQL jobs of one user run side by side, SQL jobs one at a time.
func TestLanes(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	first := s.submitSQL(t, SQLStep{SQL: "SELECT hold()"})
	second := s.submitSQL(t, SQLStep{SQL: "INSERT INTO seen VALUES ('second')"})
	s.asleep(t, first)
	export := s.submit(t, "SELECT 1 AS one", "")
	s.await(t, export, queue.Done, 10*time.Second)
	if state := s.job(t, second).State; state != queue.Pending {
		t.Errorf("the second SQL job is %s", state)
	}
	if _, _, err := s.queue.Cancel(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	s.await(t, second, queue.Done, 10*time.Second)
	if got := s.seen(t); !slices.Equal(got, []string{"second"}) {
		t.Error(got)
	}
}

// A document that reaches the queue late, after newer ones, makes no step run twice.
func TestSQLLateDocument(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	late := &lateQueue{Queue: s.queue.Queue}
	s.WorkerOptions.Queue = late
	id := s.submitSQL(t, held3(SQLStep{SQL: holdAt2})...)
	stop, kill, ended := s.start(t)
	pid := s.asleep(t, id)
	late.deliver(t)
	late.dead.Store(true)
	stop()
	kill()
	s.gone(t, pid)
	<-ended
	s.open(t)
	s.WorkerOptions.Queue = s.queue
	s.start(t)
	s.await(t, id, queue.Failed, 10*time.Second)
	if got := s.steps(t, id); got != "done, unknown "+lostReason+", skipped" {
		t.Error(got)
	}
}

// lateQueue loses the first document that tells of a step that is done, takes
// it again, and delivers the lost one when it is told to. Once dead it answers nothing.
type lateQueue struct {
	queue.Queue
	dead atomic.Bool
	lost atomic.Pointer[queue.Beat]
}

func (q *lateQueue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	if q.dead.Load() {
		return nil, queue.ErrUnavailable
	}
	if len(beats) == 1 && strings.Contains(string(beats[0].Steps), string(StepDone)) && q.lost.CompareAndSwap(nil, &beats[0]) {
		return nil, queue.ErrUnavailable
	}
	return q.Queue.Beat(ctx, w, beats)
}

func (q *lateQueue) Release(ctx context.Context, h queue.Holder) error {
	if q.dead.Load() {
		return queue.ErrUnavailable
	}
	return q.Queue.Release(ctx, h)
}

func (q *lateQueue) deliver(t *testing.T) {
	t.Helper()
	if _, err := q.Queue.Beat(t.Context(), queue.Worker{ID: "w", Slots: map[queue.Lane]int{queue.LaneSQL: 1}}, []queue.Beat{*q.lost.Load()}); err != nil {
		t.Error(err)
	}
}
