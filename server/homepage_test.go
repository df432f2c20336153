package server

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"slashbatch/server/endpoint"

	"github.com/google/go-cmp/cmp"
)

const browserAccept = "text/html,application/xhtml+xml,*/*;q=0.8"

// homePage is the page that a browser with a key gets.
func homePage(t *testing.T, s *Server, key string) string {
	t.Helper()
	w := askHandler(s, s.home, http.MethodGet, key, "Accept", browserAccept)
	if w.Code != http.StatusOK || !strings.HasPrefix(w.Header().Get("Content-Type"), "text/html") {
		t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
	}
	if got := w.Header().Get("Content-Security-Policy"); got != pagePolicy {
		t.Errorf("policy %s", got)
	}
	return w.Body.String()
}

// element is a start tag, with the text right behind it.
type element struct {
	name string
	attr map[string]string
	text string
}

// elements are those of a page, in order; that each is closed where it has to be is
// checked on the way.
func elements(t *testing.T, page string) []element {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false // attributes without a value
	var list []element
	var open []string
	for {
		token, err := d.RawToken()
		switch token := token.(type) {
		case xml.StartElement:
			e := element{name: token.Name.Local, attr: map[string]string{}}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			list = append(list, e)
			if !slices.Contains(xml.HTMLAutoClose, e.name) {
				open = append(open, e.name)
			}
		case xml.EndElement:
			if n := len(open); n == 0 || open[n-1] != token.Name.Local {
				t.Fatalf("</%s> closes %v\n%s", token.Name.Local, open, page)
			}
			open = open[:len(open)-1]
		case xml.CharData:
			if n := len(list); n > 0 && list[n-1].text == "" {
				list[n-1].text = string(token)
			}
		}
		if errors.Is(err, io.EOF) {
			if len(open) > 0 {
				t.Fatalf("%v are not closed\n%s", open, page)
			}
			return list
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, page)
		}
	}
}

// form is what a browser would send of a form: values beside those of a button.
type form struct {
	action  string
	values  url.Values
	buttons []element
}

// forms are those of a page, by action.
func forms(t *testing.T, page string) map[string]form {
	t.Helper()
	found := map[string]form{}
	var f form
	var choice string
	for _, e := range elements(t, page) {
		switch e.name {
		case "form":
			f = form{action: e.attr["action"], values: url.Values{}}
		case "input":
			f.values.Add(e.attr["name"], e.attr["value"])
		case "select":
			choice = e.attr["name"]
		case "option":
			if _, selected := e.attr["selected"]; selected {
				f.values.Add(choice, e.text)
			}
		case "button":
			f.buttons = append(f.buttons, e)
		}
		found[f.action] = f
	}
	return found
}

// A form as it comes asks for the example, and empty fields change nothing.
func TestFormsAskForTheExample(t *testing.T) {
	s := describedServer(t)
	page := forms(t, homePage(t, s, "a-key"))
	for name, path := range map[string]string{"packages": "/stream/AB-01/package", "kinds": "/kinds", "mine": "/mine"} {
		e := s.Registry.endpoints[name]
		example, ok := exampleOf(e, "alice")
		if !ok {
			t.Fatal("no example of ", name)
		}
		f, ok := page["/x"+path]
		if !ok {
			t.Errorf("there is no form for %s: %v", path, page)
			continue
		}
		vars, _ := matchPath(e.Spec, path)
		got, problems := e.Parse(endpoint.Input{Vars: vars, Params: f.values, User: "alice"})
		if len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
			continue
		}
		if got.Canonical() != example.Canonical() {
			t.Errorf("%s: the form asks for %s, the example is %s", name, got.Canonical(), example.Canonical())
		}
	}
}

// Each button asks one URL for one format that it has.
func TestButtonsOfForms(t *testing.T) {
	s := describedServer(t)
	var got []string
	for _, e := range forms(t, homePage(t, s, ""))["/x/stream/AB-01/package"].buttons {
		got = append(got, e.attr["formaction"]+" "+e.attr["name"]+"="+e.attr["value"])
	}
	var want []string
	for _, word := range []string{"html", "json", "csv", "ndjson"} {
		want = append(want, " _format="+word)
	}
	for _, word := range []string{"csv", "ndjson", "json", "parquet", "xlsx"} {
		want = append(want, "/x/stream/AB-01/package/batch _format="+word)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHomePage(t *testing.T) {
	page := homePage(t, describedServer(t), "a-key")
	links := map[string]string{} // and their rel
	ids := map[string]bool{}
	for _, e := range elements(t, page) {
		if id := e.attr["id"]; id != "" {
			if ids[id] {
				t.Errorf("the id %s is there twice", id)
			}
			ids[id] = true
		}
		if e.name == "a" {
			links[e.attr["href"]] = e.attr["rel"]
		}
		if e.name == "script" || e.attr["src"] != "" || e.attr["style"] != "" || e.name == "link" {
			t.Errorf("%+v is not for a page with this policy", e)
		}
	}
	for _, e := range elements(t, page) {
		if target := e.attr["for"]; e.name == "label" && !ids[target] {
			t.Errorf("a label is for %q, which is not there", target)
		}
	}
	const example = "https://data.example/x/stream/AB-01/package"
	for href, rel := range map[string]string{
		"https://data.example/x/openapi.json":     "",
		example + "?_format=json&min-mass=1000":   "",
		example + "?_format=csv&min-mass=1000":    "",
		example + "/batch?min-mass=1000":          "nofollow",
		example + "/batch/status?min-mass=1000":   "nofollow",
		"https://data.example/x/mine?_format=csv": "",
		"#packages": "",
	} {
		if got, ok := links[href]; !ok || got != rel {
			t.Errorf("%s: there %v, rel %q", href, ok, got)
		}
	}
	for href := range links {
		if !strings.HasPrefix(href, "https://data.example/x/") && !strings.HasPrefix(href, "#") {
			t.Errorf("a link leads to %s", href)
		}
	}
	for _, text := range []string{"curl -u NAME:KEY 'https://data.example/x/mine'", "curl 'https://data.example/x/stream/AB-01/package?min-mass=1000'", "/api/v2/sql/job"} {
		if !strings.Contains(strings.NewReplacer("&#39;", "'", "&amp;", "&").Replace(page), text) {
			t.Errorf("the page has no %s", text)
		}
	}
	if strings.Contains(page, "<b>") {
		t.Error("a description became markup")
	}
}

// What there is nothing of says so.
func TestHomePagesWithLittle(t *testing.T) {
	for _, c := range []struct {
		name, key, want string
		change          func(*Server)
	}{
		{"no endpoint", "", "endpointsDir", func(s *Server) { s.Specs = nil }},
		{"nothing for the key", "b-key", "None of the endpoints here is for your key", func(s *Server) { s.Specs = s.Specs[2:3] }},
		{"a database that is away", "", "has not been reached yet", func(s *Server) { s.Specs = s.Specs[3:] }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := describedServer(t)
			s.SQLEnabled = false
			c.change(s)
			page := homePage(t, s, c.key)
			if !strings.Contains(page, c.want) {
				t.Errorf("the page does not say %q:\n%s", c.want, page)
			}
			if strings.Contains(page, "SQL jobs") {
				t.Error("there are no SQL jobs here")
			}
			if names := elements(t, page); slices.ContainsFunc(names, func(e element) bool { return e.name == "form" }) {
				t.Error("there is a form that can ask nothing")
			}
		})
	}
}
