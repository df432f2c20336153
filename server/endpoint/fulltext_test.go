package endpoint

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// What a full text search finds, and that no text makes it fail.
func TestFulltext(t *testing.T) {
	d := newDatabase(t)
	e := compile(t, "samples")
	find := func(params url.Values, column string) []string {
		params.Set(paramLimit, "1000")
		r, problems := e.Parse(Input{Vars: map[string]string{"lab": "a", "run": "5"}, Params: params, User: "alice"})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		at := slices.IndexFunc(r.Columns(), func(c Column) bool { return c.Name == column })
		var found []string
		for _, row := range d.mustQuery(t, r.Batch()).rows {
			found = append(found, string(row[at]))
		}
		return unique(found)
	}
	for _, c := range []struct {
		params url.Values
		column string
		want   []string
	}{
		{url.Values{"story": {"apple"}}, "story", []string{"a green apple", "the red apple"}},
		{url.Values{"story": {"RED"}}, "story", []string{"Red", "the red apple"}},
		{url.Values{"story": {"apples"}}, "story", nil},
		{url.Values{"story": {"apple red"}}, "story", []string{"the red apple"}},
		{url.Values{"story": {`"apple red"`}}, "story", nil},
		{url.Values{"story": {"apple -red"}}, "story", []string{"a green apple"}},
		{url.Values{"story": {"green or red"}}, "story", []string{"Red", "a green apple", "the red apple"}},
		{url.Values{"story": {"green", `"the red"`}}, "story", []string{"a green apple", "the red apple"}},
		{url.Values{"words": {"red"}}, "words", []string{"'apple':3 'red':2 'the':1"}},
		{url.Values{"words": {"red", "b"}}, "words", []string{"'a':1 'b':2", "'apple':3 'red':2 'the':1"}},
		{url.Values{"attrs.story": {"apple", "z"}}, "attrs", []string{`{"size": 12, "story": "red apple", "title": "a", "colour": "red", "sealed": true}`}},
		{url.Values{"story": {"!"}}, "story", nil},
	} {
		if diff := cmp.Diff(c.want, find(c.params, c.column)); diff != "" {
			t.Errorf("%v: %s", c.params, diff)
		}
	}
	for _, value := range []string{"'", `"`, "a & | ! <-> (", `\`, ":*", "or", "-", "and or not", " "} {
		find(url.Values{"story": {value}, "words": {value, value + value}}, "story")
	}
	for _, piece := range []string{"-", `"`, `"-`, "- ", "a ", "a or ", "-a ", "x", "é", "1.", "a-", "or ", "or -", "_-", "€-"} {
		long := strings.Repeat(piece, mostValueBytes/len(piece))
		if !searchable(long) {
			long = strings.Repeat(strings.Repeat(piece, mostNegations)+" a ", 50)
		}
		find(url.Values{"story": {long}}, "story")
	}
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{"-", "-", "-", `"`, " ", "a", "1", "or ", "!", "(", ":*", "é", "€", "_", `\`, "'", "<->", "|", "&", ",", "\n", "\u00a0", "²", "\u0301"}), 0, 300).Draw(t, "pieces")
		s := Statement{SQL: "SELECT websearch_to_tsquery('simple', $1::text)", Args: []Arg{{Value: strings.Join(pieces, "")}}}
		if searchable(s.Args[0].Value) {
			d.mustQuery(t, s)
		}
	})
}
