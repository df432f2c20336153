package blackbox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests TestS… are the lines of SAPI-NT's HTTP batch endpoint, by their numbers: S-080 to
// S-091 here, S-092 in fleet_test.go, S-093 to S-096 in sapi_config_test.go, S-097 in
// outage_test.go, S-098 to S-105 in sapi_status_test.go.

const allIDs = "id\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n"

// S-080: a GET that is not cached queues, and redirects to the status.
func TestS080GetQueuesAndRedirects(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	to := s.get("/item/batch?min-size=1&label=x").wantCode(t, http.StatusSeeOther).location(t)
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	want := url.Values{"label": {"x"}, "min-size": {"1"}, "_job": u.Query()["_job"]}
	if u.Path != "/item/batch/status" || !cmp.Equal(u.Query(), want) {
		t.Errorf("redirected to %s, want the status of the same request", to)
	}
	if d := s.status(to); d.Status != "Pending" {
		t.Errorf("status is %s, want Pending", d.Status)
	}
}

// S-081: a GET that is cached gives the file, text/csv by default.
func TestS081GetServesTheResult(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	a := s.export("/item?_view=id&_sort=id")
	a.wantHeader(t, "Content-Type", "text/csv; charset=utf-8")
	if a.body != allIDs {
		t.Errorf("body %q, want %q", a.body, allIDs)
	}
}

// S-082: a POST queues, and redirects to the status.
func TestS082PostQueuesAndRedirects(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	a := s.post("/item/batch?label=x").wantCode(t, http.StatusSeeOther)
	if a.body != "" {
		t.Errorf("body %q, want none", a.body)
	}
	if to := a.location(t); !strings.HasPrefix(to, "/item/batch/status?") {
		t.Errorf("redirected to %s", to)
	}
	if d := s.status("/item/batch/status?label=x"); d.Status != "Pending" {
		t.Errorf("status is %s, want Pending", d.Status)
	}
}

// S-083: a POST of what is queued makes no second job.
func TestS083PostAgainMakesNoSecondJob(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	first := s.status(s.post("/item/batch?label=x").location(t))
	for _, method := range []string{http.MethodPost, http.MethodGet} {
		s.do(method, "/item/batch?label=x").wantCode(t, http.StatusSeeOther).location(t)
	}
	if d := s.status("/item/batch/status?label=x"); d.Submitted != first.Submitted || *d.PositionInQueue != 1 {
		t.Errorf("submitted at %d in place %d, want %d and 1", d.Submitted, *d.PositionInQueue, first.Submitted)
	}
	// A job behind it shows how many there are.
	if d := s.status(s.post("/item/batch?label=y").location(t)); *d.PositionInQueue != 2 {
		t.Errorf("the next job is in place %d, want 2", *d.PositionInQueue)
	}
}

// S-084: a POST of what is complete redirects, and gives no data.
func TestS084PostOfAReadyExportRedirects(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/item")
	a := s.post("/item/batch").wantCode(t, http.StatusSeeOther)
	if a.body != "" || a.location(t) != "/item/batch/status" {
		t.Errorf("redirected to %s with body %q", a.location(t), a.body)
	}
}

// S-085: the status has at least key and status.
func TestS085StatusIsJSON(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	s.post("/item/batch")
	d := s.status("/item/batch/status")
	d.answer.wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "application/json")
	if d.Key == "" || d.Status != "Pending" {
		t.Errorf("key %q, status %q", d.Key, d.Status)
	}
}

// S-086: the file is what the interactive request gives.
func TestS086BatchEqualsInteractive(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, request := range []string{
		"/group/AB/item", "/group/CD/item?min-mass=3", "/item?_view=wide&_sort=-id&_limit=4&_offset=1", "/group/ZZ/item",
		"/item?label=plain&label=last&_sort=label", "/item?exists-mass=false&_view=wide", "/item?attrs.colour=red",
	} {
		path, query := split(request)
		if query == "" {
			query = "?"
		}
		rows := s.get(path+query+"&_format=csv").wantCode(t, http.StatusOK)
		if file := s.export(request); file.body != rows.body {
			t.Errorf("%s\nfile: %q\nrows: %q", request, file.body, rows.body)
		}
	}
}

// S-087: the soft limit is for interactive requests only.
func TestS087NoSoftLimitInBatch(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if n := len(items(t, s.get("/item"))); n != 3 {
		t.Errorf("%d rows interactively, want the soft limit, 3", n)
	}
	if n := strings.Count(s.export("/item?_view=id").body, "\r\n") - 1; n != 8 {
		t.Errorf("%d rows in the file, want 8", n)
	}
}

// S-088: _limit counts in a batch.
func TestS088LimitCountsInBatch(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if got, want := s.export("/item?_view=id&_limit=6&_offset=1").body, "id\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n"; got != want {
		t.Errorf("got %q, want %q: the hard limit does not apply, and the order is by key", got, want)
	}
	if got, want := s.export("/item?_view=id&_limit=0").body, "id\r\n"; got != want {
		t.Errorf("_limit=0 gives %q, want %q", got, want)
	}
}

// S-089: a query that fails is Failed, with a line in the log.
func TestS089FailureHasAReason(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.post("/broken/batch")
	d := s.await("Failed", "/broken/batch/status")
	if d.Error != "division by zero" || d.URL != "" || d.Links.Result != "" {
		t.Errorf("error %q, url %q, result %q", d.Error, d.URL, d.Links.Result)
	}
	if s.log.count("export failed", "division by zero") == 0 {
		t.Error("the log does not tell the reason")
	}
}

// S-090: a failed request is queued again by POST, by GET once batch.retryHold is over, by looking never.
func TestS090FailedIsQueuedAgain(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.retryHold": "1h"}})
	s.post("/broken/batch")
	first := s.await("Failed", "/broken/batch/status")
	// Neither looking nor GET within batch.retryHold starts another run.
	s.get("/broken/batch").wantCode(t, http.StatusSeeOther)
	if d := s.status("/broken/batch/status"); d.Status != "Failed" || d.Submitted != first.Submitted {
		t.Errorf("after GET: %s, submitted %d; want the first run's failure", d.Status, d.Submitted)
	}
	execute(t, s.db, "UPDATE divisor SET by = 5 WHERE by = 0")
	if got, want := s.export("/broken").body, "id,tenth\r\n1,10\r\n2,2\r\n"; got != want {
		t.Errorf("after POST the file is %q, want %q", got, want)
	}
}

const retriedSpec = `
name: retried
path: /retried
query: SELECT id, 10 / by AS tenth FROM divisor
key: id
batch: {retry: 1}
`

// S-091: retry r is r + 1 runs, then the next request is taken.
func TestS091Retry(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{retriedSpec}, settings: map[string]any{"batch.process.retry": 2, "batch.process.workers.export": 1}})
	s.post("/broken/batch")
	s.post("/item/batch")
	d := s.await("Failed", "/broken/batch/status")
	if n := s.log.count("export failed", "division by zero"); n != 3 || d.Attempt != 3 {
		t.Errorf("%d runs, attempt %d; want 3: retry and the first", n, d.Attempt)
	}
	s.await("Completed", "/item/batch/status")
	// The endpoint's own number replaces the service's.
	s.post("/retried/batch")
	if d := s.await("Failed", "/retried/batch/status"); d.Attempt != 2 {
		t.Errorf("attempt %d, want 2", d.Attempt)
	}
	if rows := query(t, s.db, "SELECT count(*) FROM step_log"); rows[0][0] != "1" {
		t.Errorf("onerror ran %s times, want once, after the last attempt", rows[0][0])
	}
}

// items are the rows of a JSON answer.
func items(t *testing.T, a answer) []map[string]any {
	t.Helper()
	return decode[struct{ Items []map[string]any }](t, a.wantCode(t, http.StatusOK)).Items
}
