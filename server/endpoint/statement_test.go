package endpoint

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// eachRequest calls f for every request in a file of testdata, with its
// endpoint, and other for every other line.
func eachRequest(t testing.TB, file string, f func(e *Endpoint, line string), other func(e *Endpoint, line string)) {
	t.Helper()
	lines, err := os.ReadFile(filepath.Join("testdata", file))
	if err != nil {
		t.Fatal(err)
	}
	var e *Endpoint
	for line := range strings.Lines(string(lines)) {
		line = strings.TrimSuffix(line, "\n")
		if name, ok := strings.CutPrefix(line, "endpoint "); ok {
			e = compile(t, name)
		}
		if strings.HasPrefix(line, "/") {
			f(e, line)
		} else {
			other(e, line)
		}
	}
}

// statements are all that a request has, by the name of their method.
func statements(r *Request) map[string]Statement {
	return map[string]Statement{"Interactive": r.Interactive(), "Page": r.Page(), "Batch": r.Batch(), "Count": r.Count(), "Rows": r.Rows()}
}

// TestStatements compares the statements of every line of
// testdata/statements.txt, or its problems, with testdata/statements.golden.
// _after is written there as the values of the order's terms; (…) stands for
// the endpoint's query and * for the columns of its default view, which are
// told once. Rows is not there, being Count with columns.
func TestStatements(t *testing.T) {
	var out strings.Builder
	count := 0
	eachRequest(t, "statements.txt", func(e *Endpoint, line string) {
		count++
		fmt.Fprintln(&out, line)
		r, err := ask(t, e, line)
		if err != nil {
			for problem := range strings.Lines(err.Error()) {
				fmt.Fprintf(&out, "  problem  %s\n", strings.TrimSuffix(problem, "\n"))
			}
			return
		}
		told := map[string]bool{}
		for _, name := range []string{"Page", "Interactive", "Batch", "Count"} {
			s := statements(r)[name]
			text := strings.Replace(s.SQL, e.Spec.from(), "(…)", 1)
			if text = strings.Replace(text, defaultColumns(e), "*", 1); told[text+fmt.Sprint(s.Args)] {
				continue // a batch with a limit is an interactive answer
			}
			told[text+fmt.Sprint(s.Args)] = true
			fmt.Fprintf(&out, "  %-11s %s\n             ", name, text)
			for i, a := range s.Args {
				fmt.Fprintf(&out, " $%d=%q", i+1, a.Value)
			}
			fmt.Fprintln(&out)
		}
		if rows, count := r.Rows(), r.Count(); strings.Replace(count.SQL, "count(*)", columnList(r.Columns()), 1) != rows.SQL || !cmp.Equal(count.Args, rows.Args) {
			t.Errorf("%s: the rows are not those that are counted:\n%+v\n%+v", line, rows, count)
		}
		if r.Control != (Control{}) {
			fmt.Fprintf(&out, "  Control     %+v, in links %s\n", r.Control, r.Control.Values().Encode())
		}
		fmt.Fprintf(&out, "  in logs     %s\n", r.Redacted())
	}, func(e *Endpoint, line string) {
		fmt.Fprintln(&out, line)
		if strings.HasPrefix(line, "endpoint ") {
			fmt.Fprintf(&out, "(…) is %s\n* is %s\n", flat(e.Spec.from()), defaultColumns(e))
		}
	})
	if count < 60 {
		t.Errorf("%d requests, want at least 60", count)
	}
	golden(t, "statements.golden", out.String())
}

func defaultColumns(e *Endpoint) string { return columnList(e.views[DefaultView]) }

func columnList(columns []Column) string {
	w := &writer{}
	w.columns(columns)
	return w.sql.String()
}

// The row more that Page asks for is not one too many for PostgreSQL.
func TestPageOfTheGreatestLimit(t *testing.T) {
	e, problems := one(t, fmt.Sprintf("name: x\npath: /x\nquery: SELECT 1\nkey: id\nhardLimit: %d", math.MaxInt64), Described{Columns: []Column{{"id", 23, "int4"}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	args := mustAsk(t, e, fmt.Sprintf("/x?_limit=%d", math.MaxInt64)).Page().Args
	if diff := cmp.Diff([]Arg{{Value: "9223372036854775807"}}, args); diff != "" {
		t.Error(diff)
	}
}
