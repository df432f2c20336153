package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestWaitGetsTheFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if a := s.get("/item/batch?_view=id&_sort=id&_wait=30").wantCode(t, http.StatusOK); a.body != allIDs {
		t.Errorf("the file is %q", a.body)
	}
	// Ready, or nothing to wait for: the same.
	s.get("/item/batch?_view=id&_sort=id&_wait=0").wantCode(t, http.StatusOK)
}

func TestWaitIsWokenUp(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodGet, "/gated/batch?_wait=40")
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	s.eventually("the wait has queued it", func() bool { return s.status("/gated/batch/status").Status == "InProgress" })
	open()
	if a := <-got; a.code != http.StatusOK || !strings.HasPrefix(a.body, "id,label\r\n") {
		t.Errorf("answered %d: %s", a.code, a.body)
	}
}

// When time is up, no program must take the answer for rows.
func TestWaitTimeIsUp(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: map[string]any{"batch.maxWait": "1s"}})
	for target, least := range map[string]time.Duration{
		"/item/batch?label=a&_wait=0":   0,
		"/item/batch?label=b&_wait=1":   time.Second,
		"/item/batch?label=c&_wait=300": time.Second, // batch.maxWait
	} {
		began := time.Now()
		a := s.get(target).wantCode(t, http.StatusServiceUnavailable)
		if took := time.Since(began); took < least {
			t.Errorf("%s: answered after %v, want to be held for %v", target, took, least)
		}
		a.wantHeader(t, "Content-Type", "application/problem+json")
		request, _, _ := strings.Cut(target, "&_wait")
		want := s.url + strings.Replace(request, "/batch", "/batch/status", 1)
		if p := decode[problem](t, a); p.StatusURL != want || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: statusUrl %q, Retry-After %q", target, p.StatusURL, a.header.Get("Retry-After"))
		}
		// It goes on meanwhile.
		if d := s.status(strings.TrimPrefix(want, s.url)); d.Status != "Pending" {
			t.Errorf("%s: status is %s afterwards", target, d.Status)
		}
	}
	if a := s.get("/item/batch?_wait=0", browser); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "/item/batch/status") {
		t.Errorf("a browser gets %s: %s", a.header.Get("Content-Type"), clip(a.body))
	}
}

func TestWaitForAFailure(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for range 2 { // the second time the failure is there already
		a := s.get("/broken/batch?_wait=30").wantCode(t, http.StatusInternalServerError)
		p := decode[problem](t, a)
		if !strings.Contains(p.Detail, "division by zero") || p.StatusURL != s.url+"/broken/batch/status" {
			t.Errorf("detail %q, statusUrl %q", p.Detail, p.StatusURL)
		}
	}
	if files := results(t, s); len(files) > 0 {
		t.Errorf("a failed run left %v", files)
	}
}

func TestWaitForACancelled(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	to := s.post("/item/batch").location(t)
	got := make(chan int, 1)
	go func() {
		a, err := s.try(http.MethodGet, "/item/batch?_wait=40")
		if err != nil {
			t.Error(err)
		}
		got <- a.code
	}()
	s.do(http.MethodDelete, s.status(to).Links.Cancel).wantCode(t, http.StatusOK)
	if code := <-got; code == http.StatusOK || code < 400 {
		t.Errorf("answered %d, want an error", code)
	}
}
