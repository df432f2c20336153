package endpoint

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseLimitsWhatItTellsAndTakes(t *testing.T) {
	e := compile(t, "packages")
	vars := map[string]string{"stream": "AB-01"}
	many := url.Values{}
	for i := range 10_000 {
		many.Add(fmt.Sprintf("unknown%d", i), "x")
	}
	begin := time.Now()
	_, problems := e.Parse(Input{Vars: vars, Params: many})
	if len(problems) != mostProblems+1 || problems[mostProblems].Message != "and 9950 problems more" {
		t.Errorf("%d problems, the last %v", len(problems), problems[len(problems)-1])
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("took %v", took)
	}

	var values []string
	for i := range mostValues {
		values = append(values, fmt.Sprint(i))
	}
	if _, problems := e.Parse(Input{Vars: vars, Params: url.Values{"id": values}}); len(problems) > 0 {
		t.Error(problems)
	}
	for name, params := range map[string]url.Values{
		"id: has 1001 values; at most 1000":            {"id": append(values, "x")},
		"_sort: has 101 values; at most 100":           {"_sort": values[:101]},
		"label: is longer than 8192 bytes":             {"label": {strings.Repeat("x", 8193)}},
		"_format: is longer than 8192 bytes":           {"_format": {strings.Repeat("x", 8193)}},
		"label: is not valid UTF-8":                    {"label": {"a\xff"}},
		"label: has a NUL byte":                        {"label": {"a", "\x00"}},
		"_job: has a NUL byte":                         {"_job": {"\x00"}},
		"l\uFFFD: the parameter's name has a NUL byte": {"l\x00": {"a"}},
		"_limit: given twice, with different values":   {"_limit": {"1", "2"}},
	} {
		_, problems := e.Parse(Input{Vars: vars, Params: params})
		if len(problems) != 1 || problems[0].String() != name {
			t.Errorf("got %v, want %s", problems, name)
		}
	}
	for raw, want := range map[string]string{
		"":        "stream: is missing from the path",
		"A\x00":   "stream: has a NUL byte",
		"\xff":    "stream: is not valid UTF-8",
		"AB-01\n": `stream: expected a value matching ^[A-Z]{2}-[0-9]{2}$, got "AB-01\n"`,
	} {
		_, problems := e.Parse(Input{Vars: map[string]string{"stream": raw}})
		if problems.Error() != want {
			t.Errorf("got %v, want %s", problems, want)
		}
	}
}

// The caller's values are not changed.
func TestParseLeavesItsInputAlone(t *testing.T) {
	e := compile(t, "packages")
	params := url.Values{"label": {"b", "", "a", "b"}, "_limit": {"2", "2"}}
	was := maps.Clone(params)
	was["label"] = slices.Clone(params["label"])
	if _, problems := e.Parse(Input{Vars: map[string]string{"stream": "AB-01"}, Params: params}); len(problems) > 0 {
		t.Fatal(problems)
	}
	if diff := cmp.Diff(was, params); diff != "" {
		t.Error(diff)
	}
}

func TestRequestTells(t *testing.T) {
	r := mustAsk(t, compile(t, "packages"), "/stream/AB-01/package?_view=compact&_limit=20000&_offset=5&_wait=7")
	if !r.Capped || r.Limit() != 10_000 || r.Offset() != 5 || r.View != "compact" || !r.Control.Waits || r.Control.Wait != 7*time.Second {
		t.Errorf("%+v", r)
	}
	if diff := cmp.Diff([]Column{{"id", 20, "int8"}, {"mass", 1700, "numeric"}}, r.Columns()); diff != "" {
		t.Error(diff)
	}
}

// What the endpoint says of its parameters is what Parse takes.
func TestParametersAreTaken(t *testing.T) {
	value := map[Kind]string{
		Text: "x", Int: "1", Numeric: "1.5", Float: "1.5", Bool: "true", Date: "2026-01-31", Timestamp: "2026-01-31T12:00:00",
		TimestampTZ: "2026-01-31T12:00:00Z", UUID: "123e4567-e89b-12d3-a456-426614174000", Other: "x",
	}
	for _, name := range []string{"packages", "samples"} {
		e := compile(t, name)
		vars := map[string]string{"stream": "AB-01", "lab": "a", "run": "1"}
		for _, p := range e.Parameters() {
			if p.In == "path" {
				continue
			}
			values := p.Words
			if p.Name == paramAfter {
				first, problems := e.Parse(Input{Vars: vars, User: "alice"})
				if len(problems) > 0 {
					t.Fatal(problems)
				}
				values = []string{first.Cursor([][]byte{[]byte("1")})}
			}
			if values == nil {
				values = []string{value[p.Kind]}
			}
			for _, v := range values {
				if _, problems := e.Parse(Input{Vars: vars, Params: url.Values{p.Name: {v}}, User: "alice"}); len(problems) > 0 {
					t.Errorf("%s=%s: %v", p.Name, v, problems)
				}
			}
		}
	}
}
