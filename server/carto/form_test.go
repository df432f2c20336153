package carto

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeForm(t *testing.T) {
	type o = map[string]any
	type l = []any
	for _, c := range []struct {
		form string
		want o
	}{
		{"", o{}},
		{"query=select+1", o{"query": "select 1"}},
		{"query=", o{"query": ""}},
		{"query=a&query=b", o{"query": l{"a", "b"}}},
		{"query[]=a", o{"query": l{"a"}}},
		{"query[]=a&query[]=b", o{"query": l{"a", "b"}}},
		{"query%5B1%5D=b&query%5B0%5D=a", o{"query": l{"a", "b"}}},
		{"query[10]=c&query[9]=b&query[2]=a", o{"query": l{"a", "b", "c"}}},
		{"query[999]=a", o{"query": l{"a"}}},
		{"query[0]=a&query[1][query]=b&query[1][onsuccess]=c", o{"query": l{"a", o{"query": "b", "onsuccess": "c"}}}},
		{
			"query[query][0][query]=a&query[query][0][onerror]=b&query[query][1]=c&query[onsuccess]=d",
			o{"query": o{"query": l{o{"query": "a", "onerror": "b"}, "c"}, "onsuccess": "d"}},
		},
		{"query[query][]=a&query[query][]=b", o{"query": o{"query": l{"a", "b"}}}},
		{"query[query]=a", o{"query": o{"query": "a"}}},
		{"query[0]=a&query[0]=b", o{"query": l{l{"a", "b"}}}},
		{"query[01]=a", o{"query": o{"01": "a"}}},
		{"query[-1]=a", o{"query": o{"-1": "a"}}},
		{"query=a&onsuccess=b&onerror=c&repeatable=true", o{"query": "a", "onsuccess": "b", "onerror": "c", "repeatable": "true"}},
		{"query=a&api_key=1&x[y=2&z[0]=3&z[0]=4&queryx[=5", o{"query": "a", "api_key": "1", "x[y": "2", "z[0]": l{"3", "4"}, "queryx[": "5"}},
		{"query=a;+b;&onerror=;c", o{"query": "a; b;", "onerror": ";c"}},
		{"query=[\"a\"]", o{"query": `["a"]`}},
		{"query[a][b][c][d][e]=1", o{"query": o{"a": o{"b": o{"c": o{"d": o{"e": "1"}}}}}}},
	} {
		got, err := DecodeForm(form1(t, c.form))
		if err != nil {
			t.Errorf("%s: %v", c.form, err)
			continue
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s: %s", c.form, diff)
		}
	}
}

func form1(t testing.TB, form string) url.Values {
	t.Helper()
	values, err := ParseForm(form)
	if err != nil {
		t.Fatal(err)
	}
	return values
}

func TestDecodeFormRefuses(t *testing.T) {
	const (
		both     = "given both with brackets and without"
		mixed    = "elements with [], with numbers and with names are mixed"
		unclosed = "the brackets do not match"
	)
	for _, c := range []struct{ form, want string }{
		{"query=a&query[]=b", "query: " + both},
		{"query[0]=a&query[0][query]=b", "query[0]: " + both},
		{"query[]=a&query[0]=b", "query: " + mixed},
		{"query[0]=a&query[query]=b", "query: " + mixed},
		{"query[]=a&query[query]=b", "query: " + mixed},
		{"query[1000]=a", "query[1000]: expected at most 1000 elements"},
		{"query[query][99999999999999999999]=a", "query[query][99999999999999999999]: expected at most 1000 elements"},
		{"query[][query]=a", "query[][query]: number the elements: [] can only stand at the end"},
		{"query[0=a", "query[0: " + unclosed},
		{"query[[0]]=a", "query[[0]]: " + unclosed},
		{"query[0]x=a", "query[0]x: " + unclosed},
		{"query[0]]=a", "query[0]]: " + unclosed},
		{"query[a][b][c][d][e][f]=1", "query[a][b][c][d][e][f]: has more than 5 brackets"},
		{"query" + strings.Repeat("[0]", 1000) + "=1", "query" + strings.Repeat("[0]", 18) + "[…: has more than 5 brackets"},
		{"query[0=a&onerror[=b&repeatable]=1&repeatable[0]=a&repeatable=b", "onerror[: " + unclosed + "; query[0: " + unclosed + "; repeatable: " + both},
		{"query[\x00\xff=a", "query[\uFFFD\uFFFD: " + unclosed},
	} {
		got, err := DecodeForm(form1(t, c.form))
		if err == nil {
			t.Errorf("%s is read as %v", c.form, got)
		} else if err.Error() != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.form, err, c.want)
		}
		if count(got) != strings.Count(c.form, "=") {
			t.Errorf("%s: the values %v are not all there are", c.form, got)
		}
	}
}

// TestFormIsADefinition: the same job as a form and as JSON.
func TestFormIsADefinition(t *testing.T) {
	for _, c := range []struct{ form, body string }{
		{"query=a&onerror=b", `{"query":"a","onerror":"b"}`},
		{"query[]=a&query[]=b", `{"query":["a","b"]}`},
		{"query[0][query]=a&query[0][onsuccess]=b&query[1]=c&repeatable=true", `{"query":[{"query":"a","onsuccess":"b"},"c"],"repeatable":true}`},
		{"query[query][0][query]=a&query[query][0][timeout]=5", `{"query":{"query":[{"query":"a","timeout":"5"}]}}`},
	} {
		decoded, err := DecodeForm(form1(t, c.form))
		if err != nil {
			t.Fatal(err)
		}
		d, err := Parse(decoded)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := string(d.Plan().Form), c.body; got != want {
			t.Errorf("%s\ngot  %s\nwant %s", c.form, got, want)
		}
	}
	_, err := DecodeForm(url.Values{"query": {}})
	if err != nil {
		t.Error(err)
	}
}
