package blackbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Options of CSV make files of their own, and are in every URL that leads to one.
func TestOptionsOfCSVFiles(t *testing.T) {
	t.Parallel()
	s := newFormulas(t)
	const request = "/thing?_view=text&id=1001"
	plain := s.waited(request, "csv").body
	const options = "_bom=true&_delimiter=semicolon&_safe=true"
	a := s.waited(request, "csv&"+options).wantHeader(t, "Content-Disposition", s.waited(request, "csv").header.Get("Content-Disposition"))
	if !strings.HasPrefix(a.body, "\uFEFF") || a.body == plain {
		t.Errorf("with options %q, without %q", a.body, plain)
	}
	// As an interactive answer with the same options.
	if rows := s.get("/thing.csv?_view=text&id=1001&" + options); rows.body != a.body {
		t.Errorf("the file is %q, the rows now are %q", a.body, rows.body)
	}
	packed := s.waited(request, "csv.gz&"+options)
	if inflated(t, packed.body) != a.body {
		t.Error("the gzip file has other options")
	}
	d := s.status(statusOf(request) + "&_format=csv&" + options)
	if want := s.url + "/thing/batch?_bom=true&_delimiter=semicolon&_format=csv&_safe=true&_view=text&id=1001"; d.URL != want {
		t.Errorf("url %s, want %s", d.URL, want)
	}
	if want := s.url + "/thing/batch?_bom=true&_delimiter=semicolon&_format=csv.gz&_safe=true&_view=text&id=1001"; d.Links.Formats["csv.gz"] != want {
		t.Errorf("links.formats %v, want %s", d.Links.Formats, want)
	}
	if want := s.url + "/thing/batch?_format=xlsx&_view=text&id=1001"; d.Links.Formats["xlsx"] != want {
		t.Errorf("links.formats %v, want %s", d.Links.Formats, want)
	}
	// What is as it would be anyway is no option.
	if same := s.waited(request, "csv&_delimiter=comma&_bom=false"); same.body != plain {
		t.Errorf("with the options that it has anyway: %q", same.body)
	}
	for _, option := range []string{"_bom=true", "_delimiter=tab", "_safe=true"} {
		for _, word := range []string{"json", "ndjson.gz", "parquet", "xlsx"} {
			p := decode[problem](t, s.post(twin(request)+"&_format="+word+"&"+option).wantCode(t, http.StatusBadRequest))
			name, _, _ := strings.Cut(option, "=")
			if len(p.Problems) != 1 || p.Problems[0].Name != name || !strings.Contains(p.Problems[0].Reason, word) {
				t.Errorf("%s of %s: %v", option, word, p.Problems)
			}
		}
	}
}

const fewFormatsSpec = `
name: few
path: /few
query: SELECT id, label FROM item
key: id
batch: {formats: [parquet, ndjson], contentType: application/vnd.apache.parquet}
`

// An endpoint's files come in the formats that it offers, without _format in the one that it
// says; Accept never chooses.
func TestFormatsOfAnEndpoint(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{fewFormatsSpec}})
	for _, accept := range []string{"*/*", "text/csv", "text/html", "application/x-ndjson"} {
		s.get("/few/batch?_wait=30", header("Accept", accept)).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", fileTypes["parquet"])
	}
	s.waited("/few", "ndjson.gz").wantHeader(t, "Content-Type", "application/gzip")
	for _, word := range []string{"csv", "csv.gz", "xlsx", "parquet.gz", "html", "toml", "PARQUET"} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodDelete} {
			a := s.do(method, "/few/batch?_format="+word).wantCode(t, http.StatusNotAcceptable)
			if method == http.MethodGet && !strings.Contains(decode[problem](t, a).Detail, "ndjson, ndjson.gz, parquet") {
				t.Errorf("%s: %s", word, a.body)
			}
		}
		s.get("/few/batch/status?_format="+word).wantCode(t, http.StatusNotAcceptable)
	}
	// The options of CSV are not for its usual file.
	s.get("/few/batch?_bom=true").wantCode(t, http.StatusBadRequest)
	d := s.status("/few/batch/status")
	if d.URL != s.url+"/few/batch" || len(d.Links.Formats) != 2 || d.Links.Formats["ndjson.gz"] != s.url+"/few/batch?_format=ndjson.gz" {
		t.Errorf("%s", d.answer.body)
	}
	home := decode[struct {
		Endpoints []struct {
			Name  string
			Batch struct {
				Format  string
				Formats []string
			}
		}
	}](t, s.get("/"))
	for _, e := range home.Endpoints {
		if e.Name == "few" && (e.Batch.Format != "parquet" || !slices.Equal(e.Batch.Formats, []string{"ndjson", "ndjson.gz", "parquet"})) {
			t.Errorf("the list says %+v", e.Batch)
		}
	}
}

// Interactive answers lead to the same rows as a file in the format that was asked for, where
// there is such a file.
func TestTwinOfAnInteractiveAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{fewFormatsSpec}})
	for request, want := range map[string]string{
		"/item?label=a":                "/item/batch?label=a",
		"/item.json?label=a":           "/item/batch?_format=json&label=a",
		"/item?_format=json&_bom=true": "/item/batch?_format=json",
		"/few?_format=json":            "/few/batch",
	} {
		if got := decode[struct{ Meta struct{ Batch string } }](t, s.get(request)).Meta.Batch; got != s.url+want {
			t.Errorf("%s leads to %s, want %s", request, got, want)
		}
	}
	page := s.get("/item?_format=html&_safe=true&_delimiter=tab").body
	if !strings.Contains(page, `href="`+s.url+`/item/batch?_delimiter=tab&amp;_safe=true"`) {
		t.Errorf("the page leads elsewhere: %s", clip(page))
	}
	// Asked for as an export, it is the file that _format says.
	async := header("Prefer", "respond-async")
	to := s.get("/item?_view=id&_format=ndjson", async).wantCode(t, http.StatusAccepted).location(t)
	if !strings.Contains(to, "_format=ndjson") {
		t.Errorf("respond-async leads to %s", to)
	}
	if d := s.await("Completed", to); !strings.Contains(d.URL, "_format=ndjson") {
		t.Errorf("%s", d.answer.body)
	}
	s.get("/item?_format=html", async).wantCode(t, http.StatusNotAcceptable)
	s.get("/few", async, header("Accept", "text/html")).wantCode(t, http.StatusAccepted)
}

// The page of a file offers it, and the other formats beside it, which may have to be made.
func TestPageOfAFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.waited("/item?_sort=id", "csv.gz")
	page := s.get("/item/batch/status?_sort=id&_format=csv.gz", browser).wantCode(t, http.StatusOK).body
	download := `href="` + s.url + `/item/batch?_format=csv.gz&amp;_sort=id" rel="nofollow" download>Download item_sort=id.csv.gz</a>`
	if !strings.Contains(page, download) {
		t.Errorf("the page does not have %s\n%s", download, page)
	}
	for word := range fileTypes {
		// Without "download": what is not made yet leads to its status page.
		link := `<a href="` + s.url + `/item/batch?_format=` + word + `&amp;_sort=id" rel="nofollow">` + word + `</a>`
		if strings.Contains(page, link) != (word != "csv.gz") {
			t.Errorf("%s: the page has %s, or not", word, link)
		}
	}
	to := s.get("/item/batch?_format=xlsx&_sort=id", browser).wantCode(t, http.StatusSeeOther).location(t)
	if made := s.get(to, browser).wantCode(t, http.StatusOK).body; !strings.Contains(made, "<dt>_format</dt><dd>xlsx</dd>") {
		t.Errorf("the page does not say of which file it is\n%s", made)
	}
	// A page of a run that is not there asks for the file that it is about.
	again := s.get("/item/batch/status?_sort=label&_format=xlsx", browser).wantCode(t, http.StatusNotFound).body
	if !strings.Contains(again, `method="post" action="/item/batch?_format=xlsx&amp;_sort=label"`) {
		t.Errorf("%s", again)
	}
}
