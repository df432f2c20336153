package endpoint

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// paging follows the cursors of a request from its first page to its last, as
// a client that follows links, and compares the pages with the whole. It
// returns the number of rows.
func (d *database) paging(t tester, e *Endpoint, vars map[string]string, params url.Values, limit func() int) int {
	t.Helper()
	parse := func(params url.Values) *Request {
		r, problems := e.Parse(Input{Vars: vars, Params: params, User: "alice"})
		if len(problems) > 0 {
			t.Fatalf("%v: %v", params, problems)
		}
		return r
	}
	whole := url.Values{paramLimit: {"1000"}} // so that it has an order, whatever was asked for
	for name, values := range params {
		if name != paramAfter {
			whole[name] = values
		}
	}
	want := d.mustQuery(t, parse(whole).Batch()).texts()
	var got []string
	for page, more := params, true; more; {
		page.Set(paramLimit, strconv.Itoa(limit()))
		r := parse(page)
		// What a batch of this page's URL gives: the rest, without its limit.
		rest := r.Values()
		rest.Set(paramLimit, "1000")
		if rest := d.mustQuery(t, parse(rest).Batch()).texts(); !slices.Equal(rest, want[min(len(got), len(want)):]) {
			t.Fatalf("%v: the batch of page %d has %d rows, not the %d behind it:\n%s", params, len(got), len(rest), len(want)-len(got), cmp.Diff(want[min(len(got), len(want)):], rest))
		}
		out := d.mustQuery(t, r.Page())
		columns := len(r.Columns())
		if len(out.columns) != columns+r.OrderTerms() {
			t.Fatalf("%d columns, %d of them for the cursor", len(out.columns), r.OrderTerms())
		}
		more = len(out.rows) > int(r.Limit())
		var last [][]byte
		for i, row := range out.rows[:min(len(out.rows), int(r.Limit()))] {
			got = append(got, (&table{rows: [][][]byte{row[:columns]}}).texts()...)
			out.rows[i], last = row[:columns], row[columns:]
		}
		if !more {
			break
		}
		next, ok := r.Next(last)
		if !ok {
			t.Fatalf("no cursor for %q", last)
		}
		if len(got) > len(want) {
			break // it goes round in circles
		}
		page = next
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%v: the pages are not the whole: %s", params, diff)
	}
	return len(got)
}

// In the order of every column and place, both ways.
func TestPagesOfEveryOrder(t *testing.T) {
	d := newDatabase(t)
	vars := map[string]string{"stream": "AB-01", "lab": "a", "run": "5"}
	for _, name := range []string{"packages", "samples"} {
		e := compile(t, name)
		for _, word := range append(e.sortWords(), "") {
			for _, second := range []string{"", "-" + e.Spec.Key} {
				params := url.Values{paramSort: {word, second}, paramView: {e.Views()[0]}}
				t.Run(fmt.Sprintf("%s%q", name, params[paramSort]), func(t *testing.T) {
					if n := d.paging(t, e, vars, params, func() int { return 23 }); n < 50 {
						t.Errorf("only %d rows", n)
					}
				})
			}
		}
	}
}

// In random orders of several terms, with pages of random sizes.
func TestPagesOfRandomOrders(t *testing.T) {
	d := newDatabase(t)
	vars := map[string]string{"stream": "AB-01", "lab": "a", "run": "5"}
	places := []string{"attrs.colour", "-attrs.colour", "attrs.a.0.b", "-log.level", "attrs.no.such"}
	filters := []string{"", "exists-label=true", "exists-label=false", "label=a&label=pre", "exists-mass=true", "exists-sent_at=false"}
	for _, e := range []*Endpoint{compile(t, "packages"), compile(t, "samples")} {
		t.Run(e.Spec.Name, func(t *testing.T) {
			words := e.sortWords()
			if e.Spec.Name == "samples" {
				words = append(words, places...)
			}
			rapid.Check(t, func(t *rapid.T) {
				params, err := url.ParseQuery(rapid.SampledFrom(filters).Draw(t, "filter"))
				if err != nil {
					t.Fatal(err)
				}
				params[paramSort] = rapid.SliceOfN(rapid.SampledFrom(words), 0, 4).Draw(t, "sort")
				params.Set(paramView, rapid.SampledFrom(e.Views()).Draw(t, "view"))
				d.paging(t, e, vars, params, func() int { return rapid.IntRange(1, 50).Draw(t, "limit") })
			})
		})
	}
}

// With as many terms as there may be, half of them NULL in the cursor.
func TestPagesOfTheLongestOrder(t *testing.T) {
	d := newDatabase(t)
	params := url.Values{paramView: {"short"}}
	for i := range mostSorts {
		direction := []string{"", "-"}[i%2]
		params.Add(paramSort, fmt.Sprintf("%sattrs.%s%d", direction, []string{"none", "size."}[i/2%2], i))
	}
	params[paramSort][mostSorts-1] = "-attrs.size"
	params[paramSort][mostSorts-2] = "log.level"
	params[paramSort][0] = "label"
	d.paging(t, compile(t, "samples"), map[string]string{"lab": "a", "run": "5"}, params, func() int { return 50 })
}

// Types that this package knows nothing of are compared as what they are.
func TestPagesOfOtherTypes(t *testing.T) {
	d := newDatabase(t)
	types := map[string][]string{
		"interval":       {"1 month", "30 days", "-1 day", "00:00:00.5"},
		"time":           {"12:00", "24:00", "00:00:00.000001"},
		"timetz":         {"12:00+01", "11:00+00", "12:00-01"},
		"inet":           {"10.0.0.1", "10.0.0.1/8", "::1"},
		"cidr":           {"10.0.0.0/8", "10.0.0.0/16", "::/0"},
		"macaddr":        {"08:00:2b:01:02:03", "ff:ff:ff:ff:ff:ff"},
		"money":          {"1234.5", "-3"},
		"bit(3)":         {"101", "011"},
		"varbit":         {"1", "10", ""},
		"oid":            {"1", "4294967295"},
		"pg_lsn":         {"0/0", "16/B374D848"},
		`"char"`:         {"a", "", "B"},
		"int4[]":         {"{1,2}", "{1,NULL}", "{}", "[2:3]={1,2}"},
		"int4range":      {"[1,3)", "empty", "(,)", "[1,)"},
		"int4multirange": {"{[1,3),[5,7)}", "{}"},
		"numeric(10,2)":  {"1", "1.25"},
		"timestamptz(0)": {"2026-01-31 12:00:01+00", "infinity"},
		"varchar(3)":     {"a", "b"},
		"tsquery":        {"a & b", "c"},
		"xid8":           {"1", "18446744073709551615"},
	}
	for _, name := range sortedKeys(types) {
		t.Run(name, func(t *testing.T) {
			array, err := json.Marshal(append(types[name], types[name][0]))
			if err != nil {
				t.Fatal(err)
			}
			query := fmt.Sprintf(`SELECT i::int4 AS id, (ARRAY(SELECT v::%s FROM json_array_elements_text('%s') v) || NULL::%s)[1 + i %% %d] AS v FROM generate_series(1, 40) i`,
				name, array, name, len(types[name])+2)
			if strings.HasSuffix(name, "[]") { // an array of arrays has one length
				query = fmt.Sprintf(`SELECT i::int4 AS id, (SELECT v::%s FROM json_array_elements_text('%s') WITH ORDINALITY AS l(v, n) WHERE n = i %% %d) AS v FROM generate_series(1, 40) i`,
					name, array, len(types[name])+2)
			}
			text, err := json.Marshal(query) // JSON is YAML
			if err != nil {
				t.Fatal(err)
			}
			specs, problems := Decode(fmt.Appendf(nil, "name: x\npath: /x\nkey: id\nquery: %s", text), "")
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			got, err := d.source.Describe(t.Context(), specs[0].Probe())
			if err != nil {
				t.Fatal(err)
			}
			describes := Described{Params: got.Params}
			for _, c := range got.Columns {
				describes.Columns = append(describes.Columns, Column{c.Name, c.OID, c.Type})
			}
			e, problems := Compile(specs[0], describes)
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			for _, word := range []string{"v", "-v"} {
				if n := d.paging(t, e, nil, url.Values{paramSort: {word}}, func() int { return 3 }); n != 40 {
					t.Errorf("%d rows", n)
				}
			}
		})
	}
}
