package endpoint

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// one compiles a spec given as YAML against a description.
func one(t *testing.T, yaml string, d Described) (*Endpoint, []string) {
	t.Helper()
	specs, problems := Decode([]byte(yaml), "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e, problems := Compile(specs[0], d)
	var lines []string
	for _, p := range problems {
		lines = append(lines, p.String())
	}
	if (e == nil) != (len(lines) > 0) {
		t.Errorf("endpoint %v with problems %v", e, lines)
	}
	return e, lines
}

func TestCompileProblems(t *testing.T) {
	columns := []Column{
		{"id", 23, "int4"}, {"label", 25, "text"}, {"state", 40001, "state"}, {"raw", 17, "bytea"}, {"attrs", 3802, "jsonb"}, {"log", 114, "json"},
	}
	for _, c := range []struct {
		name, yaml string
		d          Described
		want       []string
	}{
		{
			name: "everything at once",
			yaml: `
key: idd
properties:
  lable: {type: string}
  label: {type: int}
  id: {type: bool, match: prefix}
  raw: {filterable: true}
  log: {sortable: true}
  label.x: {}
  attrs..x: {}
  attrs.day: {type: date}
  log.size: {type: numeric}
views:
  default: [id, nmae]
  short: [id, attrs.x]
`,
			d: Described{Columns: columns},
			want: []string{
				`properties.id.type: the query gives int, not bool; cast it in the query or leave the type out`,
				`properties.id.match: prefix is for text, and this is int`,
				`properties.label.type: the query gives string, not int; cast it in the query or leave the type out`,
				`properties.raw.filterable: this column cannot be filtered by`,
				`properties.log.sortable: this type has no order to sort and page by`,
				`properties.attrs..x: expected names joined by single dots`,
				`properties.attrs.day.type: expected string, int, numeric or bool inside json`,
				`properties.label.x: the column label is string, not json`,
				`properties.lable: the query gives no column "lable"; did you mean "label"?; known: id, label, state, raw, attrs, log`,
				`properties.log.size.type: numbers are compared inside jsonb only; cast the column log to jsonb in the query`,
				`key: the query gives no column "idd"; did you mean "id"?; known: id, label, state, raw, attrs, log`,
				`views.default[1]: the query gives no column "nmae"; known: id, label, state, raw, attrs, log`,
				`views.short[1]: the query gives no column "attrs.x"; did you mean "attrs"?; known: id, label, state, raw, attrs, log`,
			},
		},
		{
			name: "a column twice",
			yaml: "key: id",
			d:    Described{Columns: []Column{{"id", 23, "int4"}, {"id", 23, "int4"}}},
			want: []string{`query: gives the column "id" twice; rename one with AS`},
		},
		{
			name: "a column that reads like a filter",
			yaml: "key: id",
			d:    Described{Columns: []Column{{"id", 23, "int4"}, {"min-id", 23, "int4"}}},
			want: []string{`query: the column "min-id" would be taken for a filter on "id"; rename it with AS`},
		},
		{
			name: "no columns",
			yaml: "key: id",
			want: []string{`query: gives no columns`, `key: the query gives no column "id"; known: `},
		},
		{
			name: "a key without order",
			yaml: "key: log",
			d:    Described{Columns: columns},
			want: []string{`key: log cannot be sorted by`},
		},
		{
			name: "an example that would be refused",
			yaml: "key: id\nexample: /x?id=one&_view=wide",
			d:    Described{Columns: columns},
			want: []string{
				`example: _view: unknown view "wide"; known: default`,
				`example: id: expected a whole number from -2147483648 to 2147483647, got "one"`,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := one(t, "name: x\npath: /x\nquery: SELECT 1\n"+c.yaml, c.d)
			if diff := cmp.Diff(c.want, problems); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What a path parameter may be declared as depends on what PostgreSQL takes it for.
func TestCompilePathParameters(t *testing.T) {
	const date, int4, text, enum, jsonb, timestamptz = 1082, 23, 25, 40001, 3802, 1184
	for _, c := range []struct {
		declared string
		oid      uint32
		problem  string // a part of it; none when empty
		value    string
		want     string // the argument; refused when empty
	}{
		{declared: "{}", oid: text, value: "007", want: "007"},
		{declared: "{}", oid: int4, value: "007", want: "7"},
		{declared: "{type: int}", oid: text, value: "007", want: "7"},
		{declared: "{type: int}", oid: text, value: "x"},
		{declared: "{type: int}", oid: int4, value: "3000000000"},
		{declared: "{type: text}", oid: int4, problem: "takes {v} for int, not text"},
		{declared: "{type: numeric}", oid: int4, problem: "takes {v} for int, not numeric"},
		{declared: "{type: int}", oid: 1700, value: "12", want: "12"},
		{declared: "{type: int}", oid: 1700, value: "1.5"},
		{declared: "{type: uuid}", oid: text, value: "123E4567E89B12D3A456426614174000", want: "123e4567-e89b-12d3-a456-426614174000"},
		{declared: "{type: date}", oid: timestamptz, value: "2026-01-31", want: "2026-01-31T00:00:00Z"},
		{declared: "{type: date}", oid: timestamptz, value: "2026-01-31T12:00:00Z"},
		{declared: "{type: timestamp}", oid: date, problem: "takes {v} for date, not timestamp"},
		{declared: "{type: timestamp}", oid: timestamptz, value: "2026-01-31T12:00:00+01:00", want: "2026-01-31T11:00:00Z"},
		{declared: "{type: bool}", oid: 16, value: "1", want: "true"},
		{declared: "{}", oid: enum, problem: "write {v}::text in the query, or give a pattern"},
		{declared: "{pattern: 'open|shut'}", oid: enum, value: "open", want: "open"},
		{declared: "{pattern: 'open|shut'}", oid: enum, value: "opener"},
		{declared: "{pattern: 'open|shut'}", oid: enum, value: "open\n"},
		{declared: "{}", oid: jsonb, problem: "whose values cannot be checked here (OID 3802)"},
		{declared: "{pattern: '[0-9]{1,3}'}", oid: int4, value: "0007", want: "7"},
		{declared: "{sensitive: true}", oid: text, value: "x", want: "x"},
	} {
		t.Run(c.declared+c.value, func(t *testing.T) {
			e, problems := one(t, "name: x\npath: /x/{v}\nquery: SELECT {v}\nkey: id\npathParameters: {v: "+c.declared+"}",
				Described{Columns: []Column{{"id", 23, "int4"}}, Params: []uint32{c.oid}})
			if c.problem != "" {
				if len(problems) != 1 || !strings.Contains(problems[0], c.problem) {
					t.Errorf("got %q, want %q", problems, c.problem)
				}
				return
			}
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			r, refused := e.Parse(Input{Vars: map[string]string{"v": c.value}})
			if len(refused) > 0 {
				if c.want != "" {
					t.Error(refused)
				}
				return
			}
			if got := r.Batch().Args[0].Value; got != c.want {
				t.Errorf("argument %q, want %q", got, c.want)
			}
			again, refused := e.Parse(Input{Vars: canonicalVars(r)})
			if len(refused) > 0 || again.Key() != r.Key() {
				t.Errorf("the canonical path %s is another request: %v", r.Path(), refused)
			}
		})
	}
}

func TestCompileCountsParameters(t *testing.T) {
	_, problems := one(t, "name: x\npath: /x/{v}\nquery: SELECT {v}\nkey: id", Described{Columns: []Column{{"id", 23, "int4"}}})
	if diff := cmp.Diff([]string{"query: PostgreSQL found 0 parameters, the query has 1"}, problems); diff != "" {
		t.Error(diff)
	}
}

// The digest changes with what decides about rows, and with nothing else.
func TestDigest(t *testing.T) {
	const base = "name: x\npath: /x\nquery: SELECT 1\nkey: id\nproperties: {label: {match: prefix}}\nviews: {short: [id]}\n"
	d := Described{Columns: []Column{{"id", 23, "int4"}, {"label", 25, "text"}}}
	digest := func(yaml string, d Described) string {
		e, problems := one(t, yaml, d)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return e.Digest()
	}
	was := digest(base, d)
	for _, c := range []struct{ what, from, to string }{
		{"the query", "SELECT 1", "SELECT 2"},
		{"the key", "key: id", "key: label"},
		{"the path", "/x", "/y"},
		{"a property", "prefix", "contains"},
		{"a view", "[id]", "[label]"},
		{"a view's name", "short", "brief"},
		{"the batch's limit", "name: x", "name: x\nbatch: {hardLimit: 5}"},
	} {
		if digest(strings.Replace(base, c.from, c.to, 1), d) == was {
			t.Errorf("%s changed, the digest did not", c.what)
		}
	}
	if digest(base, Described{Columns: append(d.Columns, Column{"new", 23, "int4"})}) == was {
		t.Error("a column came, the digest did not change")
	}
	for _, c := range []struct{ what, from, to string }{
		{"the description", "name: x", "name: x\ndescription: y"},
		{"the soft limit", "name: x", "name: x\nsoftLimit: 7"},
		{"a property's description", "prefix", "prefix, description: y"},
		{"the batch's format", "name: x", "name: x\nbatch: {contentType: application/json}"},
	} {
		if digest(strings.Replace(base, c.from, c.to, 1), d) != was {
			t.Errorf("%s changed, and the digest too", c.what)
		}
	}
}
