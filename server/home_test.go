package server

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"slashbatch/server/endpoint"

	"github.com/google/go-cmp/cmp"
)

// homeOf is the list that the owner of a key gets.
func homeOf(t *testing.T, s *Server, key string) homeDocument {
	t.Helper()
	w := askHandler(s, s.home, http.MethodGet, key)
	if w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	var d homeDocument
	decodeJSON(t, w, &d)
	return d
}

func namesOf(d homeDocument) []string {
	names := []string{}
	for _, e := range d.Endpoints {
		names = append(names, e.Name)
	}
	return names
}

// Everybody is told of what they may use, and of nothing else; the OpenAPI document is of
// the same endpoints.
func TestHomeListsWhatTheCallerMayUse(t *testing.T) {
	for key, want := range map[string][]string{
		"":      {"away", "packages"},
		"b-key": {"away", "kinds", "packages"},
		"a-key": {"away", "kinds", "mine", "packages"},
	} {
		s := describedServer(t)
		if diff := cmp.Diff(want, namesOf(homeOf(t, s, key))); diff != "" {
			t.Errorf("%q: -want +got:\n%s", key, diff)
		}
		document, err := valid(openapiOf(t, s, key))
		if err != nil {
			t.Fatal(err)
		}
		var tags []string
		for _, tag := range document.Tags {
			if tag.Name != sqlTag && tag.Name != linksTag && tag.Name != "Health" {
				tags = append(tags, tag.Name)
			}
		}
		if slices.Sort(tags); !slices.Equal(tags, want) {
			t.Errorf("%q: the OpenAPI document has %v, want %v", key, tags, want)
		}
		for _, h := range []handler{s.home, s.openapi} {
			header := askHandler(s, h, http.MethodGet, key).Header()
			if header.Get("Cache-Control") != "private, no-cache" || !slices.Contains(header.Values("Vary"), "Authorization") {
				t.Errorf("%q: what not everybody may see has %v", key, header)
			}
		}
	}
}

func TestHomeOfAllThatIsPublic(t *testing.T) {
	s := describedServer(t)
	s.Specs = slices.DeleteFunc(s.Specs, func(spec *endpoint.Spec) bool { return !spec.Access.Public })
	w := askHandler(s, s.home, http.MethodGet, "")
	if got := w.Header().Get("Cache-Control"); got != "no-cache" || slices.Contains(w.Header().Values("Vary"), "Authorization") {
		t.Errorf("%v", w.Header())
	}
}

// Who may use nothing is asked for a key, or told.
func TestHomeWithoutAnythingToUse(t *testing.T) {
	for _, c := range []struct {
		name, key string
		change    func(*Server)
		code      int
	}{
		{"an unknown key", "no-key", func(*Server) {}, http.StatusUnauthorized},
		{"no callers without a key", "", func(s *Server) { s.AnonymousEnabled = false }, http.StatusUnauthorized},
		{"no endpoint", "", func(s *Server) { s.AnonymousEnabled, s.Specs = false, nil }, http.StatusOK},
		{"no endpoint of one's own", "b-key", func(s *Server) { s.Specs = s.Specs[2:3] }, http.StatusOK},
	} {
		s := describedServer(t)
		c.change(s)
		for _, h := range []handler{s.home, s.openapi} {
			w := askHandler(s, h, http.MethodGet, c.key)
			if w.Code != c.code || (w.Code == http.StatusUnauthorized) != (w.Header().Get("WWW-Authenticate") != "") {
				t.Errorf("%s: %d %v", c.name, w.Code, w.Header())
			}
		}
	}
}

func TestHomeDescribesEndpoints(t *testing.T) {
	d := homeOf(t, describedServer(t), "")
	if d.Service != "slashbatch" || d.OpenAPI != "https://data.example/x/openapi.json" || d.SQLJobs != "https://data.example/x/api/v2/sql/job" {
		t.Errorf("%+v", d)
	}
	away, packages := d.Endpoints[0], d.Endpoints[1]
	if away.Available || !strings.Contains(away.Reason, "not been reached") || away.URL != "https://data.example/x/away/{thing}" || len(away.Path) != 1 {
		t.Errorf("%+v", away)
	}
	const example = "https://data.example/x/stream/AB-01/package"
	if diff := cmp.Diff(&twinDocument{
		URL: "https://data.example/x/stream/{stream}/package/batch", Format: "csv", Links: true,
		Formats: []string{"csv", "csv.gz", "ndjson", "ndjson.gz", "json", "json.gz", "parquet", "xlsx"},
		Example: example + "/batch?min-mass=1000", Status: example + "/batch/status?min-mass=1000",
	}, packages.Batch); diff != "" {
		t.Error(diff)
	}
	if !packages.Available || packages.Example != example+"?min-mass=1000" || packages.HardLimit != 5000 || packages.MaxAge != 60 || packages.Access != "public" {
		t.Errorf("%+v", packages)
	}
	if diff := cmp.Diff([]pathDocument{{
		Name: "stream", Type: "string", Expected: "text", Pattern: "^[A-Z]{2}-[0-9]{2}$", Description: "two letters and two digits",
	}}, packages.Path); diff != "" {
		t.Error(diff)
	}
	mass := slices.IndexFunc(packages.Filters, func(f filterDocument) bool { return f.Name == "mass" })
	if mass < 0 || packages.Filters[mass].Description != "grams" || !slices.Contains(packages.Filters[mass].Operators, "min-") {
		t.Errorf("%+v", packages.Filters)
	}
	if len(packages.Views) != 2 || packages.Views[1].Name != "compact" || packages.Views[1].Columns[1].Name != "mass" {
		t.Errorf("%+v", packages.Views)
	}
}

// An endpoint without a twin offers none.
func TestHomeWithoutTwin(t *testing.T) {
	s := describedServer(t)
	if kinds := homeOf(t, s, "b-key").Endpoints[1]; kinds.Name != "kinds" || kinds.Batch != nil {
		t.Errorf("%+v", kinds)
	}
	s.BatchEnabled = false
	for _, e := range homeOf(t, s, "a-key").Endpoints {
		if e.Batch != nil {
			t.Errorf("%+v", e)
		}
	}
	if page := homePage(t, s, "a-key"); strings.Contains(page, "/batch") {
		t.Error("the page leads to a twin that is not there")
	}
}

func TestHomeIsTagged(t *testing.T) {
	s := describedServer(t)
	for _, h := range []handler{s.home, s.openapi} {
		first := askHandler(s, h, http.MethodGet, "")
		tag := first.Header().Get("ETag")
		again := askHandler(s, h, http.MethodGet, "", "If-None-Match", tag)
		if tag == "" || again.Code != http.StatusNotModified || again.Body.Len() > 0 {
			t.Errorf("%q: %d with %d bytes", tag, again.Code, again.Body.Len())
		}
		head := askHandler(s, h, http.MethodHead, "")
		if head.Code != http.StatusOK || head.Body.Len() > 0 || head.Header().Get("Content-Length") != first.Header().Get("Content-Length") {
			t.Errorf("HEAD: %d %v", head.Code, head.Header())
		}
		if other := askHandler(s, h, http.MethodGet, "a-key"); other.Header().Get("ETag") == tag {
			t.Error("another list has the same tag")
		}
	}
}
