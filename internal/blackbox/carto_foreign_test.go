package blackbox

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// secureBytes sends a request and is the whole answer as it came, but for its date.
func secureBytes(t *testing.T, s site, method, target string, headers ...string) string {
	t.Helper()
	at := strings.TrimPrefix(s.url, "http://")
	conn, err := net.Dial("tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nConnection: close\r\n%s\r\n\r\n", method, target, strings.Join(headers, "\r\n"))
	text, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return regexp.MustCompile(`(?m)^Date: .*\r\n|"timestamp":"[^"]*"`).ReplaceAllString(string(text), "")
}

// Another user's job cannot be told from one that there is not, by a single byte.
func TestCartoSecurityForeignIDs(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	ids := map[string]sqlJob{
		"done":   s.run(`{"query": "select 1 as a", "onsuccess": "select 2"}`).wantStates(t, "done/done"),
		"failed": s.run(`{"query": ["select 1 / 0"]}`).wantStates(t, "failed [failed]"),
		"empty":  s.run(`{"query": "create table secure_empty ()"}`).wantStates(t, "done"),
	}
	open := shut(t, s.db)
	ids["running"] = s.waitStates(s.create(vizzuality, `{"query": "select pg_advisory_xact_lock_shared(42)"}`), "running")
	ids["pending"] = s.create(vizzuality, `{"query": "select 1"}`)
	ids["cancelled"] = s.cancelled(s.create(vizzuality, `{"query": "select 3"}`))
	own := s.wait(s.create(cartodb250, `{"query": "select 4"}`)).wantStates(t, "done")

	type request struct {
		method, prefix, tail string
		headers              []string
	}
	var requests []request
	for _, method := range []string{"GET", "HEAD", "DELETE", "POST", "PUT", "OPTIONS"} {
		for _, tail := range []string{"", "/", "/result", "/result/", "?status=done&limit=x", "/result?format=json", "/wadus"} {
			requests = append(requests, request{method, "", tail, nil}, request{method, "/user/{me}", tail, nil})
		}
	}
	for _, h := range []string{"Accept-Encoding: gzip", "Range: bytes=0-0", "If-None-Match: *", "If-Match: *", "Accept: text/html", "Accept: text/csv", "Prefer: wait=1", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT", "Content-Length: 0"} {
		for _, method := range []string{"GET", "HEAD", "DELETE"} {
			requests = append(requests, request{method, "", "", []string{h}}, request{method, "", "/result", []string{h}})
		}
	}
	for _, viewer := range []string{cartodb250, boss, "anonymous", reader} {
		unknown := uuid.NewString()
		authority := []string{"Host: " + viewer + ".cartodb.com", "Authorization: Bearer " + masterKeys[viewer]}
		if viewer == "anonymous" {
			authority = []string{"Host: vizzuality.cartodb.com"}
		}
		ask := func(t *testing.T, r request, id string) string {
			t.Helper()
			path := strings.ReplaceAll(r.prefix, "{me}", viewer) + jobsPath + "/" + id + r.tail
			return strings.ReplaceAll(secureBytes(t, s, r.method, path, append(r.headers, authority...)...), id, "{id}")
		}
		for state, j := range ids {
			t.Run(viewer+" "+state, func(t *testing.T) {
				for _, r := range requests {
					foreign, none := ask(t, r, j.JobID), ask(t, r, unknown)
					if foreign != none {
						t.Fatalf("%v:\n%s\nof a job that there is not:\n%s", r, foreign, none)
					}
				}
				plain := request{method: "GET"}
				for _, spell := range []func(string) string{strings.ToUpper, func(id string) string { return strings.ReplaceAll(id, "-", "") }} {
					if foreign, none := ask(t, plain, spell(j.JobID)), ask(t, plain, spell(unknown)); foreign != none {
						t.Errorf("spelled otherwise:\n%s\nof a job that there is not:\n%s", foreign, none)
					}
				}
				if viewer == cartodb250 || viewer == boss {
					if got := ask(t, plain, j.JobID); !strings.HasPrefix(got, "HTTP/1.1 400 ") || !strings.HasSuffix(got, "\r\n\r\n"+`{"error":["Job with id {id} not found"]}`+"\n") {
						t.Errorf("answered %s", got)
					}
				}
			})
		}
	}
	t.Run("lists", func(t *testing.T) {
		s := s.in(t)
		for _, viewer := range []string{cartodb250, boss} {
			for _, target := range []string{jobsPath, jobsPath + "?format=csv", jobsPath + "?status=done", jobsPath + "?limit=1", jobsPath + "?cursor=999999999", "/user/" + viewer + jobsPath, "/api/v2/jobs-wip"} {
				a := s.ask(http.MethodGet, target, as(viewer)).wantCode(t, http.StatusOK)
				for state, j := range ids {
					if admin := viewer == boss && strings.HasSuffix(target, "jobs-wip"); strings.Contains(a.body, j.JobID) && !(admin && state == "running") {
						t.Errorf("%s sees the %s job in %s", viewer, state, target)
					}
				}
			}
		}
	})
	t.Run("one's own can be told", func(t *testing.T) {
		a := secureBytes(t, s, "GET", jobsPath+"/"+own.JobID, "Host: "+cartodb250+".cartodb.com", "Authorization: Bearer "+masterKeys[cartodb250])
		if !strings.HasPrefix(a, "HTTP/1.1 200 ") {
			t.Errorf("%s", a)
		}
	})
	t.Run("nothing happened to them", func(t *testing.T) {
		s := s.in(t)
		s.read(ids["running"]).wantStates(t, "running")
		s.read(ids["pending"]).wantStates(t, "pending")
		open()
		s.wait(ids["running"]).wantStates(t, "done")
		s.wait(ids["pending"]).wantStates(t, "done")
		if got := s.result(ids["done"]).body; got != "a\r\n1\r\n" {
			t.Errorf("rows %q", got)
		}
	})
}

// Every route, with every sort of key that does not open it, in every way to send one.
func TestCartoSecurityAccess(t *testing.T) {
	t.Parallel()
	s := newSite(t, redisQueue(t))
	open := shut(t, s.db)
	running := s.waitStates(s.create(vizzuality, toJSON(t, map[string]string{"query": "select pg_advisory_xact_lock_shared(42)"})), "running")
	j := s.create(vizzuality, toJSON(t, map[string]string{"query": mark("own")}))
	const denied, unknown = "permission denied", "Unauthorized"
	type who struct {
		name, key string
		code      int
		text      string
	}
	at := map[string][]who{
		vizzuality: {
			{"regular key", "regular1", 403, denied},
			{"default key", "default_public", 403, denied},
			{"no key", "", 403, denied},
			{"unknown key", "guess", 401, unknown},
			{"another user's key", masterKeys[cartodb250], 401, unknown},
			{"an admin's key", masterKeys[boss], 401, unknown},
			{"key of a user without the right", masterKeys[reader], 401, unknown},
			{"digest", digest(masterKeys[vizzuality]), 401, unknown},
			{"longer key", masterKeys[vizzuality] + "5", 401, unknown},
			{"shorter key", "123", 401, unknown},
		},
		reader: {
			{"master key without the right", masterKeys[reader], 403, denied},
			{"no key", "", 403, denied},
			{"unknown key", "guess", 401, unknown},
			{"another user's key", masterKeys[vizzuality], 401, unknown},
			{"another user's regular key", "regular1", 401, unknown},
		},
		"wrong-host": {
			{"no key", "", 404, wrongHost}, {"unknown key", "guess", 404, wrongHost}, {"somebody's key", masterKeys[vizzuality], 404, wrongHost},
		},
	}
	ways := map[string]func(user, key string) func(*http.Request){
		"Bearer":       func(_, key string) func(*http.Request) { return bearer(key) },
		"Basic":        func(user, key string) func(*http.Request) { return basic(user, key) },
		"query string": func(_, key string) func(*http.Request) { return apiKey(key) },
		"map_key": func(_, key string) func(*http.Request) {
			return func(r *http.Request) { r.URL.RawQuery = url.Values{"map_key": {key}}.Encode() }
		},
	}
	bodies := map[string]func(key string) func(*http.Request){
		"form": func(key string) func(*http.Request) {
			return form(url.Values{"query": {mark("never")}, "api_key": {key}}.Encode())
		},
		"JSON": func(key string) func(*http.Request) {
			return jsonBody(toJSON(t, map[string]string{"query": mark("never"), "api_key": key}))
		},
	}
	body := jsonBody(toJSON(t, map[string]string{"query": mark("never")}))
	routes := [][2]string{
		{http.MethodPost, "/sql/job"},
		{http.MethodGet, "/sql/job"},
		{http.MethodGet, "/sql/job/" + j.JobID},
		{http.MethodDelete, "/sql/job/" + j.JobID},
		{http.MethodDelete, "/sql/job/" + running.JobID},
		{http.MethodGet, "/sql/job/" + j.JobID + "/result"},
		{http.MethodGet, "/jobs-wip"},
	}
	for user, callers := range at {
		for _, c := range callers {
			t.Run(user+" "+c.name, func(t *testing.T) {
				s := s.in(t)
				check := func(what string, a answer) {
					t.Helper()
					if got := strings.TrimSpace(a.body); a.code != c.code || got != toJSON(t, map[string][]string{"error": {c.text}}) {
						t.Errorf("%s: %d %s, want %d %q", what, a.code, got, c.code, c.text)
					}
					if (a.code == 401) != (a.header.Get("WWW-Authenticate") != "") {
						t.Errorf("%s: %d with WWW-Authenticate %q", what, a.code, a.header.Get("WWW-Authenticate"))
					}
				}
				for _, prefix := range []string{"/api/v2", "/user/" + user + "/api/v2"} {
					where := host(user)
					if strings.HasPrefix(prefix, "/user/") { // the path is stronger
						where = host(cartodb250)
					}
					for way, with := range ways {
						for _, route := range routes {
							check(way+" "+route[0]+" "+prefix+route[1], s.ask(route[0], prefix+route[1], where, body, with(user, c.key)))
						}
					}
					for kind, with := range bodies {
						check("in a "+kind, s.ask(http.MethodPost, prefix+"/sql/job", where, with(c.key)))
					}
					// The key in the header counts, not a good one elsewhere.
					if c.key != "" {
						check("a good one beside it", s.ask(http.MethodGet, prefix+"/sql/job", where, bearer(c.key), apiKey(masterKeys[vizzuality])))
					}
				}
			})
		}
	}
	t.Run("the names of others by Basic", func(t *testing.T) {
		s := s.in(t)
		for _, name := range []string{cartodb250, reader, "", "VIZZUALITY", "wadus"} {
			s.ask(http.MethodGet, jobsPath, host(vizzuality), basic(name, masterKeys[vizzuality])).wantError(t, http.StatusForbidden, denied)
		}
	})
	t.Run("nothing happened", func(t *testing.T) {
		s := s.in(t)
		s.read(running).wantStates(t, "running")
		s.read(j).wantStates(t, "pending")
		open()
		s.wait(running).wantStates(t, "done")
		s.wait(j).wantStates(t, "done")
		s.wantMarks("own")
		if n := len(decode[[]sqlJob](t, s.ask(http.MethodGet, jobsPath, as(vizzuality)))); n != 2 {
			t.Errorf("%d jobs", n)
		}
	})
}
