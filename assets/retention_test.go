package assets

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRetention(t *testing.T) {
	for _, c := range []struct {
		sent string
		want Retention
		text string
	}{
		{`{"completed":"30d","errors":"365d","superseded":"7d","keepLast":1}`, Retention{30 * day, 365 * day, 7 * day, 1}, ""},
		{`{}`, Retention{}, ""},
		{`{"completed":"1d12h","errors":"90s","superseded":"1h30m"}`, Retention{36 * time.Hour, 90 * time.Second, 90 * time.Minute, 0}, `{"completed":"1d12h","errors":"1m30s","superseded":"1h30m"}`},
		{`{"completed":"1d0h0m5s","errors":1500,"superseded":"1d1m"}`, Retention{day + 5*time.Second, 1500 * time.Millisecond, day + time.Minute, 0}, `{"completed":"1d5s","errors":"1.5s","superseded":"1d1m"}`},
		{`{"completed":0,"errors":"0","superseded":"0d","keepLast":0,"@type":"x"}`, Retention{}, `{}`},
		{`{"completed":null,"keepLast":null}`, Retention{}, `{}`},
		{`{"completed":"36h","errors":"60m"}`, Retention{36 * time.Hour, time.Hour, 0, 0}, `{"completed":"1d12h","errors":"1h"}`},
		{`{"completed":"106751d23h47m16.854775807s"}`, Retention{math.MaxInt64, 0, 0, 0}, ""},
		{`{"completed":9223372036854}`, Retention{9223372036854 * time.Millisecond, 0, 0, 0}, `{"completed":"106751d23h47m16.854s"}`},
	} {
		got, problems := ParseRetention([]byte(c.sent), "retention")
		if problems != nil || cmp.Diff(&c.want, got) != "" {
			t.Error(c.sent, problems, cmp.Diff(&c.want, got))
			continue
		}
		if c.text == "" {
			c.text = c.sent
		}
		text, err := json.Marshal(got)
		if err != nil || string(text) != c.text {
			t.Errorf("%s is written %s, %v", c.sent, text, err)
		}
		var again Retention
		if err := json.Unmarshal(text, &again); err != nil || again != c.want {
			t.Error(string(text), again, err)
		}
	}
	if got, problems := ParseRetention([]byte(" null"), "retention"); got != nil || problems != nil {
		t.Error(got, problems)
	}
}

func TestRetentionProblems(t *testing.T) {
	const wanted = `expected a duration such as "30d", "1d12h" or "90s", or a number of milliseconds; 0 is for ever, got `
	for _, value := range []string{
		`"x"`, `""`, `"d"`, `"-1d"`, `"-5s"`, `"1d-5s"`, `"+1d"`, `"1.5d"`, `"5"`, `"1dx"`, `"12h1d"`, `"106752d"`, `"106751d24h"`, `"99999999999999999999d"`,
		`-1`, `1.5`, `1e3`, `9223372036855`, `-9223372036854775808`, `99999999999999999999`, `true`, `[]`, `{}`, `"1d\ud800"`,
	} {
		_, problems := ParseRetention([]byte(`{"errors":`+value+`}`), "retention")
		checkProblems(t, value, problems, []string{"retention.errors: " + wanted + value})
	}
	for body, want := range map[string][]string{
		`[]`:    {"retention: expected an object such as"},
		``:      {"retention: expected an object such as"},
		`"30d"`: {"retention: expected an object such as"},
		`{"complete":"30d","keepLast":-1,"errors":"x"}`: {
			"retention.complete: is not known: expected completed, errors, superseded or keepLast", "retention.keepLast: expected a whole number, 0 or more, got -1", "retention.errors: " + wanted,
		},
		`{"keepLast":"1"}`:              {`retention.keepLast: expected a whole number, 0 or more, got "1"`},
		`{"keepLast":2147483648}`:       {`retention.keepLast: expected a whole number`},
		`{"errors":"1d","errors":"2d"}`: {"retention.errors: is given twice"},
	} {
		got, problems := ParseRetention([]byte(body), "retention")
		checkProblems(t, body, problems, want)
		if got != nil {
			t.Error(body, got)
		}
	}
	if d, ok := parseDays("106751d24h"); ok {
		t.Error("a duration that is too long is read as", d)
	}
	var r Retention
	if err := json.Unmarshal([]byte(`{"errors":"x"}`), &r); err == nil {
		t.Error("a wrong retention was read")
	}
}

func TestClosest(t *testing.T) {
	batch, customer, service := Retention{KeepLast: 1}, Retention{Completed: day}, Retention{Errors: day}
	for _, c := range []struct {
		batch, customer *Retention
		want            Retention
	}{
		{&batch, &customer, batch},
		{&batch, nil, batch},
		{nil, &customer, customer},
		{nil, nil, service},
		{&Retention{}, &customer, Retention{}},
	} {
		if got := Closest(c.batch, c.customer, service); got != c.want {
			t.Errorf("got %+v, want %+v", got, c.want)
		}
	}
}
