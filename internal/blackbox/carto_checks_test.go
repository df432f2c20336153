package blackbox

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// parts are fields as a multipart form.
func parts(t *testing.T, fields map[string]string) func(*http.Request) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for name, value := range fields {
		if err := w.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return func(r *http.Request) {
		header("Content-Type", w.FormDataContentType())(r)
		content(b.String())(r)
	}
}

// Who sends a job is asked first, then how long it is, then what it says.
func TestCartoChecks(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	long := strings.Repeat("a", 20_000)
	bad := map[string]func(*http.Request){
		"too long, as JSON":          jsonBody(toJSON(t, map[string]string{"query": long})),
		"too long, as a form":        form("query=" + long),
		"too long, as multipart":     parts(t, map[string]string{"query": long}),
		"nothing":                    form(""),
		"no definition":              jsonBody(`{"query":[1,{"onerror":2}]}`),
		"a placeholder in a comment": jsonBody(`{"query":"select 1","onerror":"/* <%= job_id %> */"}`),
		"brackets":                   form("query[0=a"),
		"a member given twice":       jsonBody(`{"query":"a","query":"b"}`),
		"half a character":           jsonBody(`{"query":"\ud800"}`),
		"deep":                       jsonBody(`{"query":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`),
	}
	for name, body := range bad {
		t.Run("without a key, "+name, func(t *testing.T) {
			s.in(t).ask(http.MethodPost, jobsPath, host(vizzuality), body).wantError(t, http.StatusForbidden, "permission denied")
		})
		t.Run("with an unknown key, "+name, func(t *testing.T) {
			s.in(t).ask(http.MethodPost, jobsPath, host(vizzuality), body, apiKey("guess")).wantError(t, http.StatusUnauthorized, "Unauthorized")
		})
		t.Run("with a good key, "+name, func(t *testing.T) {
			s.in(t).ask(http.MethodPost, jobsPath, host(vizzuality), body, bearer(masterKeys[vizzuality])).wantCode(t, http.StatusBadRequest)
		})
	}
	for name, body := range map[string]func(string) func(*http.Request){
		"JSON": func(key string) func(*http.Request) { return jsonBody(`{"query":[1],"api_key":"` + key + `"}`) },
		"form": func(key string) func(*http.Request) { return form("query[0=a&api_key=" + key) },
		"multipart": func(key string) func(*http.Request) {
			return parts(t, map[string]string{"query[0": "a", "api_key": key})
		},
	} {
		t.Run("key in the body, "+name, func(t *testing.T) {
			s := s.in(t)
			s.ask(http.MethodPost, jobsPath, host(vizzuality), body("guess")).wantError(t, http.StatusUnauthorized, "Unauthorized")
			s.ask(http.MethodPost, jobsPath, host(vizzuality), body("regular1")).wantError(t, http.StatusForbidden, "permission denied")
			s.ask(http.MethodPost, jobsPath, host(vizzuality), body("1234")).wantCode(t, http.StatusBadRequest)
		})
	}
	t.Run("a body that has no end", func(t *testing.T) {
		// Its key would be in the body, so that has to be read; as far as one can.
		s.in(t).ask(http.MethodPost, jobsPath, host(vizzuality), jsonBody(`{"query":"select 1","api_key":"1234"`)).wantCode(t, http.StatusBadRequest)
	})
	for name, with := range map[string]func(*http.Request){
		"a number":              jsonBody(toJSON(t, map[string]any{"query": []any{long, 5}})),
		"a blank step":          jsonBody(toJSON(t, map[string]any{"query": []any{long, " "}})),
		"a bad fallback":        jsonBody(toJSON(t, map[string]any{"query": long, "onerror": "/* <%= job_id %> */"})),
		"an unknown shape":      jsonBody(toJSON(t, map[string]any{"query": map[string]any{"queries": []any{long}}})),
		"no query":              jsonBody(toJSON(t, map[string]any{"onerror": long})),
		"too many steps":        jsonBody(`{"query":[` + strings.Repeat(`"select 1",`, 5000) + `1]}`),
		"brackets in a form":    form("query[0=" + long),
		"both ways in a form":   form("query=" + long + "&query[]=b"),
		"brackets in multipart": parts(t, map[string]string{"query[0": long}),
	} {
		t.Run("invalid and too long, "+name, func(t *testing.T) {
			a := s.in(t).ask(http.MethodPost, jobsPath, as(vizzuality), with).wantCode(t, http.StatusBadRequest)
			if told := decode[map[string][]string](t, a)["error"][0]; !strings.HasPrefix(told, "Your payload is too large: ") {
				t.Errorf("%q", told)
			}
		})
	}
	t.Run("the size of an invalid one", func(t *testing.T) {
		s.in(t).ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(` { "query" : [ "`+long+`", 5 ] } `)).wantError(t, http.StatusBadRequest, tooLarge(20_000+len(`{"query":["",5]}`)))
	})
}

// A key that is no good is refused before the body has come.
func TestCartoRefusedBeforeTheBody(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * patience)) // a body that was waited for is a 408 then
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: vizzuality.cartodb.com\r\nAuthorization: Bearer guess\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{", jobsPath)
	b := make([]byte, 64)
	if n, err := conn.Read(b); err != nil || !strings.HasPrefix(string(b[:n]), "HTTP/1.1 401 ") {
		t.Errorf("answered %q, %v", b[:n], err)
	}
}

// Semicolons end statements of SQL, not fields of a form.
func TestCartoSemicolons(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	const two = "select 1; select 2"
	for name, with := range map[string][]func(*http.Request){
		"form":           {form("query=" + two)},
		"form, encoded":  {form(url.Values{"query": {two}}.Encode())},
		"query string":   {func(r *http.Request) { r.URL.RawQuery = "query=select+1;+select+2" }},
		"key after it":   {host(vizzuality), header("Authorization", ""), form("query=" + two + "&api_key=1234")},
		"in its own way": {form("query=" + two + ";&onerror=;")},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, append([]func(*http.Request){as(vizzuality)}, with...)...).wantCode(t, http.StatusCreated))
			if got := strings.TrimSuffix(j.text(t), ";"); got != two {
				t.Errorf("query %q", got)
			}
		})
	}
	t.Run("list", func(t *testing.T) {
		s := s.in(t)
		s.ask(http.MethodGet, jobsPath+"?status=pending;&limit=1", as(vizzuality)).wantCode(t, http.StatusBadRequest)
		if got := decode[[]sqlJob](t, s.ask(http.MethodGet, jobsPath+"?x=;&limit=1", as(vizzuality)).wantCode(t, http.StatusOK)); len(got) != 1 {
			t.Errorf("%d jobs", len(got))
		}
	})
	t.Run("badly encoded all the same", func(t *testing.T) {
		s := s.in(t)
		s.ask(http.MethodPost, jobsPath, as(vizzuality), form("query=select+'%zz'")).wantError(t, http.StatusBadRequest, "the form is not well encoded")
		for _, method := range []string{http.MethodPost, http.MethodGet} {
			s.ask(method, jobsPath, as(vizzuality), func(r *http.Request) { r.URL.RawQuery = "query=%zz" }).
				wantError(t, http.StatusBadRequest, "the query string is not well encoded")
		}
	})
}

// A key may come in the body of a cancel, too.
func TestCartoCancelKeyInBody(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	for name, with := range map[string]func(key string) func(*http.Request){
		"form":      func(key string) func(*http.Request) { return form("api_key=" + key) },
		"map_key":   func(key string) func(*http.Request) { return form("map_key=" + key) },
		"JSON":      func(key string) func(*http.Request) { return jsonBody(`{"api_key":"` + key + `"}`) },
		"multipart": func(key string) func(*http.Request) { return parts(t, map[string]string{"api_key": key}) },
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, simple(t, "select 1"))
			one := jobsPath + "/" + j.JobID
			s.ask(http.MethodDelete, one, host(vizzuality), with("guess")).wantError(t, http.StatusUnauthorized, "Unauthorized")
			s.ask(http.MethodDelete, one, host(vizzuality), with("regular1")).wantError(t, http.StatusForbidden, "permission denied")
			s.ask(http.MethodDelete, one, host(vizzuality), with("")).wantError(t, http.StatusForbidden, "permission denied")
			s.read(j).wantStates(t, "pending")
			a := s.ask(http.MethodDelete, one, host(vizzuality), with("1234")).wantCode(t, http.StatusOK)
			s.job(vizzuality, a).wantStates(t, "cancelled")
		})
	}
}

// Some editors and programs begin a file with a mark of its byte order.
func TestCartoByteOrderMark(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	const mark = "\ufeff"
	for name, with := range map[string][]func(*http.Request){
		"key in the header": {as(vizzuality), jsonBody(mark + `{"query":"select 1"}`)},
		"key in the body":   {host(vizzuality), jsonBody(mark + `{"query":"select 1","api_key":"1234"}`)},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			if j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, with...).wantCode(t, http.StatusCreated)); j.text(t) != "select 1" {
				t.Errorf("%s", j.answer.body)
			}
		})
	}
	t.Run("nothing else", func(t *testing.T) {
		s := s.in(t)
		s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(mark)).wantError(t, http.StatusBadRequest, noSQL)
		s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(mark+mark+`{"query":"select 1"}`)).wantCode(t, http.StatusBadRequest)
	})
}
