package assets

import (
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var listRules = ListRules{
	PageSize: 100, MostPageSize: 500, DefaultOrder: "created",
	Properties: []string{"id", "created", "string1", "number1", "mediaType"},
	Filters:    []string{"space", "string1", "string2", "string3", "number1", "number2", "number3", "manifests"},
}

// translated checks what becomes of a query.
func translated(t *testing.T, query, want string, wantPage Page, wantProblems ...string) {
	t.Helper()
	translatedBy(t, listRules, query, want, wantPage, wantProblems...)
}

func translatedBy(t *testing.T, rules ListRules, query, want string, wantPage Page, wantProblems ...string) {
	t.Helper()
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	before := params.Encode()
	got, page, problems := TranslateList(params, rules)
	if params.Encode() != before {
		t.Errorf("%s was changed", query)
	}
	checkProblems(t, query, problems, wantProblems)
	if page != wantPage {
		t.Errorf("%s is page %+v, want %+v", query, page, wantPage)
	}
	if len(wantProblems) > 0 {
		return
	}
	wanted, err := url.ParseQuery(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", query, diff)
	}
}

var firstPage = Page{Number: 1, Size: 100}

func TestP020(t *testing.T) {
	translated(t, "", "", firstPage)
	for _, size := range []string{"0", "-1", "501"} {
		translated(t, "pageSize="+size, "_limit=100", firstPage)
	}
	translated(t, "pageSize=abc", "", firstPage)
	translated(t, "pageSize=99999999999999999999", "", firstPage)
	translated(t, "pageSize=500", "_limit=500", Page{1, 500})
	translated(t, "page=0", "_limit=100", firstPage)
	translated(t, "page=-3", "_limit=100", firstPage)
	translated(t, "page=x&pageSize=7", "_limit=7", Page{1, 7})
	translated(t, "page=99", "_limit=100&_offset=9800", Page{99, 100})
	translated(t, "page=3&pageSize=2", "_limit=2&_offset=4", Page{3, 2})
	translated(t, "page=9223372036854775807&pageSize=500", "_limit=500&_offset=9223372036854775000", Page{18446744073709551, 500})
	translated(t, "page=1&page=2", "", firstPage, "page: is given 2 times: expected it once")
}

func TestNativeParameters(t *testing.T) {
	native := "_format=csv&_sort=-created&min-number1=5&string1=x&string1=y&exists-string2=true&space=1&_view=full"
	translated(t, native, native, firstPage)
	translated(t, "_limit=5", "_limit=5", Page{0, 100})
	translated(t, "_offset=5&pageSize=x", "_offset=5", Page{0, 100})
	translated(t, "_after=c", "_after=c", Page{0, 100})
	translated(t, "page=2&_limit=5&_after=c", "", Page{2, 100}, "page: cannot be given together with _limit: leave one of them out", "page: cannot be given together with _after")
	translated(t, "pageSize=2&_offset=5", "", Page{1, 2}, "pageSize: cannot be given together with _offset")
	translated(t, "orderBy=id&_sort=id", "", firstPage, "orderBy: cannot be given together with _sort")
}

func TestOrder(t *testing.T) {
	for query, want := range map[string]string{
		"orderBy=number1": "_sort=number1", "orderByDescending=number1": "_sort=-number1", "orderBy=Created": "_sort=created",
		"orderByDescending=MediaType": "_sort=-mediaType", "orderBy=id&orderByDescending=number1": "_sort=id",
		"orderBy=NumberReference1": "_sort=number1", "orderBy=reference1": "_sort=string1",
		"orderBy=": "_sort=created", "orderBy=x": "_sort=created", "orderByDescending=x": "_sort=-created",
	} {
		translated(t, query, want, firstPage)
	}
	translated(t, "orderBy=colour", "", firstPage, "orderBy: cannot order by 'colour'; known: id, created, string1, number1, mediaType")
	translated(t, "orderByDescending=CREATED", "", firstPage, "orderByDescending: cannot order by 'CREATED'")
	translated(t, "orderBy=%FF%FF", "", firstPage, "orderBy: cannot order by '\uFFFD'")
	latest := listRules
	latest.DefaultOrder = "-finished"
	translatedBy(t, latest, "orderBy=x", "_sort=-finished", firstPage)
	translatedBy(t, latest, "orderByDescending=x", "_sort=-finished", firstPage)
	latest.DefaultOrder = ""
	translatedBy(t, latest, "orderByDescending=x", "", firstPage)
}

func q(document string) string { return "q=" + url.QueryEscape(document) }

func TestP035(t *testing.T) {
	for _, broken := range []string{`{broken`, `[]`, `5`, `null`, `"x"`, `{}{}`} {
		params := url.Values{"q": {broken}}
		_, _, problems := TranslateList(params, listRules)
		if len(problems) != 1 || problems[0].Path != "q" || problems[0].Message != "Could not parse query" {
			t.Errorf("%s: %v", broken, problems)
		}
	}
	translated(t, "q=", "", firstPage)
	translated(t, "q={}", "", firstPage)
}

func TestP235(t *testing.T) {
	translated(t, q(`{"string1":"s1","string2":"s2","number3":3,"space":99,"manifests":["first"]}`), "string1=s1&string2=s2&number3=3&space=99&manifests=first", firstPage)
}

func TestP236(t *testing.T) {
	translated(t, q(`{"string3":"s3","number1":1}`), "string3=s3&number1=1", firstPage)
}

func TestP237(t *testing.T) {
	translated(t, "string1=s1&string2=s2&string3=s3&number1=1&number2=2&number3=3&manifests=first,second",
		"string1=s1&string2=s2&string3=s3&number1=1&number2=2&number3=3&manifests=first&manifests=second", firstPage)
}

func TestFilters(t *testing.T) {
	translated(t, q(`{"string1":"from q","number1":1,"manifests":["q"],"string2":null,"string3":""}`)+"&string1=x&manifests=a,,b&manifests=c", "string1=x&number1=1&string3=&manifests=a&manifests=b&manifests=c", firstPage)
	translated(t, q(`{"manifests":["a,b","c"],"number2":-9223372036854775808}`), "manifests=a,b&manifests=c&number2=-9223372036854775808", firstPage)
	translated(t, q(`{"colour":1,"String1":"x"}`), "", firstPage, "q: there is no filter 'colour'; known: space, string1, string2, string3, number1, number2, number3, manifests", "q: there is no filter 'String1'")
	translated(t, q(`{"number1":"1","manifests":[]}`), "", firstPage, "q: Could not parse query", "q.number1: expected a whole number, got a text", "q.manifests: expected at least one")
	translated(t, q(`{"number1":1.5}`), "", firstPage, "q: Could not parse query", "q.number1: expected a whole number of 64 bits")
	translated(t, q(`{"string1":5}`), "", firstPage, "q: Could not parse query", "q.string1: expected a text, got a number")
	translated(t, q(`{"manifests":"a"}`), "", firstPage, "q: Could not parse query", "q.manifests: expected a list of texts, got a text")
	translated(t, q(`{"manifests":["a",5]}`), "", firstPage, "q: Could not parse query", "q.manifests: element 1: expected a text")
	translated(t, q(`{"string1":"a","string1":"b"}`), "", firstPage, "q.string1: is given twice")
	translated(t, "manifests=,", "", firstPage, "manifests: expected names, separated by commas")
	none := ListRules{PageSize: 100, MostPageSize: 500}
	translatedBy(t, none, q(`{"string1":"a"}`), "", firstPage, "q: there is no filter 'string1'; this list has none")
	translatedBy(t, none, "manifests=a,b", "manifests=a,b", firstPage)
}

// FuzzTranslateList: nothing makes it panic, and nothing of the collections' own is left.
func FuzzTranslateList(f *testing.F) {
	for _, seed := range []string{"page=2&pageSize=5&orderBy=Created", "q={\"string1\":\"x\",\"manifests\":[\"a\"]}", "orderByDescending=%FF%C3", "q=%22&page=-1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		params, _ := url.ParseQuery(query)
		got, page, _ := TranslateList(params, listRules)
		for _, name := range []string{"page", "pageSize", "orderBy", "orderByDescending", "q"} {
			if got.Has(name) {
				t.Errorf("%s is left of %s", name, query)
			}
		}
		if page.Size < 1 || page.Size > 500 || page.Number < 0 || page.Offset() < 0 {
			t.Errorf("%s is page %+v", query, page)
		}
	})
}
