package blackbox

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Section 5.11, formats: every form becomes a job that does what it says, and is
// shown as it was sent.
func TestCartoForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	m := func(words string) string { return mark(words) }
	for _, tt := range []struct {
		name, definition, states, marks string
		// shown are the query, then onsuccess and onerror.
		shown, onsuccess, onerror string
	}{
		{
			"C-200 nested and mixed", `{"query":{"query":[{"query":"select 1"},"select 2"]}}`, "done [done done]", "",
			`{"query":[{"query":"select 1","status":"done"},{"query":"select 2","status":"done"}]}`, "", "",
		},
		{
			"C-201 nested strings", `{"query":{"query":["select 1"],"onsuccess":"` + m("a") + `"}}`, "done/done [done]", "a",
			`{"query":[{"query":"select 1","status":"done"}],"onsuccess":"` + m("a") + `"}`, "", "",
		},
		{"C-202 simple with a fallback", `{"query":"select 1","onsuccess":"` + m("a") + `"}`, "done/done", "a", `"select 1"`, m("a"), ""},
		{"simple with both", `{"query":"select 1/0","onsuccess":"` + m("no") + `","onerror":"` + m("e") + `"}`, "failed/done", "e", `"select 1/0"`, m("no"), m("e")},
		{"C-203 multiple with a fallback", `{"query":["select 1"],"onerror":"` + m("no") + `"}`, "done/skipped [done]", "", `[{"query":"select 1","status":"done"}]`, "", m("no")},
		{
			"multiple, and it runs", `{"query":["select 1","select 1/0"],"onerror":"` + m("e") + `"}`, "failed/done [done failed]", "e",
			`[{"query":"select 1","status":"done"},{"query":"select 1/0","status":"failed","failed_reason":"division by zero"}]`, "", m("e"),
		},
		{
			"C-204 mixed", `{"query":[{"query":"` + m("1") + `","onsuccess":"` + m("o") + `"},"` + m("2") + `"]}`, "done [done/done done]", "1 o 2",
			`[{"query":"` + m("1") + `","status":"done","onsuccess":"` + m("o") + `","fallback_status":"done"},{"query":"` + m("2") + `","status":"done"}]`, "", "",
		},
		{
			"mixed with both", `{"query":[{"query":"` + m("1") + `","onsuccess":"` + m("o") + `","onerror":"` + m("no") + `"},"` + m("2") + `"],"onsuccess":"` + m("S") + `"}`,
			"done/done [done/done done]", "1 o 2 S",
			`[{"query":"` + m("1") + `","status":"done","onsuccess":"` + m("o") + `","onerror":"` + m("no") + `","fallback_status":"done"},{"query":"` + m("2") + `","status":"done"}]`, m("S"), "",
		},
		{"objects in an array", `{"query":[{"query":"` + m("1") + `"}]}`, "done [done]", "1", `[{"query":"` + m("1") + `","status":"done"}]`, "", ""},
		{
			"unknown members are kept", `{"query":[{"query":"select 1","x":{"y":[1,"z",null]},"id":"a:b:c","timeout":60000}]}`, "done [done]", "",
			`[{"query":"select 1","status":"done","id":"a:b:c","timeout":60000,"x":{"y":[1,"z",null]}}]`, "", "",
		},
		{
			"C-212 a status that the client sent", `{"query":{"query":[{"query":"` + m("1") + `","status":"done","fallback_status":"done","started_at":"x","ended_at":"x","failed_reason":"x","onsuccess":"` + m("o") + `"}]}}`,
			"done [done/done]", "1 o", `{"query":[{"query":"` + m("1") + `","status":"done","onsuccess":"` + m("o") + `","fallback_status":"done"}]}`, "", "",
		},
		{"C-211 SQL that is an array", `{"query":"[\"a\",\"b\"]"}`, "failed", "", `"[\"a\",\"b\"]"`, "", ""},
		{"C-211 SQL that is a job", `{"query":"{\"query\":[\"` + m("no") + `\"]}"}`, "failed", "", `"{\"query\":[\"` + m("no") + `\"]}"`, "", ""},
		{"C-211 SQL that is a number", `{"query":"1"}`, "failed", "", `"1"`, "", ""},
		{"C-211 SQL that is null", `{"query":"null"}`, "failed", "", `"null"`, "", ""},
		{"C-211 SQL that is a string", `{"query":["\"x\""]}`, "failed [failed]", "", `[{"query":"\"x\"","status":"failed","failed_reason":"syntax error at or near \"\"x\"\""}]`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			execute(t, s.db, "truncate mark")
			made := s.create(vizzuality, tt.definition)
			j := s.wait(made).wantStates(t, tt.states)
			s.wantMarks(tt.marks)
			for _, j := range []sqlJob{made, j} {
				if j.OnSuccess != tt.onsuccess || j.OnError != tt.onerror {
					t.Errorf("onsuccess %q, onerror %q: %s", j.OnSuccess, j.OnError, j.answer.body)
				}
			}
			got := decode[any](t, answer{body: string(j.Query)})
			withoutTimes(t, got)
			if diff := cmp.Diff(decode[any](t, answer{body: tt.shown}), got); diff != "" {
				t.Errorf("-want +got:\n%s\n%s", diff, j.answer.body)
			}
		})
	}
}

// withoutTimes takes the times out of a decoded query. Only objects have them.
func withoutTimes(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case map[string]any:
		for _, name := range []string{"started_at", "ended_at"} {
			if text, there := v[name]; there && !timestamp.MatchString(text.(string)) {
				t.Errorf("%s is %v", name, text)
			}
			delete(v, name)
		}
		for _, inner := range v {
			withoutTimes(t, inner)
		}
	case []any:
		for _, inner := range v {
			withoutTimes(t, inner)
		}
	}
}

// A step given as a string is shown with nothing but its state, one given as an
// object with its times.
func TestCartoTimesOfForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	j := s.run(`{"query":["select 1",{"query":"select 2"}]}`).wantStates(t, "done [done done]")
	steps := j.steps(t)
	if steps[0].StartedAt != "" || steps[0].EndedAt != "" || !timestamp.MatchString(steps[1].StartedAt) || !timestamp.MatchString(steps[1].EndedAt) {
		t.Errorf("%s", j.answer.body)
	}
}

// What is no job is refused with its place.
func TestCartoBadDefinitions(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	for _, tt := range []struct {
		name, body string
		// text is the whole error, or what it begins with when it ends in "…".
		text string
	}{
		{"C-002 no query", `{}`, noSQL},
		{"C-002 empty", `{"query":""}`, noSQL},
		{"C-002 null", `{"query":null}`, noSQL},
		{"C-002 zero", `{"query":0}`, noSQL},
		{"C-002 false", `{"query":false}`, noSQL},
		{"C-205 empty array", `{"query":[]}`, "query…"},
		{"C-205 empty nested array", `{"query":{"query":[]}}`, "query.query…"},
		{"C-205 empty nested array with a fallback", `{"query":{"query":[],"onsuccess":"select 1"}}`, "query.query…"},
		{"C-206 number", `{"query":5}`, "query…"},
		{"C-206 true", `{"query":true}`, "query…"},
		{"C-206 empty object", `{"query":{}}`, "query…"},
		{"C-206 array of a number", `{"query":[1]}`, "query[0]…"},
		{"C-206 array of an array", `{"query":[["a"]]}`, "query[0]…"},
		{"C-206 array of null", `{"query":[null]}`, "query[0]…"},
		{"C-206 array of an empty object", `{"query":[{}]}`, "query[0]…"},
		{"C-206 nested object", `{"query":[{"query":{"query":"x"}}]}`, "query[0]…"},
		{"C-206 nested null", `{"query":{"query":[null]}}`, "query.query[0]…"},
		{"C-206 nested string", `{"query":{"query":"select 1"}}`, "query.query…"},
		{"C-206 other name", `{"query":{"queries":["select 1"]}}`, "query…"},
		{"C-206 nested number", `{"query":{"query":[{"query":5}]}}`, "query.query[0]…"},
		{"C-206 an empty step", `{"query":{"query":[{"query":""}]}}`, "query.query[0]…"},
		{"C-206 an empty string in an array", `{"query":["select 1",""]}`, "query[1]…"},
		{"C-206 nested twice", `{"query":{"query":[{"query":["select 1"]}]}}`, "query.query[0]…"},
		{"C-207 blank", `{"query":"   "}`, "query…"},
		{"C-207 blank in an array", `{"query":["select 1"," \n\t"]}`, "query[1]…"},
		{"onerror is a number", `{"query":["select 1",{"query":"select 2","onerror":5}]}`, "query[1].onerror: expected a string"},
		{"onsuccess is an object", `{"query":"select 1","onsuccess":{}}`, "onsuccess: expected a string"},
		{"onsuccess is blank", `{"query":"select 1","onsuccess":" "}`, "onsuccess…"},
		{"nested onerror is an array", `{"query":{"query":["select 1"],"onerror":[]}}`, "query.onerror: expected a string"},
		{"onsuccess at two places", `{"query":{"query":["select 1"],"onsuccess":"select 2"},"onsuccess":"select 3"}`, "onsuccess…"},
		{"an unknown placeholder", `{"query":"select 1","onerror":"select '<%= wadus %>'"}`, "onerror…"},
		{"too many steps", `{"query":[` + strings.Repeat(`"select 1",`, 1300) + `"select 1"]}`, "query…"},
		{"repeatable is a string", `{"query":[{"query":"select 1","repeatable":"yes"}]}`, "query[0].repeatable…"},
		{"NUL", `{"query":"select '\u0000'"}`, "query…"},
		{"NUL in a fallback", `{"query":"select 1","onerror":"\u0000"}`, "onerror…"},
		{"half a character", `{"query":"select '\ud800'"}`, "…"},
		{"not UTF-8", "{\"query\":\"select '\xff'\"}", "…"},
		{"duplicated members", `{"query":"select 1","query":"select 2"}`, "…"},
		{"duplicated members of a step", `{"query":[{"query":"select 1","query":"select 2"}]}`, "…"},
		{"C-208 broken", `{"query":"select 1"`, "…"},
		{"C-208 no JSON", `query=select 1`, "…"},
		{"C-208 an array", `["select 1"]`, "…"},
		{"C-208 a string", `"select 1"`, "…"},
		{"C-208 two documents", `{"query":"select 1"}{"query":"select 2"}`, "…"},
		{"C-208 deep", strings.Repeat(`{"query":`, 5000) + `1` + strings.Repeat(`}`, 5000), "…"},
		{"C-208 deep arrays", `{"query":` + strings.Repeat(`[`, 7000) + strings.Repeat(`]`, 7000) + `}`, "…"},
		{"deep unknown members", `{"query":[{"query":"select 1","x":` + strings.Repeat(`[`, 7000) + strings.Repeat(`]`, 7000) + `}]}`, "…"},
		{"a great number", `{"query":[{"query":"select 1","x":1e999999999}]}`, ""},
		{"a great timeout", `{"query":[{"query":"select 1","timeout":1e300}]}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := s.in(t)
			a := s.ask(http.MethodPost, jobsPath, as(vizzuality), jsonBody(tt.body))
			if tt.text == "" { // taken or refused, but nothing else
				if a.code != http.StatusCreated && a.code != http.StatusBadRequest {
					t.Errorf("answered %d", a.code)
				}
				return
			}
			a.wantCode(t, http.StatusBadRequest)
			told := decode[map[string][]string](t, a)["error"][0]
			if start, open := strings.CutSuffix(tt.text, "…"); !open && told != tt.text || !strings.HasPrefix(told, start) {
				t.Errorf("%q, want %q", told, tt.text)
			}
			if len(told) > 2000 {
				t.Errorf("a text of %d bytes", len(told))
			}
		})
	}
	t.Run("ids that are none", func(t *testing.T) {
		s := s.in(t)
		for _, id := range []string{"%00", "%2F", "a%2Fb", "%ff", "%22%3Cb%3E", strings.Repeat("x", 4000), "..%2f..", "sql:1", "%0d%0aX-A:b", "🚚"} {
			for path, method := range map[string]string{"": http.MethodGet, " ": http.MethodDelete, "/result": http.MethodGet} {
				a := s.do(method, jobsPath+"/"+id+strings.TrimSpace(path), as(vizzuality))
				if a.code < 400 || a.code >= 500 {
					t.Errorf("%s %s answered %d: %s", method, id, a.code, clip(a.body))
				}
			}
		}
	})
}
