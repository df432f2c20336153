package carto

import (
	"encoding/json"
	"testing"
	"time"

	"slashbatch/jobs"
)

const (
	nx     = `relation \"nonexistent_table\" does not exist`
	nxText = `relation "nonexistent_table" does not exist`
)

// at is a time of the tests, this many milliseconds after 16:32:10.
func at(ms int) time.Time {
	return time.Date(2016, 5, 3, 18, 32, 10, ms*1e6+999, time.FixedZone("", 7200))
}

// ran is a step that began and ended.
func ran(status, fallback jobs.StepState, reason, fallbackReason string) jobs.SQLStepStatus {
	return jobs.SQLStepStatus{
		Status: status, FallbackStatus: fallback, FailedReason: reason, FallbackFailedReason: fallbackReason,
		Started: at(915), Ended: at(999),
	}
}

const times = `"started_at":"2016-05-03T16:32:10.915Z","ended_at":"2016-05-03T16:32:10.999Z"`

const (
	done, failed, skipped = jobs.StepDone, jobs.StepFailed, jobs.StepSkipped
	cancelled, unknown    = jobs.StepCancelled, jobs.StepUnknown
)

// TestEcho: what is shown of each form when it has been sent and when it has run.
func TestEcho(t *testing.T) {
	skip := jobs.SQLStepStatus{Status: skipped, FallbackStatus: skipped}
	for _, c := range []struct {
		name, body, before string
		steps              []jobs.SQLStepStatus
		after              string
	}{
		{
			"simple", `{"query":"select '<%= job_id %>' & 1","onsuccess":"s"}`,
			`{"query":"select '<%= job_id %>' & 1","onsuccess":"s"}`,
			[]jobs.SQLStepStatus{ran(done, "", "", "")},
			`{"query":"select '<%= job_id %>' & 1","onsuccess":"s"}`,
		},
		{
			"C-211 SQL that is JSON", `{"query":"[\"a\",\"b\"]"}`, `{"query":"[\"a\",\"b\"]"}`,
			[]jobs.SQLStepStatus{ran(done, "", "", "")},
			`{"query":"[\"a\",\"b\"]"}`,
		},
		{
			"C-032", `{"query":["SELECT 14 as foo","SELECT 14 as foo"]}`,
			`{"query":[{"query":"SELECT 14 as foo","status":"pending"},{"query":"SELECT 14 as foo","status":"pending"}]}`,
			[]jobs.SQLStepStatus{ran(done, "", "", ""), ran(done, "", "", "")},
			`{"query":[{"query":"SELECT 14 as foo","status":"done"},{"query":"SELECT 14 as foo","status":"done"}]}`,
		},
		{
			"C-213 texts of which one fails", `{"query":["bad","s2"],"onerror":"e","repeatable":true}`,
			`{"query":[{"query":"bad","status":"pending"},{"query":"s2","status":"pending"}],"onerror":"e","repeatable":true}`,
			[]jobs.SQLStepStatus{ran(failed, "", nxText, ""), {Status: skipped}},
			`{"query":[{"query":"bad","status":"failed","failed_reason":"` + nx + `"},{"query":"s2","status":"skipped"}],"onerror":"e","repeatable":true}`,
		},
		{
			"C-204 mixed", `{"query":["s1",{"onsuccess":"x","query":"s2"}]}`,
			`{"query":[{"query":"s1","status":"pending"},{"query":"s2","onsuccess":"x","status":"pending","fallback_status":"pending"}]}`,
			[]jobs.SQLStepStatus{ran(done, "", "", ""), ran(done, done, "", "")},
			`{"query":[{"query":"s1","status":"done"},{"query":"s2","onsuccess":"x","status":"done","fallback_status":"done",` + times + `}]}`,
		},
		{
			"C-201 nested texts", `{"query":{"query":["select 1"],"onsuccess":"select 2"}}`,
			`{"query":{"query":[{"query":"select 1","status":"pending"}],"onsuccess":"select 2"}}`,
			[]jobs.SQLStepStatus{ran(done, "", "", "")},
			`{"query":{"query":[{"query":"select 1","status":"done"}],"onsuccess":"select 2"}}`,
		},
		{
			"all members, in their order",
			`{"query":{"z":1.0,"onerror":"je","query":[{"zz":null,"id":"a:b:c","aa":{"y":1,"x":[]},"timeout":50,"onerror":"e","repeatable":true,"onsuccess":"s","query":"q"}],"a":"b"},"onsuccess":"js"}`,
			`{"query":{"query":[{"query":"q","onsuccess":"s","onerror":"e","repeatable":true,"timeout":50,"id":"a:b:c","aa":{"x":[],"y":1},"zz":null,"status":"pending","fallback_status":"pending"}],"onerror":"je","a":"b","z":1.0},"onsuccess":"js"}`,
			[]jobs.SQLStepStatus{ran(failed, failed, "R", "F")},
			`{"query":{"query":[{"query":"q","onsuccess":"s","onerror":"e","repeatable":true,"timeout":50,"id":"a:b:c","aa":{"x":[],"y":1},"zz":null,"status":"failed","fallback_status":"failed",` + times + `,"failed_reason":"F","fallback_failed_reason":"F"}],"onerror":"je","a":"b","z":1.0},"onsuccess":"js"}`,
		},
		{
			"C-212 sent statuses", `{"query":[{"query":"s","status":"done","failed_reason":"x","started_at":"x","ended_at":"x","fallback_status":"done"}]}`,
			`{"query":[{"query":"s","status":"pending"}]}`,
			[]jobs.SQLStepStatus{{Status: jobs.StepRunning, Started: at(915)}},
			`{"query":[{"query":"s","status":"running","started_at":"2016-05-03T16:32:10.915Z"}]}`,
		},
		{
			"C-230", `{"query":{"query":[{"query":"s","timeout":"50"}]}}`,
			`{"query":{"query":[{"query":"s","timeout":"50","status":"pending"}]}}`,
			[]jobs.SQLStepStatus{{Status: cancelled, Ended: at(999)}},
			`{"query":{"query":[{"query":"s","timeout":"50","status":"cancelled","ended_at":"2016-05-03T16:32:10.999Z"}]}}`,
		},
		{
			"C-236 a fallback lost with its worker", `{"query":[{"query":"s","onerror":"e"}]}`,
			`{"query":[{"query":"s","onerror":"e","status":"pending","fallback_status":"pending"}]}`,
			[]jobs.SQLStepStatus{ran(unknown, unknown, "R", "F")},
			`{"query":[{"query":"s","onerror":"e","status":"unknown","fallback_status":"unknown",` + times + `,"failed_reason":"R","fallback_failed_reason":"F"}]}`,
		},
		{
			"skipped", `{"query":[{"query":"a"},{"query":"b","onerror":"e"}]}`,
			`{"query":[{"query":"a","status":"pending"},{"query":"b","onerror":"e","status":"pending","fallback_status":"pending"}]}`,
			[]jobs.SQLStepStatus{ran(failed, "", "R", ""), skip},
			`{"query":[{"query":"a","status":"failed",` + times + `,"failed_reason":"R"},{"query":"b","onerror":"e","status":"skipped","fallback_status":"skipped"}]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.body)
			shows(t, d, jobs.SQLStatus{}, c.before)
			shows(t, d, jobs.SQLStatus{Steps: c.steps}, c.after)
			again, err := Read(d.Plan().Form)
			if err != nil {
				t.Fatal(err)
			}
			shows(t, again, jobs.SQLStatus{Steps: c.steps}, c.after)
		})
	}
}

func shows(t *testing.T, d Definition, s jobs.SQLStatus, want string) {
	t.Helper()
	e := d.Echo(s)
	o := object{{"query", e.Query}}
	for _, m := range []struct{ name, value string }{{"onsuccess", e.OnSuccess}, {"onerror", e.OnError}} {
		if m.value != "" {
			o.add(m.name, m.value)
		}
	}
	if e.Repeatable {
		o.add("repeatable", true)
	}
	if got := string(o.encode()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !json.Valid(e.Query) {
		t.Error("not JSON")
	}
}

// TestFallbackCases: how the steps of CartoDB's own fallback tests are shown at
// their end: status, fallback_status and failed_reason.
func TestFallbackCases(t *testing.T) {
	const broken = "syntax error at end of input"
	for _, c := range []struct {
		name, body string
		steps      []jobs.SQLStepStatus
		want       [][3]string
	}{
		{"C-040", `{"query":{"query":[{"query":"a","onsuccess":"b"}]}}`, []jobs.SQLStepStatus{ran(done, done, "", "")}, [][3]string{{"done", "done", ""}}},
		{"C-041", `{"query":{"query":[{"query":"a","onerror":"b"}]}}`, []jobs.SQLStepStatus{ran(done, skipped, "", "")}, [][3]string{{"done", "skipped", ""}}},
		{"C-042", `{"query":{"query":[{"query":"a","onerror":"b"}]}}`, []jobs.SQLStepStatus{ran(failed, done, nxText, "")}, [][3]string{{"failed", "done", nxText}}},
		{"C-043", `{"query":{"query":[{"query":"a","onsuccess":"b"}]}}`, []jobs.SQLStepStatus{ran(failed, skipped, nxText, "")}, [][3]string{{"failed", "skipped", nxText}}},
		{"C-044", `{"query":{"query":[{"query":"a"}],"onsuccess":"b"}}`, []jobs.SQLStepStatus{ran(done, "", "", "")}, [][3]string{{"done", "", ""}}},
		{"C-045", `{"query":{"query":[{"query":"a"}],"onsuccess":"b"}}`, []jobs.SQLStepStatus{ran(failed, "", nxText, "")}, [][3]string{{"failed", "", nxText}}},
		{"C-046", `{"query":{"query":[{"query":"a"}],"onerror":"b"}}`, []jobs.SQLStepStatus{ran(failed, "", nxText, "")}, [][3]string{{"failed", "", nxText}}},
		{"C-047", `{"query":{"query":[{"query":"a"}],"onerror":"b"}}`, []jobs.SQLStepStatus{ran(done, "", "", "")}, [][3]string{{"done", "", ""}}},
		{"C-048", `{"query":{"query":[{"query":"a","onsuccess":"b"}],"onsuccess":"c"}}`, []jobs.SQLStepStatus{ran(done, done, "", "")}, [][3]string{{"done", "done", ""}}},
		{
			"C-049", `{"query":{"query":[{"query":"a","onsuccess":"b"},{"query":"c","onsuccess":"d"}]}}`,
			[]jobs.SQLStepStatus{ran(done, done, "", ""), ran(done, done, "", "")},
			[][3]string{{"done", "done", ""}, {"done", "done", ""}},
		},
		{
			"C-050", `{"query":{"query":[{"query":"a","onsuccess":"b"},{"query":"c","onsuccess":"d"}]}}`,
			[]jobs.SQLStepStatus{ran(failed, skipped, nxText, ""), {Status: skipped, FallbackStatus: skipped}},
			[][3]string{{"failed", "skipped", nxText}, {"skipped", "skipped", ""}},
		},
		{
			"C-052", `{"query":{"query":[{"query":"a","onerror":"b"},{"query":"c","onerror":"d"}]}}`,
			[]jobs.SQLStepStatus{ran(done, skipped, "", ""), ran(done, skipped, "", "")},
			[][3]string{{"done", "skipped", ""}, {"done", "skipped", ""}},
		},
		{"C-053", `{"query":{"query":[{"query":"a","onsuccess":"b"}]}}`, []jobs.SQLStepStatus{ran(failed, skipped, broken, "")}, [][3]string{{"failed", "skipped", broken}}},
		{"C-054", `{"query":{"query":[{"query":"a"}],"onsuccess":"b"}}`, []jobs.SQLStepStatus{ran(failed, "", broken, "")}, [][3]string{{"failed", "", broken}}},
		{
			"C-055", `{"query":{"query":[{"query":"a","onsuccess":"b"},{"query":"c","onsuccess":"d"}]}}`,
			[]jobs.SQLStepStatus{ran(done, failed, "", nxText), ran(done, done, "", "")},
			[][3]string{{"done", "failed", nxText}, {"done", "done", ""}},
		},
		{
			"C-056", `{"query":{"query":[{"query":"a","onsuccess":"b"},{"query":"c","onsuccess":"d"}]}}`,
			[]jobs.SQLStepStatus{ran(done, done, "", ""), ran(done, failed, "", nxText)},
			[][3]string{{"done", "done", ""}, {"done", "failed", nxText}},
		},
		{
			"C-057", `{"query":{"query":[{"query":"a","onsuccess":"b"},{"query":"c","onsuccess":"d"}],"onsuccess":"e"}}`,
			[]jobs.SQLStepStatus{ran(done, done, "", ""), ran(done, done, "", "")},
			[][3]string{{"done", "done", ""}, {"done", "done", ""}},
		},
		{
			"C-059", `{"query":{"query":[{"query":"a","onerror":"b"},{"query":"c","onerror":"d"}],"onerror":"e"}}`,
			[]jobs.SQLStepStatus{
				ran(failed, failed, "LIMIT #,# syntax is not supported", `relation "atm_madrid" does not exist`),
				{Status: skipped, FallbackStatus: skipped},
			},
			[][3]string{{"failed", "failed", `relation "atm_madrid" does not exist`}, {"skipped", "skipped", ""}},
		},
		{"C-223", `{"query":{"query":[{"query":"bad","onerror":"bad2"}]}}`, []jobs.SQLStepStatus{ran(failed, failed, "R", "F")}, [][3]string{{"failed", "failed", "F"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.body)
			var sent, got struct {
				Query              []map[string]any `json:"query"`
				OnSuccess, OnError string
			}
			var body struct{ Query json.RawMessage }
			for from, to := range map[string]any{c.body: &body, string(d.Echo(jobs.SQLStatus{Steps: c.steps}).Query): &got} {
				if err := json.Unmarshal([]byte(from), to); err != nil {
					t.Fatal(err)
				}
			}
			if err := json.Unmarshal(body.Query, &sent); err != nil {
				t.Fatal(err)
			}
			if got.OnSuccess != sent.OnSuccess || got.OnError != sent.OnError {
				t.Errorf("the job's fallbacks are shown as %q, %q", got.OnSuccess, got.OnError)
			}
			for i, want := range c.want {
				for k, name := range []string{"status", "fallback_status", "failed_reason"} {
					if have, _ := got.Query[i][name].(string); have != want[k] {
						t.Errorf("step %d: %s is %q, want %q", i, name, have, want[k])
					}
				}
				for name, v := range sent.Query[i] {
					if got.Query[i][name] != v {
						t.Errorf("step %d: %s is %v, want %v", i, name, got.Query[i][name], v)
					}
				}
				own, _ := got.Query[i]["fallback_failed_reason"].(string)
				if own != c.steps[i].FallbackFailedReason {
					t.Errorf("step %d: fallback_failed_reason is %q", i, own)
				}
			}
		})
	}
}
