package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// The lines of SAPI-NT's HTTP batch endpoint that are about what one is told on the way.

// S-098: the status's url delivers the file.
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

// S-100: browsers get the status as a page, */* as JSON.
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

// S-101: gzip for those who accept it.
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

// S-102: who polls the batch URL gets statuses, then the file.
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

// S-103: a repeated filter is one job.
func TestS103RepeatedFilterIsOneJob(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if got, want := s.export("/item?label=plain&label=last&_view=id&_sort=id").body, "id\r\n1\r\n8\r\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// The same values in another order are the same request.
	s.get("/item/batch?_sort=id&label=last&label=plain&_view=id&label=last").wantCode(t, http.StatusOK)
}

// S-104: bad parameters are a 400 at once.
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

// S-105: a request never submitted is a 404 with "Unknown", and looking queues nothing.
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
