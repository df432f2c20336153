package server

import (
	"bufio"
	"log/slog"
	"maps"
	"net/http"
	"strings"
	"testing"

	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

// endpoint.Find and the router take every path for the same endpoint, or both for none:
// here all paths of up to four segments out of some that are easily taken for others.
func TestFindIsWhatIsRouted(t *testing.T) {
	specs, problems := endpoint.Decode([]byte(fuzzedSpecs+`
---
name: all
path: /lab/all/{run}
query: SELECT id FROM sample WHERE run = {run}
key: id
---
name: one
path: /lab
query: SELECT id FROM lab
key: id
---
name: two
path: /{a}/lab/x
query: SELECT id FROM lab WHERE a = {a}
key: id
pathParameters: {a: {pattern: 'y|z'}}
`), "found.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, facade := range []string{"/batch", "/export.csv"} {
		s := New(Options{Specs: specs, Registry: NewRegistry(), BatchEnabled: true, BatchPath: facade, AnonymousEnabled: true, Log: slog.New(slog.DiscardHandler)})
		segments := []string{
			"", "lab", "l%61b", "x", "all", "a%2Fbatch", "batch", "b%61tch", "status", "x.csv", "export.csv", "stream", "package",
		}
		n, hits := 0, 0
		var walk func(path string, depth int)
		walk = func(path string, depth int) {
			n++
			if compareFound(t, s, specs, path, facade) {
				hits++
			}
			if depth < 4 && !t.Failed() {
				for _, segment := range segments {
					walk(path+"/"+segment, depth+1)
				}
			}
		}
		for _, segment := range segments {
			walk("/"+segment, 1)
		}
		if hits < 300 || hits > n/2 {
			t.Errorf("%d of %d paths are of an endpoint: others would tell more", hits, n)
		}
	}
}

// compareFound reports whether the path is one of an endpoint.
func compareFound(t *testing.T, s *Server, specs []*endpoint.Spec, path, facade string) bool {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
	if err != nil || r.URL.Host != "" { // two slashes at the beginning
		return false
	}
	r = withoutTrailingSlash(r)
	var want endpoint.Found
	var match mux.RouteMatch
	if s.router.Match(r, &match) && match.MatchErr == nil {
		template, err := match.Route.GetPathTemplate()
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range specs {
			twin := template == spec.Path+facade
			if plain := template == spec.Path || spec.LiteralEnd() && isExtension(strings.TrimPrefix(template, spec.Path)); plain || twin {
				vars, err := pathVars(mux.SetURLVars(r, match.Vars))
				if err != nil {
					t.Fatal(err)
				}
				want = endpoint.Found{Spec: spec, Vars: vars, Twin: twin}
			}
		}
	}
	got, found := endpoint.Find(specs, path, facade)
	if found != (want.Spec != nil) || got.Spec != want.Spec || got.Twin != want.Twin || !maps.Equal(got.Vars, want.Vars) {
		t.Errorf("%s: found %+v, routed to %+v", path, got, want)
	}
	return found
}

func isExtension(tail string) bool {
	for _, f := range readFormats {
		if tail == "."+f.word {
			return true
		}
	}
	return false
}
