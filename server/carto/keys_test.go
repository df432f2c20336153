package carto

import (
	"net/url"
	"strings"
	"testing"
)

func TestKeysInJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"query":"a"}`:                        "",
		`{"query":"a","api_key":"k"}`:          "api_key=k",
		` { "map_key" : "k\"\u00e9" } `:        "map_key=k%22%C3%A9",
		`{"\u0061pi_key":"k","query":["a",1]}`: "api_key=k",
		`{"api_key":1,"map_key":["k"]}`:        "",
		`{"api_key":{"api_key":"k"}}`:          "",
		`{"query":{"api_key":"k"},"x":"y"}`:    "",
		`{"query":["api_key",{"a":"b"}]}`:      "",
		`{"x":"api_key","y":"k"}`:              "",
		`{"API_KEY":"k"}`:                      "",
		`["api_key","k"]`:                      "",
		`"api_key"`:                            "",
		`{}`:                                   "",
		`{"x":"\\","api_key":"k","y":"}"}`:     "api_key=k",
		`{"query":"` + strings.Repeat(`\"`, 100) + `","api_key":"k"}`: "api_key=k",
	} {
		if got, err := KeysInJSON([]byte(body)); err != nil || got.Encode() != want {
			t.Errorf("%s: %v, %v; want %s", body, got, err, want)
		}
	}
	for _, body := range []string{``, `{`, `{"api_key":"k"`, `{"api_key":"k"}}`, `api_key=k`, `{"api_key":"k\`, `{'api_key':'k'}`} {
		if got, err := KeysInJSON([]byte(body)); err == nil {
			t.Errorf("%s: %v", body, got)
		}
	}
}

func TestKeysInForm(t *testing.T) {
	for form, want := range map[string]url.Values{
		"query=a":                     {},
		"query=a;b&api_key=k;1":       {"api_key": {"k;1"}},
		"api%5fkey=k+1&map_key=%26":   {"api_key": {"k 1"}, "map_key": {"&"}},
		"api_key=&api_key=k":          {"api_key": {""}},
		"api_key=%zz&map_key":         {"map_key": {""}},
		"api_key[]=k&xapi_key=k&%zz":  {},
		"query=api_key%3Dk%26api_key": {},
	} {
		if got := KeysInForm(form); got.Encode() != want.Encode() {
			t.Errorf("%s: %v, want %v", form, got, want)
		}
	}
}

// Anybody may send a body to be searched for a key. However it is made, little is built
// of it.
func TestKeysAreCheap(t *testing.T) {
	const size = 1 << 20
	fill := func(start, part, end string) string {
		return start + strings.Repeat(part, (size-len(start)-len(end))/len(part)) + end
	}
	for _, body := range []string{
		fill(`{"x":[`, `1,`, `1],"api_key":"k"}`), fill(`{`, `"":1,`, `"api_key":"k"}`), fill(`{`, `"\u0061pi_kez":"k",`, `"api_key":"k"}`),
		fill(`{"x":"`, `\"`, `","api_key":"k"}`), fill(`{`, ` `, `"api_key":"k"}`), fill(`{`, `"x":{},`, `"api_key":"k"}`),
		fill(`{`, `"api_key":"k",`, `"api_key":"k"}`),
	} {
		if n := testing.AllocsPerRun(1, func() {
			if keys, err := KeysInJSON([]byte(body)); err != nil || keys.Get("api_key") != "k" {
				t.Errorf("%.40s: %v, %v", body, keys, err)
			}
		}); n > 50 {
			t.Errorf("%.40s: %v allocations", body, n)
		}
	}
	for _, form := range []string{fill("", "a&", "api_key=k"), fill("", "a=1&", "api_key=k"), fill("x=", "%41", "&api_key=k"), fill("", "%41", "&api_key=k"), fill("", "api_key=k&", "")} {
		if n := testing.AllocsPerRun(1, func() {
			if keys := KeysInForm(form); keys.Get("api_key") != "k" {
				t.Errorf("%.40s: %v", form, keys)
			}
		}); n > 50 {
			t.Errorf("%.40s: %v allocations", form, n)
		}
	}
}
