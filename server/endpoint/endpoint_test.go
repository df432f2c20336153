package endpoint

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Errorf("%s (-want +got; go test -update writes it anew):\n%s", file, diff)
	}
}

// described is what PostgreSQL answers for the probes of the specs in testdata.
var described = map[string]Described{
	"packages": {
		Columns: []Column{
			{"id", 20, "int8"},
			{"stream", 25, "text"},
			{"label", 25, "text"},
			{"mass", 1700, "numeric"},
			{"sent_at", 1184, "timestamptz"},
			{"note", 25, "text"},
		},
		Params: []uint32{25},
	},
	"samples": {
		Columns: []Column{
			{"id", 2950, "uuid"},
			{"small", 21, "int2"},
			{"count", 23, "int4"},
			{"total", 20, "int8"},
			{"mass", 1700, "numeric"},
			{"ratio", 700, "float4"},
			{"weight", 701, "float8"},
			{"active", 16, "bool"},
			{"label", 25, "text"},
			{"note", 1043, "varchar"},
			{"code", 1042, "bpchar"},
			{"secret", 25, "text"},
			{"day", 1082, "date"},
			{"seen", 1114, "timestamp"},
			{"sent_at", 1184, "timestamptz"},
			{"state", 40001, "sample_state"},
			{"tags", 1009, "_text"},
			{"spot", 600, "point"},
			{"raw", 17, "bytea"},
			{"attrs", 3802, "jsonb"},
			{"log", 114, "json"},
			{`odd "name"`, 23, "int4"},
			{"_hidden", 23, "int4"},
			{"lab", 25, "text"},
			{"run", 23, "int4"},
			{"owner", 19, "name"},
			{"story", 25, "text"},
			{"words", 3614, "tsvector"},
		},
		Params: []uint32{25, 23, 19},
	},
}

// decode reads one spec of testdata.
func decode(t testing.TB, name string) *Spec {
	t.Helper()
	file := name + ".yaml"
	data, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	specs, problems := Decode(data, file)
	if len(problems) > 0 || len(specs) != 1 {
		t.Fatalf("%d specs, problems:\n%v", len(specs), problems)
	}
	return specs[0]
}

// compile makes the endpoint of a spec in testdata.
func compile(t testing.TB, name string) *Endpoint {
	t.Helper()
	e, problems := Compile(decode(t, name), described[name])
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return e
}

// cursorPlaces finds cursors that are written as their values: _after=["a",null,"7"].
var cursorPlaces = regexp.MustCompile(`_after=\[[^&]*\]`)

// withCursor puts the cursor of the request without it in their place.
func withCursor(t testing.TB, e *Endpoint, request string) string {
	t.Helper()
	return cursorPlaces.ReplaceAllStringFunc(request, func(place string) string {
		var values []*string
		text := strings.TrimPrefix(place, "_after=")
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		var last [][]byte
		for _, v := range values {
			if v == nil {
				last = append(last, nil)
				continue
			}
			last = append(last, []byte(*v))
		}
		path, query, _ := strings.Cut(request, "?")
		params, err := url.ParseQuery(strings.ReplaceAll(query, place, ""))
		if err != nil {
			t.Fatal(err)
		}
		only := url.Values{paramSort: params[paramSort]}
		return "_after=" + mustAsk(t, e, path+"?"+only.Encode()).Cursor(last)
	})
}

// ask parses a request written as path and query, as user alice.
func ask(t testing.TB, e *Endpoint, request string) (*Request, error) {
	t.Helper()
	request = withCursor(t, e, request)
	path, query, _ := strings.Cut(request, "?")
	var parts []string
	for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, decoded)
	}
	vars, ok := e.Spec.Match(parts)
	if !ok {
		t.Fatalf("%s is not a path of %s", path, e.Spec.Path)
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	r, problems := e.Parse(Input{Vars: vars, Params: params, User: "alice"})
	return r, problems.Err()
}

// canonicalVars are the path variables as the canonical path has them.
func canonicalVars(r *Request) map[string]string {
	vars := map[string]string{}
	for name, v := range r.vars {
		vars[name] = v.shown
	}
	return vars
}

func mustAsk(t testing.TB, e *Endpoint, request string) *Request {
	t.Helper()
	r, err := ask(t, e, request)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	return r
}

// TestRequests runs every line of testdata/requests.txt and compares what
// comes of it, statements and key or problems, with testdata/requests.golden.
// Text up to " FROM (…) AS q" is left out of the statements where it is the
// default view's.
func TestRequests(t *testing.T) {
	lines, err := os.ReadFile(filepath.Join("testdata", "requests.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	var e *Endpoint
	var first string
	count := 0
	for line := range strings.Lines(string(lines)) {
		line = strings.TrimSuffix(line, "\n")
		switch {
		case strings.HasPrefix(line, "endpoint "):
			e = compile(t, strings.TrimPrefix(line, "endpoint "))
			first = ""
			fmt.Fprintf(&out, "======== %s\nprobe        %s\n", line, flat(e.Spec.Probe()))
			continue
		case line == "" || strings.HasPrefix(line, "#"):
			fmt.Fprintln(&out, line)
			continue
		}
		count++
		fmt.Fprintln(&out, line)
		r, err := ask(t, e, line)
		if err != nil {
			for problem := range strings.Lines(err.Error()) {
				fmt.Fprintf(&out, "  problem    %s\n", strings.TrimSuffix(problem, "\n"))
			}
			continue
		}
		interactive, batch := r.Interactive(), r.Batch()
		head, _, _ := strings.Cut(interactive.SQL, ") AS q")
		if head == first {
			head = "…"
		} else if first == "" {
			first = head
		}
		fmt.Fprintf(&out, "  now        %s\n", show(interactive, head))
		fmt.Fprintf(&out, "  batch      %s\n", show(batch, head))
		fmt.Fprintf(&out, "  key        %s\n", r.Key())
		fmt.Fprintf(&out, "  canonical  %s?%s\n", r.Path(), r.Canonical())
		if r.Capped {
			fmt.Fprintf(&out, "  capped\n")
		}
		if r.Control != (Control{}) {
			fmt.Fprintf(&out, "  control    %+v\n", r.Control)
		}
	}
	if count < 60 {
		t.Errorf("%d requests, want at least 60", count)
	}
	golden(t, "requests.golden", out.String())
}

func flat(sql string) string { return strings.ReplaceAll(sql, "\n", "⏎") }

// show writes a statement in one line, with head in place of all before ") AS q".
func show(s Statement, head string) string {
	_, tail, _ := strings.Cut(s.SQL, ") AS q")
	var args []string
	for i, a := range s.Args {
		args = append(args, fmt.Sprintf("$%d=%q", i+1, a.Value))
	}
	return flat(head+") AS q"+tail) + "   " + strings.Join(args, " ")
}
