package blackbox

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	noSQL     = "You must indicate a valid SQL"
	wrongHost = "Sorry, we can't find CARTO user 'wrong-host'. Please check that you have entered the correct domain."
)

// Section 5.1: the basic requests, as forms, to a service whose worker is off.
func TestCartoBasicHTTP(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newIdleSite(t, queue)
		send := func(s site, fields, key, user string) answer {
			return s.ask(http.MethodPost, jobsPath, host(user), form(fields), apiKey(key))
		}
		fields := url.Values{"query": {t4}}.Encode()
		var made sqlJob
		t.Run("C-001 create", func(t *testing.T) {
			s := s.in(t)
			a := send(s, fields, "1234", vizzuality).wantCode(t, http.StatusCreated)
			a.wantHeader(t, "Content-Type", "application/json; charset=utf-8").wantHeader(t, "Content-Disposition", "inline")
			made = s.job(vizzuality, a)
			if made.text(t) != t4 || made.User != vizzuality || made.Status != "pending" || !uuid4.MatchString(made.JobID) {
				t.Errorf("%s", a.body)
			}
			if !timestamp.MatchString(made.CreatedAt) || !timestamp.MatchString(made.UpdatedAt) {
				t.Errorf("times %q and %q", made.CreatedAt, made.UpdatedAt)
			}
			// Without the key, that is.
			if want := jobsPath + "/" + made.JobID; a.location(t) != want {
				t.Errorf("Location %s, want %s", a.location(t), want)
			}
		})
		t.Run("C-002 empty body", func(t *testing.T) {
			a := send(s.in(t), "", "1234", vizzuality)
			a.wantError(t, http.StatusBadRequest, noSQL)
			if strings.TrimSpace(a.body) != `{"error":["You must indicate a valid SQL"]}` {
				t.Errorf("body %s", a.body)
			}
		})
		t.Run("C-003 another parameter", func(t *testing.T) {
			send(s.in(t), url.Values{"q": {t4}}.Encode(), "1234", vizzuality).wantError(t, http.StatusBadRequest, noSQL)
		})
		t.Run("C-004 wrong key", func(t *testing.T) {
			send(s.in(t), fields, "wrong", vizzuality).wantError(t, http.StatusUnauthorized, "Unauthorized")
		})
		t.Run("C-005 wrong host", func(t *testing.T) {
			for _, key := range []string{"wrong", "1234"} {
				send(s.in(t), fields, key, "wrong-host").wantError(t, http.StatusNotFound, wrongHost)
			}
		})
		one := jobsPath + "/" + made.JobID
		t.Run("C-006 read", func(t *testing.T) {
			s := s.in(t)
			a := s.ask(http.MethodGet, one, host(vizzuality), apiKey("1234")).wantCode(t, http.StatusOK)
			a.wantHeader(t, "Content-Type", "application/json; charset=utf-8")
			if j := s.job(vizzuality, a); j.text(t) != t4 || j.User != vizzuality || j.JobID != made.JobID {
				t.Errorf("%s", a.body)
			}
		})
		t.Run("C-007 read with a wrong key", func(t *testing.T) {
			s.in(t).ask(http.MethodGet, one, host(vizzuality), apiKey("wrong")).wantError(t, http.StatusUnauthorized, "Unauthorized")
		})
		t.Run("C-008 unknown job", func(t *testing.T) {
			s.in(t).ask(http.MethodGet, jobsPath+"/irrelevantJob", host(vizzuality), apiKey("1234")).
				wantError(t, http.StatusBadRequest, "Job with id irrelevantJob not found")
		})
		t.Run("C-010 cancel with a wrong key", func(t *testing.T) {
			s.in(t).ask(http.MethodDelete, one, host(vizzuality), apiKey("wrong")).wantError(t, http.StatusUnauthorized, "Unauthorized")
		})
		t.Run("C-011 cancel on a wrong host", func(t *testing.T) {
			s.in(t).ask(http.MethodDelete, one, host("wrong-host"), apiKey("1234")).wantError(t, http.StatusNotFound, wrongHost)
		})
		t.Run("C-009 cancel", func(t *testing.T) {
			s := s.in(t)
			if j := s.read(made); j.Status != "pending" {
				t.Errorf("status %s after refused cancels", j.Status)
			}
			a := s.ask(http.MethodDelete, one, host(vizzuality), apiKey("1234")).wantCode(t, http.StatusOK)
			a.wantHeader(t, "Content-Type", "application/json; charset=utf-8")
			if j := s.job(vizzuality, a); j.text(t) != t4 || j.User != vizzuality || j.JobID != made.JobID || j.Status != "cancelled" {
				t.Errorf("%s", a.body)
			}
			if j := s.read(made); j.Status != "cancelled" {
				t.Errorf("then it is %s", j.Status)
			}
		})
	})
}

// The definition may come in any encoding; the body wins over the query string.
func TestCartoEncodings(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	for name, value := range map[string]string{"query": t4, "onerror": mark("e")} {
		if err := parts.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	parts.Close()
	both := url.Values{"query": {t4}, "onerror": {mark("e")}}.Encode()
	asMultipart := func(r *http.Request) {
		header("Content-Type", parts.FormDataContentType())(r)
		content(b.String())(r)
	}
	inQuery := func(values string) func(*http.Request) { return func(r *http.Request) { r.URL.RawQuery = values } }
	object := toJSON(t, map[string]string{"query": t4, "onerror": mark("e")})
	for name, with := range map[string][]func(*http.Request){
		"form":                        {form(both)},
		"form with a charset":         {form(both), header("Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")},
		"JSON":                        {jsonBody(object)},
		"JSON with a charset":         {jsonBody(object), header("Content-Type", "Application/JSON; charset=utf-8")},
		"multipart":                   {asMultipart},
		"C-209 query string":          {inQuery(both)},
		"the body wins":               {inQuery("query=select+0&onerror=select+0"), form(both)},
		"the body wins, JSON":         {inQuery("query=select+0&onerror=select+0"), jsonBody(object)},
		"part here, part there":       {inQuery(url.Values{"onerror": {mark("e")}}.Encode()), form(url.Values{"query": {t4}}.Encode())},
		"query string and a JSON one": {inQuery(url.Values{"query": {t4}}.Encode()), jsonBody(toJSON(t, map[string]string{"onerror": mark("e")}))},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, append(with, as(vizzuality))...).wantCode(t, http.StatusCreated))
			if j.text(t) != t4 || j.OnError != mark("e") {
				t.Errorf("%s", j.answer.body)
			}
			j.wantStates(t, "pending/pending")
		})
	}
	t.Run("nested form", func(t *testing.T) {
		s := s.in(t)
		fields := url.Values{"query[query][0][query]": {"select 1"}, "query[query][0][onerror]": {"select 2"}, "query[query][1][query]": {"select 3"}, "query[onsuccess]": {"select 4"}}
		j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, as(vizzuality), form(fields.Encode())).wantCode(t, http.StatusCreated))
		j.wantStates(t, "pending/pending [pending/pending pending]")
		if steps := j.steps(t); steps[0].Query != "select 1" || steps[0].OnError != "select 2" || steps[1].Query != "select 3" {
			t.Errorf("%s", j.answer.body)
		}
	})
	t.Run("a list as a form", func(t *testing.T) {
		s := s.in(t)
		for _, fields := range []string{"query%5B%5D=select+1&query%5B%5D=select+2", "query[0]=select+1&query[1]=select+2"} {
			j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, as(vizzuality), form(fields)).wantCode(t, http.StatusCreated))
			j.wantStates(t, "pending [pending pending]")
		}
	})
	for name, with := range map[string][]func(*http.Request){
		"no type":      {content(object), header("Content-Type", "")},
		"another type": {content(object), header("Content-Type", "text/plain")},
		"nothing":      nil,
	} {
		t.Run(name+" counts as empty", func(t *testing.T) {
			s.in(t).ask(http.MethodPost, jobsPath, append(with, as(vizzuality))...).wantError(t, http.StatusBadRequest, noSQL)
		})
	}
}

// The routes hold under both prefixes, for any version word, with a slash at the end.
func TestCartoRoutes(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	key := bearer(masterKeys[vizzuality])
	for _, prefix := range []string{"/api/v1", "/api/v2", "/api/some-word", "/user/vizzuality/api/v2", "/user/vizzuality/api/x"} {
		for _, slash := range []string{"", "/"} {
			t.Run(prefix+slash, func(t *testing.T) {
				s := s.in(t)
				// The path's user counts, whatever the host.
				at := host(vizzuality)
				if strings.HasPrefix(prefix, "/user/") {
					at = host("wrong-host")
				}
				a := s.ask(http.MethodPost, prefix+"/sql/job"+slash, at, key, form("query=select+1")).wantCode(t, http.StatusCreated)
				id := s.job(vizzuality, a).JobID
				to := a.location(t)
				if want := prefix + "/sql/job/" + id; to != want {
					t.Errorf("Location %s, want %s", to, want)
				}
				for _, target := range []string{"/sql/job" + slash, "/sql/job/" + id + slash, "/jobs-wip" + slash} {
					s.ask(http.MethodGet, prefix+target, at, key).wantCode(t, http.StatusOK)
					if a := s.ask(http.MethodHead, prefix+target, at, key).wantCode(t, http.StatusOK); a.body != "" {
						t.Errorf("HEAD %s has a body", target)
					}
				}
				s.ask(http.MethodGet, prefix+"/sql/job/"+id+"/result"+slash, at, key).wantCode(t, http.StatusNotFound)
				s.ask(http.MethodDelete, prefix+"/sql/job/"+id+slash, at, key).wantCode(t, http.StatusOK)
				for _, target := range []string{"/sql/job" + slash, "/sql/job/" + id + slash, "/sql/job/" + id + "/result" + slash, "/jobs-wip" + slash} {
					if a := s.do(http.MethodOptions, prefix+target, at).wantCode(t, http.StatusOK); a.body != "" {
						t.Errorf("OPTIONS %s: body %q", target, a.body)
					}
				}
			})
		}
	}
	t.Run("unknown user in the path", func(t *testing.T) {
		s.in(t).ask(http.MethodGet, "/user/wrong-host/api/v2/sql/job", host(vizzuality), key).wantError(t, http.StatusNotFound, wrongHost)
	})
	t.Run("gone upstream", func(t *testing.T) {
		s := s.in(t)
		j := s.create(vizzuality, `{"query": "select 1"}`)
		for _, method := range []string{http.MethodPut, http.MethodPatch} {
			s.ask(method, jobsPath+"/"+j.JobID, as(vizzuality), jsonBody(`{"query": "select 2"}`)).wantCode(t, http.StatusMethodNotAllowed)
		}
		if got := s.read(j).text(t); got != "select 1" {
			t.Errorf("the query is now %q", got)
		}
	})
}

// What there is not is told as every error of these routes is, and what there is beside it.
func TestCartoNoRoute(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	for _, prefix := range []string{"/api/v2", "/user/vizzuality/api/v1", "/user/wrong-host/api/v1"} {
		for target, allow := range map[string]string{
			"/sql/job": "GET, HEAD, POST, OPTIONS", "/sql/job/": "GET, HEAD, POST, OPTIONS", "/sql/job/x": "GET, HEAD, DELETE, OPTIONS",
			"/sql/job/x/result": "GET, HEAD, OPTIONS", "/jobs-wip": "GET, HEAD, OPTIONS",
		} {
			for _, method := range []string{http.MethodPut, http.MethodPatch, "WADUS"} {
				s.ask(method, prefix+target, as(vizzuality), browser).wantCode(t, http.StatusMethodNotAllowed).wantHeader(t, "Allow", allow)
			}
		}
		s.ask(http.MethodDelete, prefix+"/sql/job/x/result", as(vizzuality)).wantCode(t, http.StatusMethodNotAllowed)
		s.ask(http.MethodDelete, prefix+"/jobs-wip", as(vizzuality)).wantCode(t, http.StatusMethodNotAllowed)
		for _, target := range []string{"/sql", "/sql/", "/sql?q=select+1", "/sql/nothing", "/sql/job/x/y", "/sql/job/x/result/y", "/sql//job", "/jobs-wip/x"} {
			for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodOptions} {
				s.ask(method, prefix+target, as(vizzuality), browser).wantCode(t, http.StatusNotFound)
			}
			if a := s.ask(http.MethodHead, prefix+target).wantCode(t, http.StatusNotFound); a.body != "" {
				t.Errorf("HEAD %s has a body", target)
			}
		}
	}
	// Elsewhere errors are what they were.
	for _, target := range []string{"/api", "/api/v2", "/api/v2/sqlx/job", "/sql/job", "/x/api/v2/sql/job", "/user/vizzuality/sql/job"} {
		s.get(target).wantCode(t, http.StatusNotFound).wantHeader(t, "Content-Type", "application/problem+json")
	}
	s.do(http.MethodPut, "/item").wantCode(t, http.StatusMethodNotAllowed).wantHeader(t, "Allow", "GET, HEAD")
}
