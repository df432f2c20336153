package carto

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

const noSQL = "You must indicate a valid SQL"

// TestRefusals: every definition that is no job, with the whole text of its answer.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ body, want string }{
		// No query.
		{`{}`, noSQL},
		{`{"q":"select 1"}`, noSQL}, // C-003
		{`{"query":""}`, noSQL},
		{`{"query":null}`, noSQL},
		{`{"query":0}`, noSQL},
		{`{"query":-0.0e5}`, noSQL},
		{`{"query":false}`, noSQL},
		{`{"query":"","onerror":5}`, noSQL},

		// Other types. C-206.
		{`{"query":5}`, "query: expected a string, an array or an object"},
		{`{"query":true}`, "query: expected a string, an array or an object"},
		{`{"query":{}}`, "query.query: expected an array"},
		{`{"query":{"queries":["a"]}}`, "query.query: expected an array"},
		{`{"query":{"query":"s"}}`, "query.query: expected an array"},
		{`{"query":{"query":"s","onsuccess":"a"}}`, "query.query: expected an array"},
		{`{"query":{"query":{"query":["a"]}}}`, "query.query: expected an array"},
		{`{"query":[1]}`, "query[0]: expected a string or an object"},
		{`{"query":[["a"]]}`, "query[0]: expected a string or an object"},
		{`{"query":[null]}`, "query[0]: expected a string or an object"},
		{`{"query":{"query":[null]}}`, "query.query[0]: expected a string or an object"},
		{`{"query":[{}]}`, "query[0].query: expected a string"},
		{`{"query":[{"query":{"query":"x"}}]}`, "query[0].query: expected a string"},
		{`{"query":{"query":[{"query":5}]}}`, "query.query[0].query: expected a string"},
		{`{"query":{"query":[{"query":["a"]}]}}`, "query.query[0].query: expected a string"},

		// Empty and blank. C-205, C-207.
		{`{"query":"   "}`, "query: is blank"},
		{`{"query":"\t\r\n\u00a0"}`, "query: is blank"},
		{`{"query":[]}`, "query: expected at least one query"},
		{`{"query":{"query":[]}}`, "query.query: expected at least one query"},
		{`{"query":{"query":[],"onsuccess":"x"}}`, "query.query: expected at least one query"},
		{`{"query":[""]}`, "query[0]: is blank"},
		{`{"query":["s1",""]}`, "query[1]: is blank"},
		{`{"query":{"query":[{"query":""}]}}`, "query.query[0].query: is blank"},

		// Fallbacks and the other members.
		{`{"query":["a",{"query":"b","onerror":5}]}`, "query[1].onerror: expected a string"},
		{`{"query":[{"query":"b","onsuccess":["x"]}]}`, "query[0].onsuccess: expected a string"},
		{`{"query":[{"query":"b","onsuccess":""}]}`, "query[0].onsuccess: is blank"},
		{`{"query":"a","onsuccess":" "}`, "onsuccess: is blank"},
		{`{"query":"a","onerror":false}`, "onerror: expected a string"},
		{`{"query":{"query":["a"],"onerror":{}}}`, "query.onerror: expected a string"},
		{`{"query":[{"query":"b","id":5}]}`, "query[0].id: expected a string"},
		{`{"query":[{"query":"b","repeatable":1}]}`, "query[0].repeatable: expected true or false"},
		{`{"query":"a","repeatable":"yes"}`, "repeatable: expected true or false"},
		{`{"query":{"query":["a"],"repeatable":[]}}`, "query.repeatable: expected true or false"},

		// Said twice.
		{
			`{"query":{"query":["a"],"onsuccess":"b","onerror":"c","repeatable":true},"onsuccess":"b","onerror":"c","repeatable":true}`,
			"onsuccess: given twice, here and as query.onsuccess; onerror: given twice, here and as query.onerror; " +
				"repeatable: given twice, here and as query.repeatable",
		},

		// What the database or the queue would not take.
		{`{"query":"a\u0000b"}`, "query: holds a NUL character"},
		{`{"query":["a",{"query":"b","onerror":"\u0000x"}]}`, "query[1].onerror: holds a NUL character"},
		{`{"query":[{"query":"b","id":"\u0000"}]}`, "query[0].id: holds a NUL character"},
		{`{"query":[{"query":"b","x y":{"a":["\u0000"]}}]}`, `query[0]["x y"]: holds a NUL character`},
		{`{"query":[{"query":"b","x":{"\u0000":1}}]}`, `query[0].x: holds a NUL character`},
		{`{"query":[{"query":"b","\u0000":1}]}`, "query[0][\"\uFFFD\"]: the name holds a NUL character"},

		// All at once.
		{
			`{"query":[5,{"query":" ","onerror":5,"id":5},"ok"],"onsuccess":5,"repeatable":5}`,
			"onsuccess: expected a string; repeatable: expected true or false; query[0]: expected a string or an object; " +
				"query[1].onerror: expected a string; query[1].query: is blank; query[1].id: expected a string",
		},
	} {
		d, err := Parse(fields(t, c.body))
		var refused *InvalidError
		if !errors.As(err, &refused) {
			t.Errorf("%s is taken for %+v (%v)", c.body, d, err)
			continue
		}
		if got := err.Error(); got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.body, got, c.want)
		}
		if got := strings.Join(refused.Messages(), "; "); got != c.want {
			t.Errorf("%s: the messages are %s", c.body, got)
		}
	}
}

func TestTooManyOrTooDeep(t *testing.T) {
	steps := func(n int) []any {
		list := make([]any, n)
		for i := range list {
			list[i] = "select 1"
		}
		return list
	}
	nest := func(depth int) any {
		var v any = "x"
		for range depth {
			v = []any{v}
		}
		return v
	}
	step := func(v any) []any { return []any{map[string]any{"query": "a", "x": v}} }
	for _, c := range []struct {
		name  string
		query any
		want  string
	}{
		{"1000 steps", steps(1000), ""},
		{"1001 steps", steps(1001), "query: expected at most 1000 queries, got 1001"},
		{"1001 nested steps", map[string]any{"query": steps(1001)}, "query.query: expected at most 1000 queries, got 1001"},
		{"32 levels", step(nest(31)), ""},
		{"33 levels", step(nest(32)), "query[0].x: nests deeper than 32 levels"},
		{"100000 levels", step(nest(100000)), "query[0].x: nests deeper than 32 levels"},
		{"no UTF-8", "a\xff", "query: is not valid UTF-8"},
		{"a name that is no UTF-8", []any{map[string]any{"query": "a", "\xff": nil}}, "query[0][\"\uFFFD\"]: the name is not valid UTF-8"},
		{"a long name", []any{map[string]any{"query": "a", strings.Repeat("x", 99): "\x00"}}, `query[0]["` + strings.Repeat("x", 60) + `…"]: holds a NUL character`},
		{"no JSON number", step(json.Number("0x1F")), "query[0].x: holds a number that JSON does not have"},
		{"a number that is another value", step(json.Number("true")), "query[0].x: holds a number that JSON does not have"},
		{"a huge number", step(json.Number("1e999")), ""},
		{"no JSON value", step(5), "query[0].x: holds a value that JSON does not have"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if _, err := Parse(map[string]any{"query": c.query}); err != nil {
				got = err.Error()
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestManyProblemsAreCut(t *testing.T) {
	list := make([]any, 60)
	_, err := Parse(map[string]any{"query": list})
	var refused *InvalidError
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	messages := refused.Messages()
	if n := len(messages); n != 51 || messages[50] != "and 10 problems more" {
		t.Errorf("%d messages, the last is %s", n, messages[n-1])
	}
}

// A placeholder must stand where a value can be written; what was taken once is read.
func TestPlaceholders(t *testing.T) {
	_, err := Parse(map[string]any{"query": []any{map[string]any{"query": "SELECT 1", "onerror": "SELECT\n $$<%= job_id %>$$"}}, "onsuccess": "SELECT <%= nobody %>"})
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"query[0].onerror: line 2, column 4: ", "onsuccess: line 1, column 8: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nwant %q in it", err, want)
		}
	}
	if _, err := Parse(map[string]any{"query": "SELECT '<%= nobody %>'", "onsuccess": "SELECT <%= job_id %>, '<%= error_message %>'"}); err != nil {
		t.Error(err)
	}
	if _, err := Read([]byte(`{"query":"SELECT 1","onsuccess":"SELECT <%= nobody %>"}`)); err != nil {
		t.Error(err)
	}
}
