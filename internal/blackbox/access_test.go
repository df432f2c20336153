package blackbox

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const aliceKey, bobKey = "alice's key", "b0b"

// users is a configuration with two of them.
var users = map[string]any{"auth.users": []any{
	map[string]any{"name": "alice", "keys": []any{map[string]any{"sha256": digest(aliceKey)}}},
	map[string]any{"name": "bob", "keys": []any{map[string]any{"sha256": digest(bobKey)}}},
}}

func digest(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:])
}

func basic(name, key string) func(*http.Request) {
	return func(r *http.Request) { r.SetBasicAuth(name, key) }
}

// with adds settings to others.
func with(settings map[string]any, more map[string]any) map[string]any {
	all := map[string]any{}
	for _, m := range []map[string]any{settings, more} {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestAccess(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: users})
	nothing := func(*http.Request) {}
	callers := []struct {
		name string
		auth func(*http.Request)
		// codes of a public endpoint, one for every key, and one for alice alone
		public, inside, alices int
	}{
		{"nobody", nothing, 200, 401, 401},
		{"unknown key", bearer("guess"), 401, 401, 401},
		{"empty key", header("Authorization", "Bearer "), 401, 401, 401},
		{"another scheme", header("Authorization", "Digest x"), 401, 401, 401},
		{"the digest is no key", bearer(digest(aliceKey)), 401, 401, 401},
		{"alice", bearer(aliceKey), 200, 200, 200},
		{"alice, small letters", header("Authorization", "bearer "+aliceKey), 200, 200, 200},
		{"alice by Basic", basic("alice", aliceKey), 200, 200, 200},
		{"alice's key as bob", basic("bob", aliceKey), 401, 401, 401},
		{"bob", bearer(bobKey), 200, 200, 403},
		{"bob by Basic", basic("bob", bobKey), 200, 200, 403},
		{"key in the URL", func(r *http.Request) { r.URL.RawQuery = "api_key=" + bobKey }, 400, 401, 401},
	}
	for _, c := range callers {
		for path, want := range map[string]int{"/item": c.public, "/inside": c.inside, "/alices": c.alices} {
			for _, target := range []string{path, path + "/batch", path + "/batch/status"} {
				a := s.get(target, c.auth)
				got := a.code
				if want == 200 && (got == http.StatusSeeOther || got == http.StatusNotFound) {
					got = 200 // it was let in
				}
				if got != want {
					t.Errorf("%s at %s: answered %d, want %d", c.name, target, a.code, want)
				}
				if a.code == 401 && !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Basic ") {
					t.Errorf("%s at %s: no WWW-Authenticate", c.name, target)
				}
			}
		}
	}
	// Who may not read cannot learn from problems what would be right either.
	s.get("/inside?nothing=1").wantCode(t, http.StatusUnauthorized)
	if n := s.log.count(aliceKey) + s.log.count(bobKey); n > 0 {
		t.Error("keys are in the log")
	}
}

func TestAnonymousOff(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: with(users, map[string]any{"auth.anonymous.enabled": false})})
	for _, target := range []string{"/item", "/item/batch", "/item/batch/status"} {
		s.get(target).wantCode(t, http.StatusUnauthorized)
	}
	s.get("/item", bearer(bobKey)).wantCode(t, http.StatusOK)
	s.get("/healthz").wantCode(t, http.StatusOK)
}

// What not everybody may read is not for shared caches.
func TestPrivateCaching(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: users})
	s.export("/inside", bearer(aliceKey))
	s.export("/item")
	for _, target := range []string{"/inside", "/inside/batch", "/inside/batch/status"} {
		a := s.get(target, bearer(aliceKey)).wantCode(t, http.StatusOK)
		if !strings.Contains(a.header.Get("Cache-Control"), "private") || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Authorization") {
			t.Errorf("%s: Cache-Control %q, Vary %q", target, a.header.Get("Cache-Control"), a.header.Values("Vary"))
		}
	}
	for _, target := range []string{"/item", "/item/batch"} {
		if a := s.get(target); strings.Contains(a.header.Get("Cache-Control"), "private") {
			t.Errorf("%s: Cache-Control %q", target, a.header.Get("Cache-Control"))
		}
	}
	// Everybody who may read shares the result.
	s.get("/inside/batch", bearer(bobKey)).wantCode(t, http.StatusOK)
}

// With scope user nobody gets another's rows.
func TestOwnResults(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: users})
	s.get("/own/batch").wantCode(t, http.StatusUnauthorized)
	if got, want := s.export("/own", bearer(aliceKey)).body, "id,who\r\n1,alice\r\n"; got != want {
		t.Errorf("alice gets %q, want %q", got, want)
	}
	if d := s.status("/own/batch/status", bearer(bobKey)); d.Status != "Unknown" {
		t.Errorf("bob sees %s of alice's export", d.Status)
	}
	s.do(http.MethodHead, "/own/batch", bearer(bobKey)).wantCode(t, http.StatusNotFound)
	if got, want := s.export("/own", bearer(bobKey)).body, "id,who\r\n1,bob\r\n"; got != want {
		t.Errorf("bob gets %q, want %q", got, want)
	}
}

// A job that several wait for goes on until the last has left.
func TestLeavingASharedJob(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: users})
	alice, bob := bearer(aliceKey), bearer(bobKey)
	s.post("/item/batch", alice)
	if d := s.status("/item/batch/status", bob); d.ID != "" || d.Links.Cancel != "" {
		t.Errorf("bob, who does not wait, sees id %q and cancel %q", d.ID, d.Links.Cancel)
	}
	s.do(http.MethodDelete, "/item/batch", bob).wantCode(t, http.StatusNotFound)
	s.post("/item/batch", bob)
	for name, who := range map[string]func(*http.Request){"alice": alice, "bob": bob} {
		if d := s.status("/item/batch/status", who); d.ID == "" || d.Links.Cancel == "" {
			t.Errorf("%s waits, but sees id %q and cancel %q", name, d.ID, d.Links.Cancel)
		}
	}
	s.do(http.MethodDelete, "/item/batch", alice).wantCode(t, http.StatusOK)
	if d := s.status("/item/batch/status", bob); d.Status != "Pending" {
		t.Fatalf("status is %s although bob waits", d.Status)
	}
	s.do(http.MethodDelete, "/item/batch", alice).wantCode(t, http.StatusNotFound)
	s.do(http.MethodDelete, "/item/batch", bob).wantCode(t, http.StatusOK)
	if d := s.status("/item/batch/status", bob); d.Status != "Cancelled" {
		t.Errorf("status is %s, want Cancelled", d.Status)
	}
}

func TestCap(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: with(users, map[string]any{"batch.limits.queued.export": 2, "auth.anonymous.queued": 1})})
	for _, c := range []struct {
		name string
		auth func(*http.Request)
		cap  int
	}{{"alice", bearer(aliceKey), 2}, {"nobody", func(*http.Request) {}, 1}} {
		for i := range c.cap {
			s.post(fmt.Sprintf("/item/batch?label=%s%d", c.name, i), c.auth).wantCode(t, http.StatusSeeOther)
		}
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			a := s.do(method, "/item/batch?label=more"+c.name, c.auth).wantCode(t, http.StatusTooManyRequests)
			if a.header.Get("Retry-After") == "" || decode[problem](t, a).Detail == "" {
				t.Errorf("%s: Retry-After %q: %s", c.name, a.header.Get("Retry-After"), a.body)
			}
		}
		if d := s.status("/item/batch/status?label=more" + c.name); d.Status != "Unknown" {
			t.Errorf("%s: what was refused is %s", c.name, d.Status)
		}
		// Joining does not count.
		s.post("/item/batch?label=alice0", c.auth).wantCode(t, http.StatusSeeOther)
	}
	// One user's full list is no other's.
	s.post("/item/batch?label=bob", bearer(bobKey)).wantCode(t, http.StatusSeeOther)
}
