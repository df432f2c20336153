package jobs

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"slashbatch/queue"

	"github.com/google/go-cmp/cmp"
)

func (s *site) submitPlan(t *testing.T, plan SQLPlan) string {
	t.Helper()
	plan.Source, plan.MaxAge = "default", time.Hour
	job, err := s.service().SubmitSQL(t.Context(), SQLRequest{Plan: plan, User: "alice", RunningCap: 1})
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}

func (s *site) sqlJob(t *testing.T, id string) SQLJob {
	t.Helper()
	job, err := s.service().SQLJob(t.Context(), id, "alice")
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func insert(what string) string { return "INSERT INTO seen VALUES ('" + what + "')" }

// Fallbacks run where they belong, and what they come to changes nothing else.
func TestSQLFallbacks(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitPlan(t, SQLPlan{
		Steps: []SQLStep{
			{SQL: insert("1"), OnSuccess: insert("2 <%= job_id %>"), OnError: insert("never")},
			{SQL: insert("3"), OnSuccess: "INSERT INTO nowhere VALUES (1)"},
			{SQL: "SELECT 1/0", OnSuccess: insert("never"), OnError: insert("4 <%= error_message %> ") + "; INSERT INTO seen SELECT '5 ' || current_setting('batch.error_message')"},
			{SQL: insert("never"), OnSuccess: insert("never")},
		},
		OnSuccess: insert("never"), OnError: insert("6 <%= job_id %> <%=error_message%>"),
	})
	s.await(t, id, queue.Failed, 10*time.Second)
	want := []string{"1", "2 " + id, "3", "4 division by zero ", "5 division by zero", "6 " + id + " division by zero"}
	if diff := cmp.Diff(want, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	const zero, nowhere = "division by zero", `relation "nowhere" does not exist`
	got := s.sqlJob(t, id).Status
	for i := range got.Steps {
		got.Steps[i].Started, got.Steps[i].Ended = time.Time{}, time.Time{}
	}
	if diff := cmp.Diff(SQLStatus{
		Status: StepFailed, FailedReason: zero, FallbackStatus: StepDone,
		Steps: []SQLStepStatus{
			{Status: StepDone, FallbackStatus: StepDone},
			{Status: StepDone, FallbackStatus: StepFailed, FallbackFailedReason: nowhere},
			{Status: StepFailed, FailedReason: zero, FallbackStatus: StepDone},
			{Status: StepSkipped, FallbackStatus: StepSkipped},
		},
	}, got); diff != "" {
		t.Error(diff)
	}
}

// Whatever the database says goes into a fallback as a value, byte for byte.
func TestSQLErrorMessage(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	const message = "it's $& $' \\ \\' % \"\n'); DROP TABLE seen; -- */ ä"
	id := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{
		SQL:     "DO $do$ BEGIN RAISE EXCEPTION USING MESSAGE = $m$" + message + "$m$; END $do$",
		OnError: "INSERT INTO seen VALUES ('<%= error_message %>'), (E'<%= error_message %>'), (<%= error_message %>)",
	}}})
	s.await(t, id, queue.Failed, 10*time.Second)
	if diff := cmp.Diff([]string{message, message, message}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
}

// A fallback that was left running is unknown, as a step is, and the job goes on.
func TestSQLFallbackLost(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	stop, kill, ended := s.start(t)
	id := s.submitPlan(t, SQLPlan{
		Steps:   []SQLStep{{SQL: insert("1"), OnSuccess: insert("2") + "; COMMIT; SELECT hold()"}, {SQL: insert("3")}},
		OnError: insert("never"), OnSuccess: insert("4"),
	})
	s.asleep(t, id)
	stop()
	kill()
	<-ended
	s.open(t)
	s.start(t)
	s.await(t, id, queue.Done, 10*time.Second)
	if diff := cmp.Diff([]string{"1", "2", "3", "4"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	if got := s.sqlJob(t, id).Status; got.Status != StepDone || got.Steps[0].FallbackStatus != StepUnknown || got.FallbackStatus != StepDone {
		t.Errorf("%+v", got)
	}
}

// The steps have ended while the job's fallback still runs: that may be cancelled, the
// rest stands.
func TestSQLCancelFallback(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: "SELECT 7 AS n"}}, OnSuccess: insert("1") + "; SELECT hold()"})
	pid := s.asleep(t, id)
	if got := s.sqlJob(t, id).Status; got.Status != StepDone || got.FallbackStatus != StepRunning {
		t.Errorf("before: %+v", got)
	}
	job, err := s.service().CancelSQL(t.Context(), id, "alice")
	if err != nil || job.Status.Status != StepDone || job.Status.FallbackStatus != StepCancelled {
		t.Errorf("%+v, %v", job.Status, err)
	}
	s.gone(t, pid)
	if got := s.seen(t); len(got) != 0 {
		t.Errorf("the fallback had its effect: %q", got)
	}
	if _, err := s.service().CancelSQL(t.Context(), id, "alice"); err == nil || err.Error() != "Cannot set status from done to cancelled" {
		t.Error(err)
	}
	if got := s.result(t, id); got != "n\r\n7\r\n" {
		t.Errorf("the result is %q", got)
	}
}

// result is the file of a job's rows.
func (s *site) result(t *testing.T, id string) string {
	t.Helper()
	entry, err := s.service().SQLResult(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	body, _, err := s.Store.Open(t.Context(), entry.File.Object, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = body.Close() }()
	plain, err := gzip.NewReader(body)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The result is what the last main step with rows gave, and nothing else is left.
func TestSQLResult(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	id := s.submitPlan(t, SQLPlan{Steps: []SQLStep{
		{SQL: "SELECT 'superseded' AS a"},
		{SQL: "SELECT 'superseded, too'; SELECT n, 'x,' || n AS b FROM generate_series(1, 3) n; " + insert("1"), OnSuccess: "SELECT 'not a main step'"},
		{SQL: insert("2")},
	}})
	s.await(t, id, queue.Done, 10*time.Second)
	if got := s.result(t, id); got != "n,b\r\n1,\"x,1\"\r\n2,\"x,2\"\r\n3,\"x,3\"\r\n" {
		t.Errorf("%q", got)
	}
	var objects []string
	for o, err := range s.Store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		objects = append(objects, o.Name)
	}
	if len(objects) != 1 || !strings.Contains(objects[0], id) {
		t.Errorf("objects: %q", objects)
	}
}

// A job that fails has no result, and neither has one without rows; too many rows end
// the step that gives them.
func TestSQLNoResult(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.start(t)
	failed := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: "SELECT 1"}, {SQL: "SELECT 1/0"}}})
	none := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: insert("1")}}})
	long := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: insert("never") + "; SELECT repeat('x', 100), pg_sleep(0.001) FROM generate_series(1, 100000)"}}, ResultBytes: 5000})
	s.await(t, failed, queue.Failed, 10*time.Second)
	s.await(t, none, queue.Done, 10*time.Second)
	s.await(t, long, queue.Failed, 20*time.Second)
	for _, id := range []string{failed, none, long} {
		if e, err := s.service().SQLResult(t.Context(), id); err == nil {
			t.Errorf("%+v", e)
		}
	}
	if got := s.sqlJob(t, long).Status.FailedReason; got != "the result is larger than limits.resultBytes allows" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"1"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	for o := range s.Store.List(t.Context(), "") {
		t.Errorf("left over: %s", o.Name)
	}
}

// A store that takes nothing does not make a step run twice: what was committed before
// its rows were refused is done.
func TestSQLStoreFull(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.store.full.Store(true)
	s.start(t)
	quick := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: insert("quick") + "; SELECT 1"}}})
	s.await(t, quick, queue.Done, 20*time.Second)
	if got := s.sqlJob(t, quick).Status; got.ResultError != "step 1: the rows could not be stored" {
		t.Errorf("%+v", got)
	}
	// These rows come long before the end, and are refused before it.
	long := s.submitPlan(t, SQLPlan{Steps: []SQLStep{{SQL: insert("long") + "; SELECT n, pg_sleep(0.0001) FROM generate_series(1, 1000000) n"}}})
	s.await(t, long, queue.Failed, 20*time.Second)
	if got := s.steps(t, long); got != "failed the rows could not be stored" {
		t.Error(got)
	}
	if diff := cmp.Diff([]string{"quick"}, s.seen(t)); diff != "" {
		t.Error(diff)
	}
	s.published(t, 0)
}
