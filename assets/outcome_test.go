package assets

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func integer(n int) *int { return &n }

func TestOutcome(t *testing.T) {
	for body, want := range map[string]Outcome{
		`{"status":"completed"}`:                                            {Status: "completed"},
		`{"status":"completed","error":""}`:                                 {Status: "completed"},
		`{"status":"waiting","error":null}`:                                 {Status: "waiting"},
		`{"status":"error"}`:                                                {Status: "error"},
		`{"status":"error","error":"why","@type":"x"}`:                      {Status: "error", Error: "why"},
		`{"status":"completed","width":0,"height":2147483647,"duration":5}`: {Status: "completed", Width: integer(0), Height: integer(2147483647), Duration: integer(5)},
		`{"space":1,"id":"a","status":"completed","width":null}`:            {Space: 1, Key: "a", Status: "completed"},
		`{"status":"error","error":"a\u0000b\ud800c\\"}`:                    {Status: "error", Error: "a\uFFFDb\uFFFDc\\"},
		"{\"status\":\"error\",\"error\":\"a\xffb\"}":                       {Status: "error", Error: "a\uFFFDb"},
		"\uFEFF {\"status\":\"error\"}\n":                                   {Status: "error"},
	} {
		got, problems := ParseOutcome([]byte(body))
		if diff := cmp.Diff(want, got); problems != nil || diff != "" {
			t.Error(body, problems, diff)
		}
	}
}

func TestLongError(t *testing.T) {
	for text, want := range map[string]string{
		strings.Repeat("ä", 4000):         strings.Repeat("ä", 4000),
		strings.Repeat("ä", 3999) + "😀":   strings.Repeat("ä", 3999) + "😀",
		strings.Repeat("ä", 3999) + "😀x":  strings.Repeat("ä", 3999) + "😀",
		strings.Repeat(`\u00e4`, 100_000): strings.Repeat("ä", 4000),
		strings.Repeat(`\u0000`, 4001):    strings.Repeat("\uFFFD", 4000),
	} {
		got, problems := ParseOutcome([]byte(`{"status":"error","error":"` + text + `"}`))
		if problems != nil || got.Error != want || !utf8.ValidString(got.Error) {
			t.Errorf("%.20s: %v, %d bytes", text, problems, len(got.Error))
		}
	}
}

func TestOutcomeProblems(t *testing.T) {
	for body, want := range map[string][]string{
		``:                                    {`expected an outcome such as {"status": "completed"}: there is nothing`},
		`x`:                                   {`expected an outcome such as {"status": "completed"}: this is not JSON, at byte 1`},
		`[]`:                                  {`expected an outcome such as {"status": "completed"}: got a list`},
		`{}`:                                  {"status: is missing: expected completed, error or waiting"},
		`{"status":null}`:                     {"status: is missing: expected completed, error or waiting"},
		`{"status":"Completed"}`:              {"status: expected completed, error or waiting, got 'Completed'"},
		`{"status":5,"error":"x"}`:            {"status: expected a text, got a number"},
		`{"status":"completed","error":"x"}`:  {"error: only a status of error has an error, and this is completed: leave one of them out"},
		`{"status":"waiting","error":"x"}`:    {"error: only a status of error has an error, and this is waiting"},
		`{"status":"error","error":5}`:        {"error: expected a text, got a number"},
		`{"status":"error","status":"error"}`: {"status: is given twice"},
		`{"status":"completed","width":-1,"height":"5","duration":1.5}`: {
			"width: expected 0 or more, got -1", "height: expected a whole number, got a text", "duration: expected a whole number of 32 bits",
		},
		`{"status":"completed","id":"\u0000","space":-2}`: {"id: has a NUL", "space: expected 0 or more"},
	} {
		got, problems := ParseOutcome([]byte(body))
		checkProblems(t, body, problems, want)
		if got != (Outcome{}) {
			t.Error(body, got)
		}
	}
}

func outcome(space int, key, status string) string {
	return fmt.Sprintf(`{"space":%d,"id":%q,"status":%q}`, space, key, status)
}

func TestOutcomes(t *testing.T) {
	list := "[" + strings.Join([]string{
		outcome(1, "a", "completed"), outcome(2, "a", "error"), outcome(1, "a", "completed"), `{"id":"b","space":1,"status":"completed","width":5}`, `{"id":"b","space":1,"width":5,"status":"completed"}`,
	}, ",") + "]"
	want := []Outcome{{Space: 1, Key: "a", Status: "completed"}, {Space: 2, Key: "a", Status: "error"}, {Space: 1, Key: "b", Status: "completed", Width: integer(5)}}
	for _, body := range []string{list, `{"@type":"Collection","member":` + list + `,"@id":"https://x"}`} {
		got, problems := ParseOutcomes([]byte(body), 5)
		if diff := cmp.Diff(want, got); problems != nil || diff != "" {
			t.Error(body, problems, diff)
		}
	}
}

func TestOutcomesProblems(t *testing.T) {
	const expected = `expected outcomes such as {"member": [{"space": 1, "id": "a", "status": "completed"}]}: `
	for body, want := range map[string][]string{
		`[]`:                        {"member: Members cannot be empty"},
		`{}`:                        {"member: Members cannot be empty"},
		`{"member":null}`:           {"member: Members cannot be empty"},
		`{"member":5}`:              {expected + "got a number instead of the list"},
		`"x"`:                       {expected + "got a text instead of the list"},
		`{"member":[]`:              {expected + "this is not JSON, at byte 12"},
		`{"member":[],"member":[]}`: {"member: is given twice"},
		`[5,{},{"status":"error"},{"status":"x","id":" "}]`: {
			"member[0]: expected an object, got a number", "member[1].status: is missing", "member[2].space: Space cannot be empty", "member[2].id: Asset Id cannot be empty",
			"member[3].status: expected completed, error or waiting, got 'x'",
		},
		"[" + outcome(1, "a", "completed") + "," + outcome(1, "a", "error") + "," + outcome(1, "a", "completed") + "]": {"member[1]: Id:a,Space:1 is there twice, with different outcomes: expected one"},
		`[{"id":"a","space":1,"status":"completed","width":5},{"id":"a","space":1,"status":"completed"}]`:              {"member[1]: Id:a,Space:1 is there twice, with different outcomes"},
		"[" + strings.Repeat(outcome(1, "a", "completed")+",", 5) + "{}]":                                              {"member: there are 6 outcomes: expected at most 5"},
	} {
		got, problems := ParseOutcomes([]byte(body), 5)
		checkProblems(t, body, problems, want)
		if got != nil {
			t.Error(body, got)
		}
	}
}

// FuzzOutcomes: nothing makes it panic, and what is accepted can be stored.
func FuzzOutcomes(f *testing.F) {
	for _, seed := range []string{"[" + outcome(1, "a", "completed") + "]", `{"member":[{"id":"a","space":1,"status":"error","error":"\ud800\u0000"}]}`, `[{"id":5}]`, `{"member":`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		outcomes, problems := ParseOutcomes(body, 5)
		if (len(outcomes) == 0) != (len(problems) > 0) || len(outcomes) > 5 {
			t.Fatalf("%q: %v, %v", body, outcomes, problems)
		}
		for _, o := range outcomes {
			if o.Space < 1 || unstorable(o.Key+o.Error) != "" || utf8.RuneCountInString(o.Error) > 4000 || o.Error != "" && o.Status != OutcomeError {
				t.Fatalf("%q: %+v", body, o)
			}
		}
		_, _ = ParseOutcome(body)
	})
}
