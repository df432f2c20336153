package blackbox

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOnSuccess(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	to := s.post("/logged/batch?min-id=3").location(t)
	d := s.await("Completed", to)
	want := [][]string{{"onsuccess", d.ID, "5"}}
	s.eventually("the step has run", func() bool { return len(query(t, s.db, "SELECT 1 FROM step_log")) > 0 })
	if diff := cmp.Diff(want, query(t, s.db, "SELECT step, job, row_count FROM step_log")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	s.get("/logged/batch?min-id=3").wantCode(t, http.StatusOK)
	if n := len(query(t, s.db, "SELECT 1 FROM step_log")); n != 1 {
		t.Errorf("the step ran %d times; serving a file runs nothing", n)
	}
}

func TestOnError(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	d := s.await("Failed", s.post("/broken/batch").location(t))
	want := [][]string{{"onerror", d.ID, "division by zero"}}
	if diff := cmp.Diff(want, query(t, s.db, "SELECT step, job, message FROM step_log")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

const brokenStepSpec = `
name: broken-step
path: /broken-step
query: SELECT id FROM item
key: id
batch: {onsuccess: "INSERT INTO step_log (step) VALUES ('half'); SELECT 1 / 0"}
`

// A step that fails changes nothing about the rows, and leaves nothing half done.
func TestBrokenStep(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{brokenStepSpec}})
	s.export("/broken-step")
	s.eventually("the log tells of the step", func() bool { return s.log.count("a step did not do what it was to do", "division by zero") > 0 })
	if rows := query(t, s.db, "TABLE step_log"); len(rows) > 0 {
		t.Errorf("half a step was done: %v", rows)
	}
}

const writingSpec = `
name: writing
path: /writing
query: SELECT set_config('a.b', 'c', false) AS id, nextval('step_log_id_seq') AS n
key: id
`

// The query of an export cannot write.
func TestQueryIsReadOnly(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{writingSpec}})
	s.post("/writing/batch")
	if d := s.await("Failed", "/writing/batch/status"); d.Error == "" {
		t.Error("no reason")
	}
	s.get("/writing").wantCode(t, http.StatusInternalServerError)
}
