package endpoint

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// grammar returns the expression that every statement of an endpoint matches:
// words of this package, the spec's query, described columns, and numbers of
// arguments. Nothing in it comes from a request.
func grammar(e *Endpoint) *regexp.Regexp {
	var columns, texts, heads []string
	for _, c := range e.columns {
		columns = append(columns, regexp.QuoteMeta(identifier(c.Name)))
		texts = append(texts, regexp.QuoteMeta(identifier(c.Name)+"::text"))
	}
	for _, view := range e.views {
		var names []string
		for _, c := range view {
			names = append(names, identifier(c.Name))
		}
		heads = append(heads, regexp.QuoteMeta(strings.Join(names, ", ")))
	}
	oneOf := func(list ...string) string { return "(?:" + strings.Join(list, "|") + ")" }
	column, arg := oneOf(columns...), `\$[0-9]+::`
	place := `\(` + column + ` #>> ` + arg + `text\[\]\)`
	number := `\(CASE WHEN jsonb_typeof\(` + column + ` #> ` + arg + `text\[\]\) = 'number' THEN ` + place + `::numeric END\)`
	operand := oneOf(append(texts, column, place, number)...)
	bound := arg + oneOf("bool", "text", "bpchar", "int2", "int4", "int8", "float4", "float8", "numeric", "date", "timestamp", "timestamptz", "uuid")
	condition := oneOf(
		operand+` (?:=|<|>|<=|>=|LIKE) `+bound,
		operand+` (?:=|LIKE) ANY\(`+bound+`\[\]\)`,
		operand+` IS (?:NOT )?NULL`,
	)
	term := oneOf(column, place, number) + `(?: DESC)?`
	return regexp.MustCompile(`^SELECT ` + oneOf(heads...) + ` FROM ` + regexp.QuoteMeta(e.Spec.from()) +
		`(?: WHERE ` + condition + `(?: AND ` + condition + `)*)?` +
		`(?: ORDER BY ` + term + `(?:, ` + term + `)*)?` +
		`(?: LIMIT ` + arg + `bigint)?(?: OFFSET ` + arg + `bigint)?$`)
}

// fuzzed are the endpoints the fuzzers ask, with their path variables.
func fuzzed(t testing.TB) []*Endpoint {
	return []*Endpoint{compile(t, "packages"), compile(t, "samples")}
}

func seed(f *testing.F) {
	for _, s := range []string{
		"", "min-mass=1000&_view=compact", "label=a&label=b&_sort=-mass&_limit=5", "attrs.x'y=1&exists-attrs.z=false",
		"mass=1e5&ratio=1e-3&sent_at=2026-01-31T12:00:00+01:00", `label="%5C{}`, "_sort=attrs.a%22b&min-attrs.size=3",
		"id=123e4567-e89b-12d3-a456-426614174000&_offset=3&_format=csv", "state=');--&tags={a}", "odd+%22name%22=1",
	} {
		f.Add(s, "AB-01", "5", "alice")
	}
}

// FuzzParse: whatever is asked, the statement is one that the spec allows, its
// arguments are text that PostgreSQL takes, and the canonical form means the same.
func FuzzParse(f *testing.F) {
	seed(f)
	endpoints := fuzzed(f)
	var grammars []*regexp.Regexp
	for _, e := range endpoints {
		grammars = append(grammars, grammar(e))
	}
	numbers := regexp.MustCompile(`\$([0-9]+)`)
	f.Fuzz(func(t *testing.T, query, first, second, user string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		vars := map[string]string{"stream": first, "lab": first, "run": second}
		for i, e := range endpoints {
			r, problems := e.Parse(Input{Vars: vars, Params: params, User: user})
			if (r == nil) != (len(problems) > 0) {
				t.Fatalf("request %v with problems %v", r, problems)
			}
			if r == nil {
				continue
			}
			for _, s := range []Statement{r.Interactive(), r.Batch()} {
				if !grammars[i].MatchString(s.SQL) {
					t.Errorf("not allowed: %s", s.SQL)
				}
				for n, a := range s.Args {
					if !utf8.ValidString(a.Value) || strings.ContainsRune(a.Value, 0) {
						t.Errorf("$%d is no text: %q", n+1, a.Value)
					}
				}
				var used []int
				for _, m := range numbers.FindAllStringSubmatch(s.SQL, -1) {
					n, _ := strconv.Atoi(m[1])
					used = append(used, n)
				}
				if most := slices.Max(used); most != len(s.Args) {
					t.Errorf("%d arguments for %s", len(s.Args), s.SQL)
				}
			}
			again, problems := e.Parse(Input{Vars: canonicalVars(r), Params: r.Values(), User: user})
			if len(problems) > 0 {
				t.Fatalf("the canonical form %s is refused: %v", r.Canonical(), problems)
			}
			if again.Key() != r.Key() {
				t.Errorf("the canonical form has another key:\n%s\n%s", r.Key(), again.Key())
			}
			if diff := cmp.Diff(r.Batch(), again.Batch()); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(r.Interactive(), again.Interactive()); diff != "" {
				t.Error(diff)
			}
			r.FileName("csv")
		}
	})
}

// FuzzKey: two requests share a key exactly when they mean the same statement.
func FuzzKey(f *testing.F) {
	for _, s := range [][2]string{
		{"label=b_c", "label=b&label=c"},
		{"label=a%26mass=1", "label=a&mass=1"},
		{"label=A", "label=a"},
		{"_sort=mass&_sort=id", "_sort=mass"},
		{"_limit=5", "_limit=05&_sort=id"},
		{"mass=1.0", "mass=1"},
		{"label=" + strings.Repeat("x", 200), "label=" + strings.Repeat("x", 201)},
	} {
		f.Add(s[0], "AB-01", s[1], "AB-01")
	}
	e := compile(f, "packages")
	f.Fuzz(func(t *testing.T, queryA, streamA, queryB, streamB string) {
		parse := func(query, stream string) *Request {
			params, err := url.ParseQuery(query)
			if err != nil {
				return nil
			}
			r, _ := e.Parse(Input{Vars: map[string]string{"stream": stream}, Params: params})
			return r
		}
		a, b := parse(queryA, streamA), parse(queryB, streamB)
		if a == nil || b == nil {
			return
		}
		for _, key := range []string{a.Key(), b.Key()} {
			if !keySyntax.MatchString(key) {
				t.Errorf("no name: %s", key)
			}
		}
		same := meaning(a) == meaning(b)
		if equal := a.Key() == b.Key(); equal != same {
			t.Errorf("equal keys %v, equal statements %v:\n%s\n%s\n%s\n%s", equal, same, a.Key(), b.Key(), meaning(a), meaning(b))
		}
		if !same && strings.EqualFold(a.Key(), b.Key()) {
			t.Errorf("only case tells apart %s and %s", a.Key(), b.Key())
		}
	})
}
