package server

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

const fuzzedSpecs = `
name: packages
path: /stream/{stream}/package
query: SELECT id, label FROM package WHERE stream = {stream}
key: id
---
name: runs
path: /lab/{lab}/{run}
query: SELECT id, label FROM sample WHERE lab = {lab} AND run = {run}
key: id
pathParameters: {run: {type: int}}
`

// FuzzPath: whatever the path of a request is, the statement that a database would be sent
// is, byte for byte, that of its endpoint: what the path says is in the arguments alone.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/stream/AB-01/package", "/stream/AB-01/package/", "/stream/a%2Fb/package", "/stream/%27%3B--/package/batch", "/stream/batch/package.csv",
		"/lab/x/1", "/lab/x/1/batch/status", "/lab/%00/1", "/lab/%ff/1", "/lab/{lab}/$1", "/lab/%2e%2e/1", "//lab/x/1", "/lab/../1", "/lab/x/+1", "/lab/'); DROP TABLE sample;--/1",
		"/stream/%u0027/package", "/stream/" + strings.Repeat("a", 9000) + "/package", "http://other/lab/x/1", "*",
	} {
		f.Add(path)
	}
	specs, problems := endpoint.Decode([]byte(fuzzedSpecs), "fuzzed.yaml")
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	const text, int4 = 25, 23
	registry, statements := NewRegistry(), map[string][]string{}
	for i, s := range specs {
		compiled, problems := endpoint.Compile(s, endpoint.Described{
			Columns: []endpoint.Column{{Name: "id", OID: int4, TypeName: "integer"}, {Name: "label", OID: text, TypeName: "text"}},
			Params:  [][]uint32{{text}, {text, int4}}[i],
		})
		if len(problems) > 0 {
			f.Fatal(problems)
		}
		registry.Put(compiled)
		vars := map[string]string{"stream": "a", "lab": "a", "run": "1"}
		r, problems := compiled.Parse(endpoint.Input{Vars: vars})
		if len(problems) > 0 {
			f.Fatal(problems)
		}
		statements[s.Name] = []string{r.Interactive().SQL, r.Page().SQL, r.Batch().SQL, r.Count().SQL, r.Rows().SQL}
	}
	s := New(Options{
		Specs: specs, Registry: registry, BatchEnabled: true, BatchPath: "/batch", AnonymousEnabled: true,
		Log: slog.New(slog.DiscardHandler),
	})
	f.Fuzz(func(t *testing.T, path string) {
		if strings.Contains(path, "?") {
			return // parameters are for another fuzzer
		}
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n")))
		if err != nil {
			return
		}
		r = withoutTrailingSlash(r)
		var match mux.RouteMatch
		if !s.router.Match(r, &match) || match.MatchErr != nil || match.Route == nil {
			return
		}
		template, err := match.Route.GetPathTemplate()
		if err != nil {
			return
		}
		i := slices.IndexFunc(specs, func(spec *endpoint.Spec) bool { return strings.HasPrefix(template, spec.Path) })
		if i < 0 {
			return
		}
		a, err := s.understand(httptest.NewRecorder(), mux.SetURLVars(r, match.Vars), specs[i])
		if err != nil {
			return
		}
		sent := []endpoint.Statement{a.Interactive(), a.Page(), a.Batch(), a.Count(), a.Rows()}
		for n, statement := range sent {
			if statement.SQL != statements[specs[i].Name][n] {
				t.Errorf("%q became %s", path, statement.SQL)
			}
			vars, err := pathVars(mux.SetURLVars(r, match.Vars))
			if err != nil {
				t.Fatal(err)
			}
			for k, name := range specs[i].Variables() {
				if got, want := statement.Args[k].Value, vars[name]; got != want && name != "run" {
					t.Errorf("%q became the argument %q, want %q", path, got, want)
				}
			}
		}
	})
}
