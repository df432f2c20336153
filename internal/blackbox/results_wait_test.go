package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// _wait is over both stages, and gives the file or an error.
func TestWaitForAFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodGet, "/gated/batch?_format=parquet&_wait=40")
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	s.eventually("the wait has queued it", func() bool { return s.status("/gated/batch/status").Status == "InProgress" })
	open()
	if _, rows := table(t, "parquet", (<-got).wantCode(t, http.StatusOK).body); len(rows) != 8 {
		t.Errorf("rows %v", rows)
	}
	a := s.get("/broken/batch?_format=parquet&_wait=30").wantCode(t, http.StatusInternalServerError)
	if p := decode[problem](t, a); !strings.Contains(p.Detail, "division by zero") || p.StatusURL != s.url+"/broken/batch/status?_format=parquet" {
		t.Errorf("detail %q, statusUrl %q", p.Detail, p.StatusURL)
	}
}

// A file of rows read anew is of one run, which ended a while ago when the file is there.
func TestWaitForAFreshFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.minFresh": "1ms"}})
	s.waited("/logged", "ndjson")
	if a := s.get("/logged/batch?_format=ndjson&_wait=30&_fresh=true").wantCode(t, http.StatusOK); strings.Count(a.body, "\n") != 8 {
		t.Errorf("the file is %q", a.body)
	}
	if runs := query(t, s.db, "SELECT count(*) FROM step_log")[0][0]; runs != "2" {
		t.Errorf("%s runs, want 2", runs)
	}
}

// When time is up while the file is being made, no program takes the answer for one.
func TestWaitForAFileIsUp(t *testing.T) {
	t.Parallel()
	s, open := busy(t, setup{})
	a := s.get("/item/batch?_format=parquet&_sort=id&_wait=1").wantCode(t, http.StatusServiceUnavailable)
	want := s.url + "/item/batch/status?_format=parquet&_sort=id"
	if p := decode[problem](t, a); p.StatusURL != want || a.header.Get("Retry-After") == "" {
		t.Errorf("statusUrl %q, Retry-After %q", p.StatusURL, a.header.Get("Retry-After"))
	}
	// It goes on meanwhile, with all who wait.
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodGet, "/item/batch?_format=parquet&_sort=id&_wait=40")
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	open()
	(<-got).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", fileTypes["parquet"])
}

// A file that is gone from the store is made again, without the rows being read again.
func TestLostFileOfAForm(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	file := s.waited("/item?_sort=id", "parquet")
	read := s.status("/item/batch/status?_sort=id").Generated
	removeStored(t, s, ".parquet")
	s.get("/item/batch?_sort=id&_format=parquet").wantCode(t, http.StatusSeeOther)
	if again := s.waited("/item?_sort=id", "parquet"); again.body != file.body {
		t.Error("made again, it is another file")
	}
	if d := s.status("/item/batch/status?_sort=id"); !d.Generated.Equal(read) {
		t.Error("the rows were read again")
	}
}
