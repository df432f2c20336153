package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// What a browser fetches ahead or for another site's page queues nothing.
func TestEmbeddedGetQueuesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for name, with := range map[string][]func(*http.Request){
		"prefetch":      {header("Sec-Purpose", "prefetch")},
		"prerender":     {header("Sec-Purpose", "prefetch;prerender")},
		"foreign image": {header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Dest", "image")},
		"foreign fetch": {header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Dest", "empty")},
		"foreign frame": {header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Dest", "iframe")},
	} {
		if to := s.get("/item/batch", with...).wantCode(t, http.StatusSeeOther).location(t); to != "/item/batch/status" {
			t.Errorf("%s: redirected to %s", name, to)
		}
		if d := s.status("/item/batch/status"); d.Status != "Unknown" {
			t.Fatalf("%s: status is %s, want Unknown", name, d.Status)
		}
	}
	for i, with := range [][]func(*http.Request){
		{header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Dest", "document")}, // a link was followed
		{header("Sec-Fetch-Site", "same-origin"), header("Sec-Fetch-Dest", "empty")},
		{header("Sec-Fetch-Site", "none"), header("Sec-Fetch-Dest", "document")},
		nil,
	} {
		request := "/item?label=" + strings.Repeat("x", i+1)
		s.get(twin(request), with...).wantCode(t, http.StatusSeeOther)
		if d := s.status(statusOf(request)); d.Status != "Pending" {
			t.Errorf("navigation %d: status is %s, want Pending", i, d.Status)
		}
	}
}

func TestHeadQueuesNothing(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	a := s.do(http.MethodHead, "/item/batch").wantCode(t, http.StatusNotFound)
	if a.body != "" || s.status("/item/batch/status").Status != "Unknown" {
		t.Errorf("body %q, status %s", a.body, s.status("/item/batch/status").Status)
	}
}

func TestPreferRespondAsync(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	a := s.get("/item?label=a", header("Prefer", "handling=lenient, respond-async; wait=10")).wantCode(t, http.StatusAccepted)
	a.wantHeader(t, "Preference-Applied", "respond-async")
	if to := a.location(t); !strings.HasPrefix(to, "/item/batch/status?") || s.status(to).Status != "Pending" {
		t.Errorf("Location %s", to)
	}
	s.get("/no-twin", header("Prefer", "respond-async")).wantCode(t, http.StatusOK)
	s.get("/item?label=b", header("Prefer", "return=minimal")).wantCode(t, http.StatusOK)
}

func TestPublicURL(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"server.publicUrl": "https://data.example/api/"}})
	a := s.post("/item/batch", header("X-Forwarded-Host", "evil.example")).wantCode(t, http.StatusSeeOther)
	if to := a.header.Get("Location"); !strings.HasPrefix(to, "https://data.example/api/item/batch/status") {
		t.Errorf("redirected to %s", to)
	}
	d := s.await("Completed", "/item/batch/status")
	if want := "https://data.example/api/item/batch"; d.URL != want {
		t.Errorf("url %q, want %q", d.URL, want)
	}
	if body := s.get("/item").body; !strings.Contains(body, `"batch":"https://data.example/api/item/batch"`) {
		t.Errorf("meta: %s", clip(body))
	}
	page := s.get("/item/batch/status?label=x", browser).body
	if !strings.Contains(page, `action="https://data.example/api/item/batch?label=x"`) && !strings.Contains(page, `action="/api/item/batch?label=x"`) {
		t.Errorf("the page's form leads elsewhere:\n%s", page)
	}
}

func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	forwarded := []func(*http.Request){
		header("X-Forwarded-Proto", "https"), header("X-Forwarded-Host", "data.example"), header("X-Forwarded-For", "192.0.2.7"),
	}
	trusting := start(t, setup{idle: true, settings: map[string]any{"server.trustedProxies": []string{"127.0.0.0/8"}, "auth.anonymous.queued": 1}})
	to := trusting.post("/item/batch", forwarded...).wantCode(t, http.StatusSeeOther).header.Get("Location")
	if !strings.HasPrefix(to, "https://data.example/item/batch/status") {
		t.Errorf("behind a trusted proxy redirected to %s", to)
	}
	// Caps are per client behind the proxy, IPv6 by /64.
	more := func(label, address string) int {
		return trusting.post("/item/batch?label="+label, header("X-Forwarded-For", address)).code
	}
	for _, tt := range []struct {
		address string
		code    int
	}{
		{"192.0.2.7", 429},
		{"192.0.2.8", 303},
		{"192.0.2.8", 429},
		{"192.0.2.9, 192.0.2.8", 429},
		{"192.0.2.8, 127.0.0.9", 429},
		{"2001:db8::1", 303},
		{"2001:db8::2", 429},
		{"2001:db8:0:1::1", 303},
		{"::ffff:192.0.2.7", 429},
	} {
		if got := more(strings.NewReplacer(".", "", ":", "", ",", "", " ", "").Replace(tt.address)+"x", tt.address); got != tt.code && tt.code == 303 {
			t.Errorf("from %s: %d, want %d", tt.address, got, tt.code)
		} else if got := more("another"+strings.Map(word, tt.address), tt.address); got != 429 {
			t.Errorf("once more from %s: %d, want 429", tt.address, got)
		}
	}

	wary := start(t, setup{idle: true, settings: map[string]any{"auth.anonymous.queued": 1}})
	if to := wary.post("/item/batch", forwarded...).header.Get("Location"); !strings.HasPrefix(to, wary.url) {
		t.Errorf("without a trusted proxy redirected to %s", to)
	}
	wary.post("/item/batch?label=x", header("X-Forwarded-For", "192.0.2.8")).wantCode(t, http.StatusTooManyRequests)
	if to := wary.get("/item/batch", header("Host", "ignored")).location(t); to == "" {
		t.Error("no location")
	}
}

func word(r rune) rune {
	if r == '.' || r == ':' || r == ',' || r == ' ' {
		return -1
	}
	return r
}

// An address is no identity: who knows the id of an anonymous job may end it
// from anywhere, as after a change of networks.
func TestCancelFromAnotherAddress(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: map[string]any{"server.trustedProxies": []string{"127.0.0.1"}}})
	to := s.post("/item/batch", header("X-Forwarded-For", "192.0.2.1")).location(t)
	cancel := s.status(to).Links.Cancel
	s.do(http.MethodDelete, cancel, header("X-Forwarded-For", "192.0.2.2")).wantCode(t, http.StatusOK)
	if d := s.status(to); d.Status != "Cancelled" {
		t.Errorf("status is %s, want Cancelled", d.Status)
	}
}

func TestRobotsAndHealth(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	robots := s.get("/robots.txt").wantCode(t, http.StatusOK)
	if !strings.Contains(robots.body, "User-agent: *") || !strings.Contains(robots.body, "Disallow: /*/batch") {
		t.Errorf("robots.txt: %s", robots.body)
	}
	s.get("/healthz").wantCode(t, http.StatusOK)
	s.get("/readyz").wantCode(t, http.StatusOK).wantHeader(t, "Cache-Control", "no-store")
}
