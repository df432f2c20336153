package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Parameters come from the query, a form or a JSON object alike.
func TestPostBodies(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	want := s.status("/item/batch/status?label=a&label=b&min-mass=1.5&ok=true&_limit=10&_sort=-mass").Key
	for name, a := range map[string]answer{
		"query":     s.post("/item/batch?label=b&label=a&min-mass=1.50&ok=t&_limit=10&_sort=-mass"),
		"form":      s.post("/item/batch", form("label=a&label=b&min-mass=1.5&ok=true&_limit=10&_sort=-mass")),
		"JSON":      s.post("/item/batch", jsonBody(`{"label":["a","b"],"min-mass":1.5,"ok":true,"_limit":10,"_sort":"-mass"}`)),
		"JSON text": s.post("/item/batch", jsonBody(`{"label":["a","b"],"min-mass":"1.5","ok":"true","_limit":"10","_sort":"-mass"}`)),
		"both":      s.post("/item/batch?label=a&min-mass=1.5", form("label=b&ok=true&_limit=10&_sort=-mass")),
		"charset":   s.post("/item/batch?label=a&label=b", header("Content-Type", "application/json; charset=utf-8"), content(`{"min-mass":1.5,"ok":true,"_limit":10,"_sort":"-mass"}`)),
	} {
		if d := s.status(a.wantCode(t, http.StatusSeeOther).location(t)); d.Key != want || d.Status != "Pending" {
			t.Errorf("%s: %s of %s, want Pending of %s", name, d.Status, d.Key, want)
		}
	}
	if d := s.status(s.post("/item/batch").location(t)); *d.PositionInQueue != 2 {
		t.Errorf("the next request is in place %d, want 2: those before were one", *d.PositionInQueue)
	}
}

// Spelling is not part of a request; its rows, columns and order are.
func TestKeys(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	key := func(request string) string { return s.status(statusOf(request)).Key }
	same := key("/item?label=a%20b&size=7")
	for _, request := range []string{
		"/item?size=7&label=a+b", "/item?label=a%20b&size=07", "/item?label=a%20b&size=7&size=7", "/item?l%61bel=a%20b&size=7&mass=",
		"/item?label=a%20b&size=7&_view=default&_offset=0", "/item?label=a%20b&size=7&_format=csv&_wait=0&_fresh=false&_job=x",
		"/item/?label=a%20b&size=7",
	} {
		path, query := split(request)
		if got := s.status(strings.TrimSuffix(path, "/") + "/batch/status" + query).Key; got != same {
			t.Errorf("%s: key %s, want %s", request, got, same)
		}
	}
	seen := map[string]string{same: "the first"}
	for _, request := range []string{
		"/item", "/item?label=a", "/item?label=a&label=b", "/item?label=a,b", "/item?label=a~label%3Db", "/item?label=A", "/item?min-size=7", "/item?mineq-size=7",
		"/item?_limit=1", "/item?_offset=1", "/item?_sort=label", "/item?_sort=-label", "/item?_sort=label&_sort=mass", "/item?_sort=mass&_sort=label",
		"/item?_view=id", "/group/AB/item", "/group/CD/item", "/item?label=" + strings.Repeat("x", 300), "/item?label=" + strings.Repeat("x", 301),
	} {
		k := key(request)
		if other := seen[k]; other != "" || len(k) > 200 || strings.ContainsAny(k, "/?*: ") {
			t.Errorf("%s has the key %q, like %s", request, k, other)
		}
		seen[k] = request
	}
}

func TestFresh(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.minFresh": "1ms"}})
	s.export("/item?label=plain&_view=id")
	execute(t, s.db, "INSERT INTO item (id, grp, label) VALUES (9, 'AB', 'plain')")
	old := "id\r\n1\r\n"
	if got := s.get("/item/batch?label=plain&_view=id").body; got != old {
		t.Errorf("without _fresh: %q, want the file that is there", got)
	}
	if a := s.get("/item/batch?label=plain&_view=id&_fresh=true&_wait=30").wantCode(t, http.StatusOK); a.body != old+"9\r\n" {
		t.Errorf("with _fresh: %q", a.body)
	}
	execute(t, s.db, "DELETE FROM item WHERE id = 9")
	to := s.post("/item/batch?label=plain&_view=id&_fresh=true").wantCode(t, http.StatusSeeOther).location(t)
	s.await("Completed", to)
	if got := s.get("/item/batch?label=plain&_view=id").body; got != old {
		t.Errorf("after a fresh POST: %q", got)
	}
}

// While a fresh run is under way, the older file answers everybody else.
func TestFreshLeavesTheOldFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.minFresh": "1ms"}})
	s.export("/gated")
	open := shut(t, s.db)
	to := s.post("/gated/batch?_fresh=true").wantCode(t, http.StatusSeeOther).location(t)
	s.await("InProgress", to)
	s.get("/gated/batch").wantCode(t, http.StatusOK)
	if d := s.status("/gated/batch/status"); d.Status != "Completed" {
		t.Errorf("the request's status is %s, want Completed by the older file", d.Status)
	}
	open()
	s.await("Completed", to)
}

func TestAtMostOneFreshRun(t *testing.T) {
	t.Parallel()
	s := start(t, setup{}) // minFresh is 10 minutes
	s.export("/item")
	first := s.status("/item/batch/status")
	s.get("/item/batch?_fresh=true").wantCode(t, http.StatusOK)
	s.post("/item/batch?_fresh=true").wantCode(t, http.StatusSeeOther)
	if d := s.status("/item/batch/status"); !d.Generated.Equal(first.Generated) {
		t.Error("a file of a moment ago was made again")
	}
}

func TestMaxAge(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.minFresh": "300ms", "batch.maxAge": "1s"}})
	s.export("/item?label=plain&_view=id")
	d := s.status("/item/batch/status?label=plain&_view=id")
	if age := d.Expires.Sub(d.Generated); age > 2*time.Second {
		t.Fatalf("expires %v after its rows were read, want 1s", age)
	}
	s.eventually("the file has expired", func() bool {
		return s.status("/item/batch/status?label=plain&_view=id").Status == "Unknown"
	})
	s.do(http.MethodHead, "/item/batch?label=plain&_view=id").wantCode(t, http.StatusNotFound)
	s.get("/item/batch?label=plain&_view=id").wantCode(t, http.StatusSeeOther)
}

// An anonymous caller reaches a job by its id, and by nothing else.
func TestAnonymousCancel(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	to := s.post("/item/batch").location(t)
	id := s.status(to).ID
	if id == "" {
		t.Fatalf("%s does not tell the id", to)
	}
	if d := s.status("/item/batch/status"); d.ID != "" || d.Links.Cancel != "" {
		t.Errorf("by query, id %q and cancel %q are shown to anybody", d.ID, d.Links.Cancel)
	}
	if again := s.post("/item/batch").location(t); strings.Contains(again, id) {
		t.Errorf("who only joins is told the id: %s", again)
	}
	s.do(http.MethodDelete, "/item/batch").wantCode(t, http.StatusBadRequest)
	s.do(http.MethodDelete, "/item/batch?_job=8d0c6cf5-9d3f-4e45-a1a5-8a8f1a0c9b11").wantCode(t, http.StatusNotFound)
	s.do(http.MethodDelete, "/item/batch?label=other&_job="+id).wantCode(t, http.StatusNotFound)
	if d := s.status(to); d.Status != "Pending" {
		t.Fatalf("status is %s, want Pending still", d.Status)
	}
	d := decode[status](t, s.do(http.MethodDelete, "/item/batch?_job="+id).wantCode(t, http.StatusOK))
	if d.Status != "Cancelled" || s.status("/item/batch/status").Status != "Cancelled" {
		t.Errorf("status is %s, want Cancelled", d.Status)
	}
	// GET holds back for batch.retryHold, POST does not.
	s.get("/item/batch").wantCode(t, http.StatusSeeOther)
	if got := s.status("/item/batch/status").Status; got != "Cancelled" {
		t.Errorf("after GET: %s", got)
	}
	if got := s.status(s.post("/item/batch").location(t)).Status; got != "Pending" {
		t.Errorf("after POST: %s", got)
	}
}

func TestCancelRunning(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	to := s.post("/gated/batch").location(t)
	cancel := s.await("InProgress", to).Links.Cancel
	s.do(http.MethodDelete, cancel).wantCode(t, http.StatusOK)
	s.await("Cancelled", to)
	// The query ends in the database, and nothing is published.
	s.eventually("the query is cancelled", func() bool {
		return query(t, s.db, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 42 AND NOT granted")[0][0] == "0"
	})
	open()
	s.do(http.MethodHead, "/gated/batch").wantCode(t, http.StatusNotFound)
	if files := results(t, s); len(files) > 0 {
		t.Errorf("left in the store: %v", files)
	}
}

func TestRetryHold(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.retryHold": "300ms"}})
	s.post("/broken/batch")
	first := s.await("Failed", "/broken/batch/status")
	if page := s.get("/broken/batch/status", browser).body; !strings.Contains(page, "division by zero") {
		t.Errorf("the page does not tell the reason:\n%s", page)
	}
	s.eventually("GET runs it again once the hold is over", func() bool {
		s.get("/broken/batch").wantCode(t, http.StatusSeeOther)
		return s.status("/broken/batch/status").Submitted > first.Submitted
	})
	if d := s.await("Failed", "/broken/batch/status"); d.Submitted < first.Finished+300 {
		t.Errorf("run again %d ms after the failure, want 300 at least", d.Submitted-first.Finished)
	}
}
