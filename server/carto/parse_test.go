package carto

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/jobs"
)

// fields decodes a request's body.
func fields(t testing.TB, body string) map[string]any {
	t.Helper()
	f, err := DecodeJSON([]byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return f
}

func parse(t testing.TB, body string) Definition {
	t.Helper()
	d, err := Parse(fields(t, body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return d
}

// written is what a definition says, without how it was written.
type written struct {
	Steps              []jobs.SQLStep
	OnSuccess, OnError string
	Repeatable         bool
}

func (d Definition) says() written { return written{d.Steps, d.OnSuccess, d.OnError, d.Repeatable} }

// forms are all ways to write a job.
var forms = []struct {
	name, body string
	want       written
}{
	{
		"simple", `{"query":"select 1; select 2"}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1; select 2"}}},
	},
	{
		"C-202 simple with fallbacks", `{"query":"select 1","onsuccess":"select 2","onerror":"select 3","repeatable":true}`,
		written{[]jobs.SQLStep{{SQL: "select 1", Repeatable: true}}, "select 2", "select 3", true},
	},
	{
		"C-032 several texts", `{"query":["select 1","select 2"]}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1"}, {SQL: "select 2"}}},
	},
	{
		"C-203 several texts with a fallback", `{"query":["select 1"],"onerror":"x"}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1"}}, OnError: "x"},
	},
	{
		"C-204 mixed", `{"query":[{"query":"select 1","onsuccess":"x"},"select 2"],"onsuccess":"y"}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1", OnSuccess: "x"}, {SQL: "select 2"}}, OnSuccess: "y"},
	},
	{
		"several objects", `{"query":[{"query":"a","onerror":"b","timeout":200,"id":"x:y:z","repeatable":true},{"query":"c"}]}`,
		written{Steps: []jobs.SQLStep{{SQL: "a", OnError: "b", Timeout: 200 * time.Millisecond, ID: "x:y:z", Repeatable: true}, {SQL: "c"}}},
	},
	{
		"nested", `{"query":{"query":[{"query":"a","onsuccess":"b"}],"onsuccess":"c","onerror":"d"}}`,
		written{Steps: []jobs.SQLStep{{SQL: "a", OnSuccess: "b"}}, OnSuccess: "c", OnError: "d"},
	},
	{
		"C-200 nested and mixed", `{"query":{"query":[{"query":"select 1"},"select 2"]}}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1"}, {SQL: "select 2"}}},
	},
	{
		"C-201 nested texts", `{"query":{"query":["select 1"],"onsuccess":"select 2"}}`,
		written{Steps: []jobs.SQLStep{{SQL: "select 1"}}, OnSuccess: "select 2"},
	},
	{
		"fallbacks at both places", `{"query":{"query":["a"],"onsuccess":"b"},"onerror":"c"}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}, OnSuccess: "b", OnError: "c"},
	},
	{
		"repeatable, nested", `{"query":{"query":["a"],"repeatable":true}}`,
		written{Steps: []jobs.SQLStep{{SQL: "a", Repeatable: true}}, Repeatable: true},
	},
	{
		"a step's own word counts", `{"query":["a",{"query":"b","repeatable":false},{"query":"c"}],"repeatable":true}`,
		written{Steps: []jobs.SQLStep{{SQL: "a", Repeatable: true}, {SQL: "b"}, {SQL: "c", Repeatable: true}}, Repeatable: true},
	},
	{
		"repeatable from a form", `{"query":[{"query":"a","repeatable":"false"},"b"],"repeatable":"true"}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}, {SQL: "b", Repeatable: true}}, Repeatable: true},
	},
	{
		"null is not sent", `{"query":[{"query":"a","onsuccess":null,"id":null,"timeout":null}],"onsuccess":null,"onerror":null,"repeatable":null}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}},
	},
	{
		"C-211 SQL that is JSON", `{"query":"[\"a\",\"b\"]"}`,
		written{Steps: []jobs.SQLStep{{SQL: `["a","b"]`}}},
	},
	{
		"C-211 a step that is JSON", `{"query":["{\"query\":[\"a\"]}","1","null",{"query":"[]"}]}`,
		written{Steps: []jobs.SQLStep{{SQL: `{"query":["a"]}`}, {SQL: "1"}, {SQL: "null"}, {SQL: "[]"}}},
	},
	{
		"C-212 sent statuses", `{"query":{"query":[{"query":"a","status":"done","fallback_status":5,"failed_reason":[],"started_at":"x","ended_at":"y","fallback_failed_reason":""}],"status":"done"},"status":"done"}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}},
	},
	{
		"C-230 a time limit that is text", `{"query":{"query":[{"query":"a","timeout":"50"}]}}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}},
	},
	{
		"other parameters", `{"query":"a","api_key":"1234","steps":5,"timeout":7}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}},
	},
	{
		"unknown members", `{"query":[{"query":"a","on_error":5,"Status":{"x":[1.50,null]}}]}`,
		written{Steps: []jobs.SQLStep{{SQL: "a"}}},
	},
}

func TestForms(t *testing.T) {
	for _, c := range forms {
		t.Run(c.name, func(t *testing.T) {
			d := parse(t, c.body)
			if diff := cmp.Diff(c.want, d.says()); diff != "" {
				t.Error(diff)
			}
			plan := d.Plan()
			want := jobs.SQLPlan{Steps: c.want.Steps, OnSuccess: c.want.OnSuccess, OnError: c.want.OnError, Form: plan.Form}
			if diff := cmp.Diff(want, plan); diff != "" {
				t.Error(diff)
			}
			again, err := Read(plan.Form)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(d, again) {
				t.Errorf("%s is read back as\n%+v, was\n%+v", plan.Form, again, d)
			}
		})
	}
}

func TestTimeouts(t *testing.T) {
	for _, c := range []struct {
		sent string
		want time.Duration
	}{
		{"200", 200 * time.Millisecond},
		{"2e2", 200 * time.Millisecond},
		{"0.2", time.Millisecond},
		{"1e-320", time.Millisecond},
		{"1.5", 2 * time.Millisecond},
		{"1e300", 9223372036854 * time.Millisecond},
		{"1e400", 0}, // JavaScript's infinity
		{"1e-400", 0},
		{"0", 0},
		{"-5", 0},
		{`"50"`, 0},
		{"true", 0},
		{"[50]", 0},
		{"{}", 0},
	} {
		d := parse(t, `{"query":[{"query":"a","timeout":`+c.sent+`}]}`)
		if got := d.Steps[0].Timeout; got != c.want {
			t.Errorf("%s: got %d, want %d", c.sent, got, c.want)
		}
		if want := fmt.Sprintf(`[{"query":"a","timeout":%s,"status":"pending"}]`, c.sent); string(d.Echo(jobs.SQLStatus{}).Query) != want {
			t.Errorf("shown as %s, want %s", d.Echo(jobs.SQLStatus{}).Query, want)
		}
	}
}

func TestSize(t *testing.T) {
	for _, c := range []struct {
		body string
		want int
	}{
		{`{"query":"` + strings.Repeat("a", 16372) + `"}`, 16384}, // C-013
		{`{"query":"` + strings.Repeat("a", 16373) + `"}`, 16385}, // C-012
		{`{"query":["` + strings.Repeat("a", 16373) + `","select 1"]}`, 16398},
		{` { "query" : "select 1" , "api_key" : "1234" } `, 20},
		{`{"query":"<é\u00e9>&"}`, 19}, // C-210: bytes
		{`{"query":"a","onerror":"b","onsuccess":"c","repeatable":true}`, 61},
		{`{"query":{"query":[{"onerror":"b","query":"a"}],"onsuccess":"c"}}`, 65},
		{`{"query":["a",{"query":"b","status":"done","id":null,"x":[{"api_key":"1234","y":1e0}]}],"onerror":null}`, len(`{"query":["a",{"query":"b","x":[{"y":1e0}]}]}`)},
		// What is no definition has a length, too.
		{`{"query":["a",5,[null]],"other":"x"}`, len(`{"query":["a",5,[null]]}`)},
		{`{"query":{"queries":["a"]},"onerror":{"x":true}}`, len(`{"query":{"queries":["a"]},"onerror":{"x":true}}`)},
		{`{}`, len(`{"query":null}`)},
	} {
		if got := Size(fields(t, c.body)); got != c.want {
			t.Errorf("%.60s: got %d, want %d", c.body, got, c.want)
		}
	}
	// C-015, whose texts are not in the answer.
	t4 := func(n int) string { return fmt.Sprintf("SELECT * FROM untitle_table_4 limit %d", n) }
	body, _ := json.Marshal(map[string]any{"query": map[string]any{"query": []any{
		map[string]any{"query": strings.Repeat("a", 16373), "onsuccess": t4(1)}, map[string]any{"query": t4(2), "onsuccess": t4(3)},
	}}})
	if got := Size(fields(t, string(body))); got != 16561 {
		t.Errorf("got %d, want 16561", got)
	}
}

func TestTooLarge(t *testing.T) {
	for _, c := range []struct {
		size, max int
		want      string
	}{
		{16385, 16384, "16385 bytes. Max size allowed is 16384 bytes (16kb)."},
		{9000, 8192, "9000 bytes. Max size allowed is 8192 bytes (8kb)."},
		{20001, 20000, "20001 bytes. Max size allowed is 20000 bytes (19.5kb)."},
		{2 << 20, 1 << 20, "2097152 bytes. Max size allowed is 1048576 bytes (1024kb)."},
	} {
		want := "Your payload is too large: " + c.want +
			" Are you trying to import data?. Please, check out import api http://docs.cartodb.com/cartodb-platform/import-api/"
		if got := TooLarge(c.size, c.max).Error(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	for _, form := range []string{"", "null", "5", "{}", `{"query":"a"} x`, `{"query":"a"`, `{"query":[5]}`, "{\"query\":\"\xff\"}"} {
		d, err := Read(json.RawMessage(form))
		if err == nil {
			t.Errorf("%s is read as %+v", form, d)
		}
	}
	var invalid *InvalidError
	if _, err := Read(json.RawMessage(`{"query":[5]}`)); !errors.As(err, &invalid) {
		t.Errorf("not said what is wrong: %v", err)
	}
}
