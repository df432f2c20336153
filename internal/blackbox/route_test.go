package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

func TestRouting(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for _, tt := range []struct {
		name, target string
		code         int
	}{
		{"unknown path", "/nothing", 404},
		{"below an endpoint", "/item/1", 404},
		{"root of a variable", "/of-group", 404},
		{"trailing slash", "/item/", 200},
		{"trailing slash of a twin", "/item/batch/", 303},
		{"trailing slash of a status", "/item/batch/status/", 200},
		{"a slash inside", "/group//item", 404},
		{"case matters", "/Item", 404},
		{"a value that the pattern refuses", "/group/ab/item", 400},
		{"dots are a value", "/of-group/..", 200},
		{"dots are no way up", "/of-group/../item", 404},
		{"escaped dots", "/of-group/%2e%2e", 200},
		{"dots that the pattern refuses", "/group/../item", 400},
		{"NUL", "/of-group/%00", 400},
		{"invalid UTF-8", "/of-group/%ff", 400},
		{"a long value", "/of-group/" + strings.Repeat("x", 9000), 400},
		{"the façade of a variable", "/of-group/AB/batch", 303},
		{"batch is no value", "/of-group/batch", 404},
		{"batch is no value, escaped", "/of-group/%62atch", 404},
		{"nor is it one of a twin", "/of-group/batch/batch", 404},
		{"nor of a twin's status", "/of-group/batch/batch/status", 404},
		{"but elsewhere it is", "/group/batch/item", 400}, // by the pattern
		{"a façade that is not there", "/item/batch/nothing", 404},
		{"cancel by GET", "/item/batch/cancel", 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.get(tt.target)
			if a.code != tt.code {
				t.Errorf("%s answered %d, want %d\n%s", tt.target, a.code, tt.code, clip(a.body))
			}
			if a.code >= 400 {
				a.wantHeader(t, "Content-Type", "application/problem+json")
			}
		})
	}
}

// %2F is part of a value, through redirects and links too.
func TestEscapedSlash(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if got := s.ids("/of-group/E%2FF"); got != "6" {
		t.Errorf("rows %q, want 6", got)
	}
	if got, want := s.export("/of-group/E%2FF").body, "id,grp\r\n6,E/F\r\n"; got != want {
		t.Errorf("the file is %q, want %q", got, want)
	}
	d := s.status("/of-group/E%2FF/batch/status")
	if want := s.url + "/of-group/E%2FF/batch"; d.URL != want {
		t.Errorf("url %q, want %q", d.URL, want)
	}
	if to := s.post("/of-group/E%2fF/batch").location(t); to != "/of-group/E%2FF/batch/status" {
		t.Errorf("redirected to %s", to)
	}
	// A value of dots stays one in links.
	if to, _ := split(s.post("/of-group/%2E%2E/batch").location(t)); to != "/of-group/%2E%2E/batch/status" {
		t.Errorf("redirected to %s", to)
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for target, allowed := range map[string]string{
		"/item": "GET, HEAD", "/item/batch": "GET, HEAD, POST, DELETE", "/item/batch/status": "GET, HEAD", "/item/batch/cancel": "POST", "/healthz": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"} {
			a := s.do(method, target)
			if strings.Contains(allowed, method) {
				if a.code == http.StatusMethodNotAllowed {
					t.Errorf("%s %s is not allowed", method, target)
				}
				continue
			}
			if a.code != http.StatusMethodNotAllowed {
				t.Errorf("%s %s answered %d, want 405", method, target, a.code)
			}
			a.wantHeader(t, "Allow", allowed)
		}
	}
}

const namesakeSpec = `
name: twice
path: /data/{first}/{last}
query: SELECT {first}::text AS id, {last}::text AS last
key: id
`

// The façade wins over whatever a path parameter could take for its own.
func TestFacadeWins(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, endpoints: []string{namesakeSpec}})
	for target, code := range map[string]int{
		"/data/a/b":             200,
		"/data/batch/b":         200,
		"/data/a/b/batch":       303,
		"/data/batch/b/batch":   303,
		"/data/a/batch":         404,
		"/data/batch/status":    404,
		"/data/batch/cancel":    404,
		"/data/batch/links":     404,
		"/data/x/status":        200,
		"/data/a/status/batch":  303,
		"/data/a/b/batch/batch": 404,
	} {
		if a := s.get(target); a.code != code {
			t.Errorf("%s answered %d, want %d: %s", target, a.code, code, clip(a.body))
		}
	}
}
