package blackbox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The tests TestS… are the lines of SAPI-NT's HTTP batch endpoint, by their numbers.

const allIDs = "id\r\n1\r\n2\r\n3\r\n4\r\n5\r\n6\r\n7\r\n8\r\n"

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

func TestS081GetServesTheResult(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	a := s.export("/item?_view=id&_sort=id")
	a.wantHeader(t, "Content-Type", "text/csv; charset=utf-8")
	if a.body != allIDs {
		t.Errorf("body %q, want %q", a.body, allIDs)
	}
}

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

func TestS084PostOfAReadyExportRedirects(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/item")
	a := s.post("/item/batch").wantCode(t, http.StatusSeeOther)
	if a.body != "" || a.location(t) != "/item/batch/status" {
		t.Errorf("redirected to %s with body %q", a.location(t), a.body)
	}
}

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

func TestS089FailureHasAReason(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.post("/broken/batch")
	d := s.await("Failed", "/broken/batch/status")
	if d.Error != "division by zero" || d.URL != "" || d.Links["result"] != "" {
		t.Errorf("error %q, url %q, result %q", d.Error, d.URL, d.Links["result"])
	}
	if s.log.count("export failed", "division by zero") == 0 {
		t.Error("the log does not tell the reason")
	}
}

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

func TestS098URLDelivers(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	file := s.export("/group/AB/item?_sort=-id")
	d := s.status("/group/AB/item/batch/status?_sort=-id")
	if want := s.url + "/group/AB/item/batch?_sort=-id"; d.URL != want {
		t.Errorf("url %q, want %q", d.URL, want)
	}
	if a := s.get(d.URL).wantCode(t, http.StatusOK); a.body != file.body {
		t.Errorf("url delivers %q", a.body)
	}
}

func TestS100StatusPageForBrowsers(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	s.post("/item/batch")
	for accept, want := range map[string]string{
		"":                                  "application/json",
		"*/*":                               "application/json",
		"application/json":                  "application/json",
		"application/json, text/html":       "text/html; charset=utf-8",
		"application/json, text/html;q=0.5": "application/json",
		"text/html":                         "text/html; charset=utf-8",
		"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8": "text/html; charset=utf-8",
		"text/*": "application/json",
	} {
		var with []func(*http.Request)
		if accept != "" {
			with = append(with, header("Accept", accept))
		}
		if got := s.get("/item/batch/status", with...).wantCode(t, http.StatusOK).header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
	}
}

func TestS101GzipDownload(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	plain := s.export("/item?_view=wide")
	zipped := s.get("/item/batch?_view=wide", header("Accept-Encoding", "gzip")).wantCode(t, http.StatusOK)
	zipped.wantHeader(t, "Content-Encoding", "gzip").wantHeader(t, "Content-Type", "text/csv; charset=utf-8")
	if got := inflated(t, zipped.body); got != plain.body {
		t.Errorf("inflated it is %q, want %q", got, plain.body)
	}
}

func TestS102PollingTheBatchURL(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	follow := *client
	follow.CheckRedirect = nil
	poll := func() string {
		response, err := follow.Get(s.url + "/gated/batch?_view=default")
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		mediaType, _, _ := strings.Cut(response.Header.Get("Content-Type"), ";")
		return mediaType
	}
	for range 3 {
		if got := poll(); got != "application/json" {
			t.Fatalf("while it runs: %s, want the status", got)
		}
	}
	open()
	s.eventually("text/csv", func() bool { return poll() == "text/csv" })
}

func TestS103RepeatedFilterIsOneJob(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if got, want := s.export("/item?label=plain&label=last&_view=id&_sort=id").body, "id\r\n1\r\n8\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// The same values in another order are the same request.
	s.get("/item/batch?_sort=id&label=last&label=plain&_view=id&label=last").wantCode(t, http.StatusOK)
}

func TestS104BadParametersAreRefusedAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodDelete} {
		s.do(method, "/item/batch?size=many").wantCode(t, http.StatusBadRequest)
	}
	s.get("/item/batch/status?size=many").wantCode(t, http.StatusBadRequest)
	if d := s.status(s.post("/item/batch").location(t)); *d.PositionInQueue != 1 {
		t.Errorf("the first good request is in place %d, want 1: nothing was queued before", *d.PositionInQueue)
	}
}

func TestS105UnknownRequest(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for range 2 { // looking did not queue it
		d := s.status("/item/batch/status?label=x")
		d.answer.wantCode(t, http.StatusNotFound)
		if d.Status != "Unknown" || d.Key == "" {
			t.Errorf("status %q, key %q", d.Status, d.Key)
		}
	}
	page := s.get("/item/batch/status?label=x", browser).wantCode(t, http.StatusNotFound)
	if !strings.Contains(page.body, `action="/item/batch?label=x"`) {
		t.Errorf("the page does not offer to start it:\n%s", page.body)
	}
}

// items are the rows of a JSON answer.
func items(t *testing.T, a answer) []map[string]any {
	t.Helper()
	return decode[struct{ Items []map[string]any }](t, a.wantCode(t, http.StatusOK)).Items
}
