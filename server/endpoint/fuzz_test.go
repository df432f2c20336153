package endpoint

import (
	"maps"
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
	words := oneOf(column, `to_tsvector\('simple', `+operand+`\)`)
	search := oneOf(
		`websearch_to_tsquery\('simple', `+arg+`text\)`,
		`ANY\(ARRAY\(SELECT websearch_to_tsquery\('simple', v\) FROM unnest\(`+arg+`text\[\]\) AS v\)\)`,
	)
	atom := oneOf(
		operand+` (?:=|<|>|<=|>=|LIKE) `+bound,
		operand+` (?:=|LIKE) ANY\(`+bound+`\[\]\)`,
		operand+` IS (?:NOT )?NULL`,
		words+` @@ `+search,
		column+` (?:=|<|>|<=) \$[0-9]+`, // of a cursor, where no type is known
	)
	// A cursor's condition is nested; whether its parentheses match is
	// PostgreSQL's to tell, in TestStatementsRun.
	condition := `\(*` + atom + `\)*`
	order := oneOf(column, place, number)
	term, number := order+`(?: DESC)?`, `[0-9]+(?: DESC)?`
	return regexp.MustCompile(`^SELECT ` + oneOf(oneOf(heads...)+`(?:, `+order+`)*`, `count\(\*\)`) + ` FROM ` + regexp.QuoteMeta(e.Spec.from()) +
		`(?: WHERE ` + condition + `(?: (?:AND|OR) ` + condition + `)*)?` +
		`(?: ORDER BY ` + oneOf(term+`(?:, `+term+`)*`, number+`(?:, `+number+`)*`) + `)?` +
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
		"story=a&words=b&words=c&attrs.story=d", "_sort=-state&_sort=attrs.size&_sort=-attrs.x&_count=exact", "_sort=-tags&_sort=attrs&_delimiter=tab&_bom=1",
	} {
		for _, last := range []string{"7", "x,7", "~,7", "1,~,x,7", "~,~,2,7"} {
			f.Add(s, "AB-01", "5", "alice", last)
		}
	}
}

// withLast returns the parameters with the cursor for a row whose order terms
// have the values in last: joined by commas, ~ is NULL. Too few are repeated.
func withLast(r *Request, params url.Values, last string) url.Values {
	var values [][]byte
	for list := strings.Split(last, ","); len(values) < r.OrderTerms(); {
		for _, v := range list[:min(len(list), r.OrderTerms()-len(values))] {
			if v == "~" {
				values = append(values, nil)
			} else {
				values = append(values, []byte(v))
			}
		}
	}
	after := maps.Clone(params)
	after[paramAfter], after[paramOffset] = []string{r.Cursor(values)}, nil
	return after
}

// FuzzParse: whatever is asked, the statements are ones that the spec allows,
// their arguments are text that PostgreSQL takes, and the canonical form means the same.
func FuzzParse(f *testing.F) {
	seed(f)
	endpoints := fuzzed(f)
	var grammars []*regexp.Regexp
	for _, e := range endpoints {
		grammars = append(grammars, grammar(e))
	}
	f.Fuzz(func(t *testing.T, query, first, second, user, last string) {
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
			checkRequest(t, grammars[i], r, user)
			after, problems := e.Parse(Input{Vars: vars, Params: withLast(r, params, last), User: user})
			if len(problems) > 0 {
				t.Fatalf("its own cursor is refused: %v", problems)
			}
			checkRequest(t, grammars[i], after, user)
		}
	})
}

var argumentPlaces = regexp.MustCompile(`\$([0-9]+)`)

func checkRequest(t *testing.T, grammar *regexp.Regexp, r *Request, user string) {
	for _, s := range statements(r) {
		if !grammar.MatchString(s.SQL) {
			t.Errorf("not allowed: %s", s.SQL)
		}
		for n, a := range s.Args {
			if !utf8.ValidString(a.Value) || strings.ContainsRune(a.Value, 0) {
				t.Errorf("$%d is no text: %q", n+1, a.Value)
			}
		}
		// An argument that stands nowhere has no type, and fails.
		used := map[int]bool{}
		for _, m := range argumentPlaces.FindAllStringSubmatch(s.SQL, -1) {
			n, _ := strconv.Atoi(m[1])
			used[n] = true
		}
		if len(used) != len(s.Args) || len(used) > 0 && slices.Max(slices.Collect(maps.Keys(used))) != len(s.Args) {
			t.Errorf("%d arguments for %s", len(s.Args), s.SQL)
		}
	}
	again, problems := r.Endpoint.Parse(Input{Vars: canonicalVars(r), Params: r.Values(), User: user})
	if len(problems) > 0 {
		t.Fatalf("the canonical form %s is refused: %v", r.Canonical(), problems)
	}
	if again.Key() != r.Key() {
		t.Errorf("the canonical form has another key:\n%s\n%s", r.Key(), again.Key())
	}
	if diff := cmp.Diff(statements(r), statements(again)); diff != "" {
		t.Error(diff)
	}
	r.FileName("csv")
}

// FuzzKey: two requests share a key exactly when they mean the same statement.
func FuzzKey(f *testing.F) {
	for _, s := range [][2]string{
		{"label=b_c", "label=b&label=c"},
		{"label=a%26mass=1", "label=a&mass=1"},
		{"label=A", "label=a"},
		{"_sort=mass&_sort=id", "_sort=mass"},
		{"_limit=5", "_limit=05&_sort=id"},
		{"_sort=-mass&_sort=label", "_sort=-mass&_sort=-label"},
		{"mass=1.0", "mass=1"},
		{"label=" + strings.Repeat("x", 200), "label=" + strings.Repeat("x", 201)},
	} {
		for _, last := range [][2]string{{"", ""}, {"7", "7"}, {"7", "8"}, {"7", ""}, {"~,7", "NULL,7"}, {"a,b", "a,,b"}} {
			f.Add(s[0], "AB-01", last[0], s[1], "AB-01", last[1])
		}
	}
	e := compile(f, "packages")
	f.Fuzz(func(t *testing.T, queryA, streamA, lastA, queryB, streamB, lastB string) {
		parse := func(query, stream, last string) *Request {
			params, err := url.ParseQuery(query)
			if err != nil {
				return nil
			}
			vars := map[string]string{"stream": stream}
			r, _ := e.Parse(Input{Vars: vars, Params: params})
			if r != nil && last != "" {
				r, _ = e.Parse(Input{Vars: vars, Params: withLast(r, params, last)})
			}
			return r
		}
		a, b := parse(queryA, streamA, lastA), parse(queryB, streamB, lastB)
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
