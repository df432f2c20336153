package server

import (
	"io/fs"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"slashbatch/assets"
	"slashbatch/server/endpoint"
)

// assetColumns are the columns of named queries, by their types in PostgreSQL.
var assetColumns = map[string]uint32{
	"asset": 25, "id": 25, "space": 23, "created": 1184, "origin": 25, "mediaType": 25, "family": 25, "maxUnauthorised": 23,
	"width": 23, "height": 23, "duration": 23, "ingesting": 16, "finished": 1184, "error": 25, "tags": 1009, "roles": 1009,
	"string1": 25, "string2": 25, "string3": 25, "number1": 20, "number2": 20, "number3": 20, "manifests": 1009,
	"deliveryChannels": 3802, "batch": 20, "spaceName": 25,
}

// namedQueryEndpoint is the endpoint of that file in assets' lists.
func namedQueryEndpoint(t testing.TB, file string, params ...uint32) *endpoint.Endpoint {
	t.Helper()
	text, err := fs.ReadFile(assets.Lists(), file)
	if err != nil {
		t.Fatal(err)
	}
	specs, problems := endpoint.DecodeOwn(text, file)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := endpoint.Described{Params: params}
	for name, oid := range assetColumns {
		d.Columns = append(d.Columns, endpoint.Column{Name: name, OID: oid, TypeName: "t"})
	}
	e, problems := endpoint.Compile(specs[0], d)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return e
}

// namedQueryGrammar matches every statement of such an endpoint; nothing in it comes from a
// template, an argument or a parameter.
func namedQueryGrammar(e *endpoint.Endpoint) *regexp.Regexp {
	const arg = `\$[0-9]+::[a-z0-9]+(\[\])?`
	names := `"(` + strings.Join(columnNames(), "|") + `)"`
	head := names + `(, ` + names + `)*`
	place := `\(` + names + ` #>> ` + arg + `\)`
	operand := `(` + names + `(::text)?|` + place + `)`
	atom := `\(*` + operand + `( (=|<|>|<=|>=) (` + arg + `|ANY\(` + arg + `\))| && ` + arg + `| IS (NOT )?NULL|( = | > | < )\$[0-9]+)\)*`
	order := `(` + names + `|` + place + `)( DESC)?`
	probe := strings.TrimPrefix(e.Spec.Probe(), "SELECT * FROM ")
	return regexp.MustCompile(`^SELECT ` + head + ` FROM ` + regexp.QuoteMeta(probe) +
		`( WHERE ` + atom + `( (AND|OR) ` + atom + `)*)?( ORDER BY ` + order + `(, ` + order + `)*)?( LIMIT ` + arg + `)?( OFFSET ` + arg + `)?$`)
}

func columnNames() (names []string) {
	for name := range assetColumns {
		names = append(names, name)
	}
	return names
}

// FuzzNamedQuery: whatever stands in a template, in its arguments and in the parameters beside
// them, the statement is one that its endpoint allows, its arguments are text that PostgreSQL
// takes, the customer is the one of the path, and one about batches is of batches.
func FuzzNamedQuery(f *testing.F) {
	for _, s := range [][3]string{
		{"space=p1&s1=p2&n1=p3&batch=p4&manifest=p5&assetOrder=n1;s2 desc&#=x", "/1/a%2Fb/7/1,2,3/m,n", "_view=full&string1=x"},
		{`s1="'); DROP TABLE slashbatch.asset; --"&assetOrder=s3`, "/x", "_sort=-created&min-number1=5"},
		{"batch=p1", "/1234,5555,9999", "_limit=100&_offset=3&tags=a&tags=b"},
		{"batch=p1", "/,", ""},
		{"s1=$1&s2={customer}&s3=p1", "/{batches}", "exists-error=true"},
		{"spacename=p1&canvas=n2", "/%00", "deliveryChannels.x'y=1"},
		{"batch=1&#=p1", "//", "batch=2&customer=3&asset=98/1/x"},
		{"test", "", "string1=%27"},
	} {
		f.Add(s[0], s[1], s[2])
	}
	plain, batches := namedQueryEndpoint(f, "named-query.yaml", 23), namedQueryEndpoint(f, "named-query-batches.yaml", 23, 1016)
	grammars := map[*endpoint.Endpoint]*regexp.Regexp{plain: namedQueryGrammar(plain), batches: namedQueryGrammar(batches)}
	f.Fuzz(func(t *testing.T, template, arguments, query string) {
		params, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		own, ids, err := selected(template, arguments)
		if err != nil {
			return
		}
		e := plain
		if ids != nil {
			e = batches
		}
		r, problems := e.Parse(endpoint.Input{Vars: map[string]string{"customer": "99", "name": "n", restVar: arguments}, Params: params, Own: own})
		if len(problems) > 0 {
			return
		}
		for _, st := range []endpoint.Statement{r.Interactive(), r.Batch()} {
			if !grammars[e].MatchString(st.SQL) {
				t.Fatalf("%q %q %q:\n%s", template, arguments, query, st.SQL)
			}
			if st.Args[0].Value != "99" {
				t.Fatalf("the customer is %q", st.Args[0].Value)
			}
			if ids != nil && (len(st.Args) < 2 || st.Args[1].Value == "{}" || !strings.HasPrefix(st.Args[1].Value, "{")) {
				t.Fatalf("of batches, and not bound: %+v", st.Args)
			}
			for _, a := range st.Args {
				if !utf8.ValidString(a.Value) || strings.Contains(a.Value, "\x00") {
					t.Fatalf("argument %q", a.Value)
				}
			}
		}
		if g := r.Guard(); (g != nil) != (ids != nil) {
			t.Fatalf("guard %v of batches %v", g, ids)
		}
	})
}
