package blackbox

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const formatSpecs = `
name: only-csv
path: /only-csv
query: SELECT id, label FROM item
key: id
formats: [csv]
---
name: rows-only
path: /rows-only
query: SELECT id, label FROM item
key: id
formats: [json, ndjson]
batch: {enabled: false}
---
name: hostile
path: /hostile
description: Rows of <b>"description"</b> & more
query: >-
  SELECT id, label, '<script>alert(1)</script>' AS "<img src=x onerror=alert(2)>", E'"\' onmouseover="alert(3)' AS "a""b'c",
  '</td></table></main><style>' AS ends, '&lt;b&gt;' AS escaped, ARRAY['<i>', NULL] AS tags, '{"a": "<u>"}'::jsonb AS doc, ok, at
  FROM item
key: id
`

// The type of an answer is said by _format, then by the path, then by Accept.
func TestFormats(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{formatSpecs}})
	types := map[string]string{
		"json": "application/json", "csv": "text/csv; charset=utf-8; header=present", "ndjson": "application/x-ndjson", "html": "text/html; charset=utf-8",
	}
	for word, want := range types {
		mediaType, _, _ := strings.Cut(want, ";")
		for name, a := range map[string]answer{
			"_format":                 s.get("/item?_format=" + word),
			"extension":               s.get("/item." + word),
			"Accept":                  s.get("/item", header("Accept", mediaType)),
			"_format, not extension":  s.get("/item.ndjson?_format="+word, header("Accept", "text/csv")),
			"extension, not Accept":   s.get("/item."+word, header("Accept", "application/json, text/csv;q=0.5, text/html;q=0.5")),
			"extension below a value": s.get("/group/AB/item." + word),
			"Accept by weight":        s.get("/item", header("Accept", mediaType+";q=0.9, */*;q=0.1")),
		} {
			if a.code != http.StatusOK || a.header.Get("Content-Type") != want {
				t.Errorf("%s by %s: %d, %s; want %s", word, name, a.code, a.header.Get("Content-Type"), want)
			}
		}
	}
	s.get("/item", browser).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", types["html"])
	s.get("/rows-only", browser).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", types["json"])
	s.get("/only-csv").wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", types["csv"])

	// An extension is part of a variable's value, and of no twin's path.
	if rows := items(t, s.get("/of-group/AB.csv")); len(rows) != 0 {
		t.Errorf("/of-group/AB.csv has the rows %v; want those of the value AB.csv", rows)
	}
	for _, target := range []string{"/item.xml", "/item.", "/item.CSV", "/item.csv.csv", "/item.csv/batch", "/item/batch.csv", "/item.xlsx", "/group.csv/AB/item"} {
		if a := s.get(target); a.code != http.StatusNotFound {
			t.Errorf("%s answered %d, want 404", target, a.code)
		}
	}
}

// Who asks for what there is not is told what there is.
func TestNotAcceptable(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{formatSpecs}})
	for target, words := range map[string][]string{
		"/item?_format=xml":      {"json", "csv", "ndjson", "html"},
		"/item?_format=parquet":  {"json", "csv", "ndjson", "html"},
		"/only-csv?_format=json": {"csv"},
		"/only-csv.json":         {"csv"},
		"/rows-only?_format=csv": {"json", "ndjson"},
		"/rows-only.html":        {"json", "ndjson"},
	} {
		p := decode[problem](t, s.get(target).wantCode(t, http.StatusNotAcceptable).wantHeader(t, "Cache-Control", "no-store"))
		for _, word := range []string{"json", "csv", "ndjson", "html"} {
			if listed := slices.Contains(regexp.MustCompile(`\w+`).FindAllString(p.Message, -1), word); listed != slices.Contains(words, word) {
				t.Errorf("%s: %q is to list %v", target, p.Message, words)
			}
		}
	}
	for _, accept := range []string{"application/xml", "image/png, text/plain", "text/turtle", "application/json;q=0, text/xml", "application/vnd.apache.parquet"} {
		if a := s.get("/item", header("Accept", accept)); a.code != http.StatusNotAcceptable {
			t.Errorf("Accept %s: answered %d, want 406", accept, a.code)
		}
	}
	s.get("/only-csv", header("Accept", "application/json")).wantCode(t, http.StatusNotAcceptable)
	// The other formats that an answer names are those that there are.
	for target, words := range map[string]string{"/rows-only": "json ndjson", "/item": "json csv ndjson html"} {
		var got []string
		for _, link := range s.list(target).Meta.HasFormat {
			_, word, _ := strings.Cut(link, "_format=")
			got = append(got, word)
			s.get(link).wantCode(t, http.StatusOK)
		}
		if strings.Join(got, " ") != words {
			t.Errorf("%s: hasFormat has %v, want %s", target, got, words)
		}
	}
}

var (
	tableCell   = regexp.MustCompile(`(?s)<td[^>]*>(.*?)</td>`)
	tableHeader = regexp.MustCompile(`(?s)<th scope[^>]*>(.*?)</th>`)
)

// A page shows what is in the database, and nothing in it comes alive.
func TestPageEscapes(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{formatSpecs}})
	execute(t, s.db, `UPDATE item SET label = E'<script>alert("x")</script>\n''"&amp;<b>' WHERE id = 1`)
	page := s.get(`/hostile.html?label=%22%3E%3Cscript%3E'&label=%3Cscript%3Ealert(%22x%22)%3C/script%3E%0A'%22%26amp%3B%3Cb%3E&ends=%3C/td%3E%3C/table%3E%3C/main%3E%3Cstyle%3E`).wantCode(t, http.StatusOK)
	for _, alive := range []string{"<script", "<img", "<b>", "<i>", "<u>", "\" onmouseover", "' onmouseover", "javascript:", "http-equiv"} {
		if strings.Contains(page.body, alive) {
			t.Errorf("the page contains %s:\n%s", alive, page.body)
		}
	}
	for _, once := range []string{"<style>", "</style>", "<table", "</table>", "</main>"} {
		if n := strings.Count(page.body, once); n != 1 {
			t.Errorf("%s is there %d times", once, n)
		}
	}
	texts := func(pattern *regexp.Regexp) (list []string) {
		for _, match := range pattern.FindAllStringSubmatch(page.body, -1) {
			list = append(list, html.UnescapeString(match[1]))
		}
		return list
	}
	heads := []string{"id", "label", "<img src=x onerror=alert(2)>", `a"b'c`, "ends", "escaped", "tags", "doc", "ok", "at"}
	if got := texts(tableHeader); !slices.Equal(got, heads) {
		t.Errorf("the columns are %q", got)
	}
	values := []string{
		"1", "<script>alert(\"x\")</script>\n'\"&amp;<b>", "<script>alert(1)</script>", `"' onmouseover="alert(3)`, "</td></table></main><style>",
		"&lt;b&gt;", "{<i>,NULL}", `{"a": "<u>"}`, "true", "2026-01-31T12:00:00.5Z",
	}
	if got := texts(tableCell); !slices.Equal(got, values) {
		t.Errorf("the values are\n%q, want\n%q", got, values)
	}

	// As every page of this service.
	status := s.get("/item/batch/status", browser)
	for _, name := range []string{"Content-Security-Policy", "Referrer-Policy", "X-Content-Type-Options", "X-Frame-Options"} {
		if want := status.header.Get(name); want == "" || page.header.Get(name) != want {
			t.Errorf("%s: %q, want %q as other pages have it", name, page.header.Get(name), want)
		}
	}
	if policy := page.header.Get("Content-Security-Policy"); !strings.Contains(policy, "default-src 'none'") || strings.Contains(policy, "unsafe") {
		t.Errorf("the policy is %s", policy)
	}
}

// A page leads to the other formats of its rows, and to their export.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{formatSpecs}})
	page := s.get("/item.html?label=plain&label=%26%22&_view=id").wantCode(t, http.StatusOK).body
	for _, want := range []string{
		`href="` + s.url + `/item?_format=csv&amp;_view=id&amp;label=%26%22&amp;label=plain"`,
		`href="` + s.url + `/item?_format=json&amp;_view=id&amp;label=%26%22&amp;label=plain"`,
		`href="` + s.url + `/item/batch?_view=id&amp;label=%26%22&amp;label=plain" rel="nofollow"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %s:\n%s", want, page)
		}
	}
	if page := s.get("/no-twin.html").body; strings.Contains(page, "/batch") {
		t.Error("a page without twin links one")
	}
	// One that was cut says so.
	if page := s.get("/item.html?_limit=100").body; !strings.Contains(page, "5 rows") || !strings.Contains(page, "most") {
		t.Errorf("a capped page does not say that it is: %s", page)
	}
}
