package carto

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slashbatch/jobs"
)

// FuzzParse: whatever is sent, it is refused with reasons, or it is a job that is
// the same after a stay in the queue, and after its sender sends back what was shown.
func FuzzParse(f *testing.F) {
	for _, c := range forms {
		f.Add(c.body)
	}
	for _, s := range []string{
		`{"query":[{"query":"<\u2028\ud800","x":[1e999,-0.0,{"":null}]}]}`, `{"query":{"query":[{"query":"a","":0}],"":""}}`,
		`{"query":[{"query":"\u0008\u000b\u007f\u2029","id":null,"repeatable":"true","status":"x","x":{"api_key":"k","y":[]}}],"onerror":null}`,
		`{"api_key":"a\"b","x":{"map_key":"no"},"\u006dap_key" : "c","query":["api_key",":"]}`, `{"api_key":["x"],"map_key":1,"x":"api_key"}`,
		`{"query":[1,null,{}]}`, `{"query":"\u0000"}`, `{"query":{"query":["a"],"onerror":"b"},"onerror":"c"}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		sent, err := DecodeJSON([]byte(body))
		if err != nil {
			return
		}
		keysFound(t, body, sent)
		size := Size(sent)
		d, err := Parse(sent)
		if err != nil {
			refused(t, err)
			return
		}
		accepted(t, d, size)
	})
}

// keysFound checks that the keys in a document are found before it is decoded.
func keysFound(t *testing.T, body string, sent map[string]any) {
	t.Helper()
	want := url.Values{}
	for _, name := range KeyFields {
		if key, ok := sent[name].(string); ok {
			want.Set(name, key)
		}
	}
	got, err := KeysInJSON([]byte(body))
	if err != nil || got.Encode() != want.Encode() {
		t.Errorf("the keys in %s: %v, %v; want %v", body, got, err, want)
	}
}

func refused(t *testing.T, err error) {
	t.Helper()
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Messages()) == 0 || strings.Contains(err.Error(), "\x00") {
		t.Errorf("refused without a good reason: %q", err)
	}
}

func accepted(t *testing.T, d Definition, size int) {
	t.Helper()
	if len(d.Steps) == 0 || len(d.Steps) > MostSteps {
		t.Fatalf("%d steps", len(d.Steps))
	}
	plan := d.Plan()
	if size != len(plan.Form) || !json.Valid(plan.Form) {
		t.Errorf("size %d of %s, which has %d", size, plan.Form, len(plan.Form))
	}
	document, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	var stored jobs.SQLPlan
	if err := json.Unmarshal(document, &stored); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(plan.Steps, stored.Steps); diff != "" {
		t.Errorf("the queue changes the steps: %s", diff)
	}
	for _, form := range []json.RawMessage{plan.Form, stored.Form} {
		if again, err := Read(form); err != nil || !reflect.DeepEqual(d, again) {
			t.Fatalf("%s is read back as\n%+v (%v), was\n%+v", form, again, err, d)
		}
	}

	status := jobs.SQLStatus{Steps: make([]jobs.SQLStepStatus, len(d.Steps))}
	for i := range status.Steps {
		status.Steps[i] = ran(failed, failed, "R", "F")
	}
	for _, s := range []jobs.SQLStatus{{}, status} {
		shown, err := json.Marshal(d.Echo(s))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := DecodeJSON(shown)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(sent)
		if err != nil {
			t.Fatalf("what is shown is refused: %s: %v", shown, err)
		}
		if diff := cmp.Diff(d.says(), again.says()); diff != "" {
			t.Errorf("what is shown means something else: %s", diff)
		}
	}
}

// FuzzDecodeForm: whatever is sent as a form, it is refused with reasons or gives
// fields that are no larger than it, and that Parse can judge.
func FuzzDecodeForm(f *testing.F) {
	for _, s := range []string{
		"query=a&query=b", "query[]=a&query[]=b", "query[0]=a&query[1][query]=b", "query[query][0][query]=a&query[onsuccess]=d",
		"query[999]=a&query[1000]=b", "query[0=a&onerror[=b", "query[a][b][c][d][e][f]=1", "query[][query]=a", "query%00[%ff]=%00&x[]=1",
		"query=a;b&api_key=x;&api%5fkey=y&map_key", "query=%ff\u2028&onerror=%00",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, form string) {
		values, err := ParseForm(form)
		if err != nil {
			return
		}
		keys := KeysInForm(form)
		for _, name := range KeyFields {
			if keys.Get(name) != values.Get(name) {
				t.Errorf("the %s in %q: %q, want %q", name, form, keys.Get(name), values.Get(name))
			}
		}
		decoded, err := DecodeForm(values)
		if err != nil {
			refused(t, err)
			return
		}
		sent := 0
		for _, list := range values {
			sent += len(list)
		}
		if got := count(decoded); got != sent {
			t.Errorf("%d values were sent, %d are read", sent, got)
		}
		size := Size(decoded)
		d, err := Parse(decoded)
		if err != nil {
			refused(t, err)
			return
		}
		accepted(t, d, size)
	})
}

// count is the number of texts in a value.
func count(v any) int {
	n := 0
	switch v := v.(type) {
	case string:
		n = 1
	case []any:
		for _, v := range v {
			n += count(v)
		}
	case map[string]any:
		for _, v := range v {
			n += count(v)
		}
	}
	return n
}
