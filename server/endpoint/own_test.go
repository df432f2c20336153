package endpoint

import (
	"net/url"
	"strings"
	"testing"
)

const ownSpec = `
name: named.query
path: /raw-resource/{customer}/{name}/{args...}
access: customer
key: id
query: |
  SELECT id, label, tags FROM thing WHERE customer = {customer} AND batch = ANY ({batches})
properties:
  tags: {match: any}
sort: [-label]
guard: SELECT sum(revision)::text FROM batch WHERE id = ANY ({batches}) AND customer = {customer}
`

func ownEndpoint(t *testing.T) *Endpoint {
	t.Helper()
	specs, problems := DecodeOwn([]byte(ownSpec), "own.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e, problems := Compile(specs[0], Described{
		Columns: []Column{{"id", 25, "text"}, {"label", 25, "text"}, {"tags", 1009, "_text"}},
		Params:  []uint32{23, 1016},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return e
}

func parseOwn(t *testing.T, args, query string, in OwnInput) *Request {
	t.Helper()
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	if in.Bound == nil {
		in.Bound = map[string]string{"batches": "{1,2}"}
	}
	r, problems := ownEndpoint(t).Parse(Input{Vars: map[string]string{"customer": "99", "name": "report", "args": args}, Params: params, Own: in})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return r
}

// What the service adds is bound, holds beside what the client asks for, and is in no URL.
func TestOwnStatement(t *testing.T) {
	r := parseOwn(t, "/1,2/x", "label=mine&_limit=5", OwnInput{Filters: url.Values{"label": {"theirs"}, "tags": {"b", "a"}}})
	st := r.Interactive()
	want := `SELECT "id", "label", "tags" FROM (
SELECT id, label, tags FROM thing WHERE customer = $1 AND batch = ANY ($2)

) AS q WHERE "label" = $3::text AND "tags" && $4::text[] AND "label" = $5::text ORDER BY "label" DESC, "id" LIMIT $6::bigint`
	if strings.Join(strings.Fields(st.SQL), " ") != strings.Join(strings.Fields(want), " ") {
		t.Errorf("%s\nwant\n%s", st.SQL, want)
	}
	var args []string
	for _, a := range st.Args {
		args = append(args, a.Value)
	}
	if got := strings.Join(args, "|"); got != `99|{1,2}|theirs|{"a","b"}|mine|5` {
		t.Error(got)
	}
	if c := r.Canonical(); c != "_limit=5&label=mine" {
		t.Errorf("canonical parameters %s", c)
	}
	g := r.Guard()
	if g.SQL != "SELECT sum(revision)::text FROM batch WHERE id = ANY ($1) AND customer = $2 " || g.Args[0].Value != "{1,2}" || g.Args[1].Value != "99" {
		t.Errorf("%+v", g)
	}
}

// The segments behind the name are written in one way, and told apart from each other.
func TestOwnRest(t *testing.T) {
	for raw, want := range map[string]string{
		"":               "/raw-resource/99/report",
		"/":              "/raw-resource/99/report",
		"/a//b/":         "/raw-resource/99/report/a/b",
		"/a%2Fb/%63":     "/raw-resource/99/report/a%2Fb/c",
		"/1,2/%2E%2E/x":  "/raw-resource/99/report/1,2/%2E%2E/x",
		"/caf%C3%A9/%20": "/raw-resource/99/report/caf%C3%A9/%20",
	} {
		if got := parseOwn(t, raw, "", OwnInput{}).Path(); got != want {
			t.Errorf("%s: %s, want %s", raw, got, want)
		}
	}
	_, problems := ownEndpoint(t).Parse(Input{Vars: map[string]string{"customer": "99", "name": "report", "args": "/%zz"}, Own: OwnInput{Bound: map[string]string{"batches": "{}"}}})
	if len(problems) != 1 || problems[0].Path != "args" {
		t.Error(problems)
	}
	if parts, ok := RestParts("/a%2Fb//c"); !ok || strings.Join(parts, "|") != "a/b|c" {
		t.Error(parts)
	}
}

func TestOwnKey(t *testing.T) {
	a := parseOwn(t, "/1", "", OwnInput{Digest: "d1"})
	for name, b := range map[string]*Request{
		"digest":    parseOwn(t, "/1", "", OwnInput{Digest: "d2"}),
		"arguments": parseOwn(t, "/1/2", "", OwnInput{Digest: "d1"}),
		"slash":     parseOwn(t, "/1%2F2", "", OwnInput{Digest: "d1"}),
		"order":     parseOwn(t, "/1", "_sort=-label", OwnInput{Digest: "d1"}),
	} {
		if a.Key() == b.Key() {
			t.Errorf("%s: equal keys %s", name, a.Key())
		}
	}
	if b := parseOwn(t, "//1/", "", OwnInput{Digest: "d1", Sort: []string{"label"}}); a.Key() != b.Key() {
		t.Errorf("%s and %s", a.Key(), b.Key()) // its digest is what tells orders apart
	}
	if b := parseOwn(t, "/1", "_sort=label", OwnInput{}); b.Batch().SQL == a.Batch().SQL {
		t.Error("the order asked for is not the one of the statement")
	}
	if !strings.Contains(parseOwn(t, "/1", "", OwnInput{Sort: []string{"label"}}).Batch().SQL, `ORDER BY "label", "id"`) {
		t.Error("a batch is not in the order of its request")
	}
}

// Declared endpoints have nothing of it.
func TestOwnIsNotForOthers(t *testing.T) {
	_, problems := Decode([]byte(ownSpec), "theirs.yaml")
	var text []string
	for _, p := range problems {
		text = append(text, p.String())
	}
	all := strings.Join(text, "\n")
	for _, want := range []string{
		`guard: unknown field`, `sort: unknown field`, `access: expected public, authenticated or a list of user names`,
		`name: expected a letter`, `/raw-resource belongs to the service itself`, `{args...} is no variable name`, `{batches} is no variable of the path`,
	} {
		if !strings.Contains(all, want) {
			t.Errorf("nothing says %q:\n%s", want, all)
		}
	}
}
