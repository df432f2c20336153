package server

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

var update = flag.Bool("update", false, "write the golden files anew")

// openapiOf is the document that the owner of a key gets.
func openapiOf(t *testing.T, s *Server, key string) []byte {
	t.Helper()
	w := askHandler(s, s.openapi, http.MethodGet, key)
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	return w.Body.Bytes()
}

// valid loads a document, references and all, and checks it against the specification.
func valid(document []byte) (*openapi3.T, error) {
	loader := openapi3.NewLoader()
	loaded, err := loader.LoadFromData(document)
	if err != nil {
		return nil, err
	}
	return loaded, loaded.Validate(context.Background())
}

func TestOpenAPIIsValid(t *testing.T) {
	for _, c := range []struct {
		name, key string
		change    func(*Server)
	}{
		{"to all", "a-key", func(*Server) {}},
		{"to nobody in particular", "", func(*Server) {}},
		{"without endpoints", "", func(s *Server) { s.Specs = nil }},
		{"without SQL", "a-key", func(s *Server) { s.SQLEnabled = false }},
		{"without exports", "a-key", func(s *Server) { s.BatchEnabled = false }},
		{"with another segment", "a-key", func(s *Server) { s.BatchPath = "/export" }},
		{"without users", "", func(s *Server) { s.Users, s.SQLEnabled = nil, false }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, s := range []*Server{describedServer(t), assetServer(t, func(*Options) {})} {
				c.change(s)
				document, err := valid(openapiOf(t, s, c.key))
				if err != nil {
					t.Fatal(err)
				}
				if !document.IsOpenAPI31OrLater() {
					t.Errorf("version %s", document.OpenAPI)
				}
			}
		})
	}
}

// What is broken is found: else the test above would say nothing.
func TestBrokenOpenAPIIsFound(t *testing.T) {
	document := openapiOf(t, describedServer(t), "a-key")
	for _, change := range [][2]string{
		{`"operationId":"packages.rows"`, `"operationId":"kinds.rows"`},
		{`{"$ref":"#/components/schemas/Meta"}`, `{"$ref":"#/components/schemas/Mega"}`},
		{`"in":"path"`, `"in":"paths"`},
		{`"name":"stream","in":"path"`, `"name":"steam","in":"path"`},
		{`{"type":"integer","minimum":0}`, `{"type":"whole","minimum":0}`},
		{`"title":"slashbatch"`, `"name":"slashbatch"`},
		{`"type":"http","scheme":"basic"`, `"type":"htp","scheme":"basic"`},
		{`"pattern":"^(?:^[A-Z]{2}-[0-9]{2}$)$"`, `"pattern":"^(?:^[A-Z{2}-[0-9]{2}$"`},
	} {
		if !bytes.Contains(document, []byte(change[0])) {
			t.Errorf("the document does not contain %s", change[0])
			continue
		}
		if _, err := valid(bytes.ReplaceAll(document, []byte(change[0]), []byte(change[1]))); err == nil {
			t.Errorf("nothing was found wrong with %s", change[1])
		} else {
			t.Logf("%s: %v", change[1], err)
		}
	}
}

func TestOpenAPIGolden(t *testing.T) {
	s, again := describedServer(t), describedServer(t)
	if !bytes.Equal(openapiOf(t, s, "a-key"), openapiOf(t, again, "a-key")) {
		t.Error("the same document came out differently")
	}
	s.SQLEnabled = false // that part does not depend on endpoints
	document := openapiOf(t, s, "b-key")
	golden(t, "testdata/openapi.json", document)
}

// golden compares a document with the one in a file.
func golden(t *testing.T, file string, document []byte) {
	t.Helper()
	document = bytes.Replace(document, []byte(`"version":"`+version()+`"`), []byte(`"version":"0"`), 1)
	var indented bytes.Buffer
	if err := json.Indent(&indented, document, "", " "); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(indented.String(), "\n")); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", file, diff)
	}
}

// Every route that is served is described, but for those of pages, and no other.
func TestOpenAPIHasTheRoutes(t *testing.T) {
	for name, s := range map[string]*Server{
		"without assets": describedServer(t),
		"with assets":    assetServer(t, func(*Options) {}),
		"elsewhere":      assetServer(t, func(o *Options) { o.BatchPath = "/export" }),
	} {
		document, err := valid(openapiOf(t, s, "a-key"))
		if err != nil {
			t.Fatal(err)
		}
		var described []string
		for path, item := range document.Paths.Map() {
			for method := range item.Operations() {
				described = append(described, method+" "+path)
			}
		}
		slices.Sort(described)
		if diff := cmp.Diff(servedRoutes(t, s), described); diff != "" {
			t.Errorf("%s: -served +described:\n%s", name, diff)
		}
	}
}

// Every member of the answers is explained, and nothing else.
func TestMembersAreExplained(t *testing.T) {
	seen := map[string]bool{}
	for name, v := range map[string]any{"Meta": meta{}, "Status": statusDocument{}, "Link": linkDocument{}, "Problem": problemDocument{}, "SQLJob": sqlDocument{}} {
		walkMembers(t, seen, name, structSchema(name, reflect.TypeOf(v)))
	}
	for name := range members {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// walkMembers notes the members of a schema and of those in it, each of which has to be
// explained.
func walkMembers(t *testing.T, seen map[string]bool, name string, schema *oasSchema) {
	t.Helper()
	if schema.Items != nil {
		walkMembers(t, seen, name, schema.Items)
	}
	for _, one := range slices.Concat(schema.AnyOf, schema.AllOf) {
		walkMembers(t, seen, name, one)
	}
	for member, one := range schema.Properties {
		at := name + "." + member
		if seen[at] = true; explained(name, member) == "" || one.Description != explained(name, member) {
			t.Errorf("nothing says what %s is", at)
		}
		walkMembers(t, seen, at, one)
	}
}

// servedRoutes are the routes of the router as "GET /path". HEAD is described only where it
// is more than GET without a body.
func servedRoutes(t *testing.T, s *Server) []string {
	t.Helper()
	var served []string
	err := s.router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		path, err := route.GetPathTemplate()
		if err != nil {
			return err
		}
		methods, err := route.GetMethods()
		if err != nil {
			return err
		}
		for _, method := range methods {
			switch {
			case slices.Contains([]string{"/", "/openapi.json", "/robots.txt"}, path):
			case method == http.MethodOptions && strings.Contains(path, "/api/{version}/"): // only browsers ask
			case method == http.MethodHead && !strings.HasSuffix(path, s.BatchPath) && !strings.HasPrefix(path, linkPath):
			case slices.ContainsFunc(readFormats, func(f readFormat) bool { return strings.HasSuffix(path, "."+f.word) }): // told in words
			case strings.HasPrefix(path, "/kinds"+s.BatchPath): // it has no twin
			case path == "/mine"+s.BatchPath+"/links": // it gives out none
			default:
				served = append(served, method+" "+strings.Replace(path, "{"+restVar+":(?:/[^/]*)*}", "/{"+restVar+"}", 1))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(served)
	return served
}
