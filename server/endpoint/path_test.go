package endpoint

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// at makes a spec with a path; patterns are "name=pattern".
func at(t *testing.T, name, path string, patterns ...string) *Spec {
	t.Helper()
	var yaml strings.Builder
	fmt.Fprintf(&yaml, "name: %s\npath: %s\nkey: id\nquery: SELECT 1", name, path)
	segments, _ := splitTemplate(path)
	for _, s := range segments {
		if s.variable {
			fmt.Fprintf(&yaml, ", {%s}", s.text)
		}
	}
	yaml.WriteString("\npathParameters:\n")
	for _, p := range patterns {
		name, pattern, _ := strings.Cut(p, "=")
		fmt.Fprintf(&yaml, "  %s: {pattern: '%s'}\n", name, pattern)
	}
	specs, problems := Decode([]byte(yaml.String()), name+".yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return specs[0]
}

func TestConflicts(t *testing.T) {
	for _, c := range []struct {
		name string
		a, b *Spec
		want []string
	}{
		{"other literals", at(t, "a", "/x/y"), at(t, "b", "/x/z"), nil},
		{"other lengths", at(t, "a", "/x"), at(t, "b", "/x/{v}"), nil},
		{"the same", at(t, "a", "/x/y"), at(t, "b", "/x/y"), []string{`b.yaml: path: /x/y matches paths that /x/y of a.yaml ("a") matches too`}},
		{"variables of other names", at(t, "a", "/x/{v}"), at(t, "b", "/x/{w}"), []string{`b.yaml: path: /x/{w} matches paths that /x/{v} of a.yaml ("a") matches too`}},
		{"a literal where the other varies", at(t, "a", "/x/{v}"), at(t, "b", "/x/all"), []string{`b.yaml: path: /x/all matches paths that /x/{v} of a.yaml ("a") matches too`}},
		{"unless the pattern refuses it", at(t, "a", "/x/{v}", "v=[0-9]+"), at(t, "b", "/x/all"), nil},
		{"crosswise", at(t, "a", "/{v}/y", "v=x"), at(t, "b", "/x/{w}"), []string{`b.yaml: path: /x/{w} matches paths that /{v}/y of a.yaml ("a") matches too`}},
		{"patterns of two variables are not compared", at(t, "a", "/x/{v}", "v=[0-9]"), at(t, "b", "/x/{v}", "v=[a-z]"), []string{`b.yaml: path: /x/{v} matches paths that /x/{v} of a.yaml ("a") matches too`}},
		{"names", at(t, "a", "/x"), at(t, "A", "/y"), []string{`A.yaml: name: "A" is also the name of the endpoint in a.yaml ("a")`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, p := range Conflicts([]*Spec{c.a, c.b}) {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestWarnings(t *testing.T) {
	for _, c := range []struct {
		spec *Spec
		want []string
	}{
		{at(t, "a", "/x/{v}", "v=[0-9]+"), nil},
		{at(t, "a", "/x/{v}"), []string{`a.yaml: path: {v} cannot be "batch": a path that ends in /batch is always a batch twin`}},
		{at(t, "a", "/x/{v}/status"), []string{`a.yaml: path: {v} cannot be "batch": a path that ends in /batch/status is always a batch twin`}},
		{at(t, "a", "/x/{v}/{w}", "w=status|cancel"), []string{
			`a.yaml: path: {v} cannot be "batch" and {w} cannot be "status": a path that ends in /batch/status is always a batch twin`,
			`a.yaml: path: {v} cannot be "batch" and {w} cannot be "cancel": a path that ends in /batch/cancel is always a batch twin`,
		}},
		{at(t, "a", "/{v}/x", "v=api|jobs|other"), []string{`a.yaml: path: {v} cannot be api, jobs: those paths belong to the service itself`}},
		{at(t, "a", "/{v}/x", "v=[A-Z]+"), nil},
	} {
		t.Run(c.spec.Path, func(t *testing.T) {
			var got []string
			for _, p := range c.spec.Warnings {
				got = append(got, p.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// Another façade segment has clashes of its own.
func TestFacadeClashes(t *testing.T) {
	problems, warnings := FacadeClashes([]*Spec{at(t, "a", "/x/export"), at(t, "b", "/y/{v}", "v=ex.*"), at(t, "c", "/z/{v}", "v=[0-9]+")}, "export")
	if diff := cmp.Diff("a.yaml: path: ends in /export, which belongs to the batch twins", problems.Error()); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(`b.yaml: path: {v} cannot be "export": a path that ends in /export is always a batch twin`, warnings.Error()); diff != "" {
		t.Error(diff)
	}
}

func TestSort(t *testing.T) {
	specs := []*Spec{at(t, "a", "/{v}/y"), at(t, "b", "/x/{v}"), at(t, "c", "/x/y"), at(t, "d", "/x")}
	Sort(specs)
	var got []string
	for _, s := range specs {
		got = append(got, s.Path)
	}
	if diff := cmp.Diff([]string{"/x", "/x/y", "/x/{v}", "/{v}/y"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatch(t *testing.T) {
	s := at(t, "a", "/x/{v}/y/{w}")
	vars, ok := s.Match([]string{"x", "a/b", "y", " "})
	if diff := cmp.Diff(map[string]string{"v": "a/b", "w": " "}, vars); !ok || diff != "" {
		t.Error(ok, diff)
	}
	for _, parts := range [][]string{nil, {"x"}, {"x", "", "y", "w"}, {"x", "v", "z", "w"}, {"x", "v", "y", "w", ""}} {
		if _, ok := s.Match(parts); ok {
			t.Errorf("%q matches", parts)
		}
	}
}
