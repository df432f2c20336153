package blackbox

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestPendingStatus(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	first, second := s.post("/item/batch?label=a").location(t), s.post("/item/batch?label=b").location(t)
	// No worker counts as one slot; the estimate of both is 2 s.
	for i, to := range []string{first, second} {
		d := s.status(to)
		d.answer.wantCode(t, http.StatusOK).wantHeader(t, "Cache-Control", "private, no-cache")
		if d.Status != "Pending" || d.PositionInQueue == nil || *d.PositionInQueue != i+1 || d.ETA == nil || *d.ETA != int64(i+1)*2000 {
			t.Errorf("%s: %s", to, d.answer.body)
		}
		if d.ID == "" || d.Submitted == 0 || d.Started != 0 || d.Finished != 0 || d.URL != "" || d.Rows != nil || d.Error != "" {
			t.Errorf("members that do not belong, or are missing: %s", d.answer.body)
		}
		wait, err := strconv.Atoi(d.answer.header.Get("Retry-After"))
		if err != nil || wait < 1 || wait > 30 {
			t.Errorf("Retry-After %q, want 1 to 30", d.answer.header.Get("Retry-After"))
		}
		if d.Links.Status != s.url+to {
			t.Errorf("links.status %q, want %q", d.Links.Status, s.url+to)
		}
	}
	head := s.do(http.MethodHead, first).wantCode(t, http.StatusOK)
	if head.body != "" || head.header.Get("ETag") == "" {
		t.Errorf("HEAD: body %q, ETag %q", head.body, head.header.Get("ETag"))
	}
}

func TestRunningStatus(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	to := s.post("/gated/batch").location(t)
	d := s.await("InProgress", to)
	if d.PositionInQueue == nil || *d.PositionInQueue != 0 || d.ETA == nil || *d.ETA < 0 || *d.ETA > 60_000 {
		t.Errorf("place and ETA: %s", d.answer.body)
	}
	if d.Started < d.Submitted || d.Attempt != 1 || d.Rows == nil || d.Bytes == nil || d.Finished != 0 || d.URL != "" {
		t.Errorf("members: %s", d.answer.body)
	}
	if d.Progress != nil && (*d.Progress < 0 || *d.Progress >= 1) {
		t.Errorf("progress %v while it runs", *d.Progress)
	}
	open()
	d = s.await("Completed", to)
	if d.URL != s.url+"/gated/batch" || d.Links.Result != d.URL || *d.Rows != 8 || *d.Bytes == 0 || *d.Progress != 1 {
		t.Errorf("members: %s", d.answer.body)
	}
	if d.PositionInQueue != nil || d.ETA != nil || d.Links.Cancel != "" || d.Finished < d.Started {
		t.Errorf("members: %s", d.answer.body)
	}
	if len(d.SHA256) != 64 || d.Generated.IsZero() || !d.Expires.After(d.Generated) {
		t.Errorf("the file's members: %s", d.answer.body)
	}
	d.answer.wantHeader(t, "Retry-After", "")
}

// The ETag leaves the ETA out, so that a poller gets 304 until something happens.
func TestStatusETag(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	to := s.post("/gated/batch").location(t)
	first := s.await("InProgress", to)
	tag := first.answer.header.Get("ETag")
	s.eventually("the ETA has changed", func() bool { d := s.status(to); return d.Status != "InProgress" || *d.ETA != *first.ETA })
	a := s.get(to, header("If-None-Match", tag)).wantCode(t, http.StatusNotModified)
	if a.body != "" || a.header.Get("Retry-After") == "" {
		t.Errorf("304 with body %q, Retry-After %q", a.body, a.header.Get("Retry-After"))
	}
	if html := s.get(to, browser, header("If-None-Match", tag)); html.code != http.StatusOK {
		t.Errorf("the page answers %d to the ETag of the JSON", html.code)
	}
	open()
	s.await("Completed", to)
	s.get(to, header("If-None-Match", tag)).wantCode(t, http.StatusOK)
}

func TestStatusPage(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	to := s.post("/gated/batch?label=%3Cb%3E%22%26&min-id=0").location(t)
	s.await("InProgress", to)
	page := s.get(to, browser).wantCode(t, http.StatusOK)
	for what, part := range map[string]string{
		"reloads without JavaScript": `<meta http-equiv="refresh"`,
		"is found by no crawler":     `<meta name="robots" content="noindex">`,
		"escapes values":             "&lt;b&gt;",
		"says how it stands":         `role="status"`,
		"cancels by a form":          `method="post" action="/gated/batch/cancel?`,
	} {
		if !strings.Contains(page.body, part) {
			t.Errorf("the page does not contain %s (%s)", part, what)
		}
	}
	for _, part := range []string{"<b>", "<script", "http://www", "https://"} {
		if strings.Contains(page.body, part) {
			t.Errorf("the page contains %s", part)
		}
	}
	page.wantHeader(t, "X-Content-Type-Options", "nosniff")
	if p := page.header.Get("Content-Security-Policy"); !strings.Contains(p, "default-src 'none'") || strings.Contains(p, "unsafe-inline") {
		t.Errorf("Content-Security-Policy: %s", p)
	}
	if page.header.Get("Referrer-Policy") == "" {
		t.Error("no Referrer-Policy")
	}
	open()
	s.await("Completed", to)
	page = s.get(to, browser)
	if strings.Contains(page.body, "http-equiv") || !strings.Contains(page.body, `href="`+s.url+`/gated/batch?`) || !strings.Contains(page.body, `rel="nofollow"`) {
		t.Errorf("a ready page that reloads, or offers no download:\n%s", page.body)
	}
	if strings.Contains(page.body, "/cancel") {
		t.Error("a ready page offers to cancel")
	}
}

// Cancelling by form is for this service's own pages.
func TestCancelForm(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	to := s.post("/item/batch").location(t)
	form := strings.Replace(to, "/status", "/cancel", 1)
	foreign := map[string][]func(*http.Request){
		"no origin":           nil,
		"another origin":      {header("Origin", "https://evil.example")},
		"an opaque origin":    {header("Origin", "null")},
		"another site":        {header("Sec-Fetch-Site", "cross-site"), header("Origin", s.url)},
		"a sibling":           {header("Sec-Fetch-Site", "same-site")},
		"another port's page": {header("Origin", "http://127.0.0.1:1")},
	}
	for name, with := range foreign {
		if a := s.post(form, with...); a.code != http.StatusForbidden {
			t.Errorf("%s: answered %d, want 403", name, a.code)
		}
	}
	if d := s.status(to); d.Status != "Pending" {
		t.Fatalf("status is %s, want Pending still", d.Status)
	}
	back := s.post(form, header("Origin", s.url)).wantCode(t, http.StatusSeeOther).location(t)
	if back != to || s.status(to).Status != "Cancelled" {
		t.Errorf("redirected to %s, status %s", back, s.status(to).Status)
	}
	page := s.get(to, browser)
	if !strings.Contains(page.body, `method="post" action="/item/batch"`) {
		t.Error("the page of a cancelled export does not offer another try")
	}
	to = s.post("/item/batch").location(t)
	s.post(strings.Replace(to, "/status", "/cancel", 1), header("Sec-Fetch-Site", "same-origin")).wantCode(t, http.StatusSeeOther)
}

// Places are in the fair order: users take turns, whoever came first.
func TestPositionsOfTwoUsers(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: users})
	var places []int
	for _, request := range []struct{ key, label string }{{aliceKey, "1"}, {aliceKey, "2"}, {aliceKey, "3"}, {bobKey, "4"}} {
		s.post("/item/batch?label="+request.label, bearer(request.key)).wantCode(t, http.StatusSeeOther)
	}
	s.eventually("the snapshot has all of them", func() bool {
		places = places[:0]
		for _, label := range []string{"1", "2", "3", "4"} {
			places = append(places, *s.status("/item/batch/status?label=" + label).PositionInQueue)
		}
		return slices.Equal(places, []int{1, 3, 4, 2})
	})
}
