package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"slashbatch/cache"
	"slashbatch/internal/problem"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/server/endpoint"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
)

// fileAsk is a request to the twin of an endpoint whose spec says this about it.
func fileAsk(t *testing.T, batch, query string) ask {
	t.Helper()
	specs, problems := endpoint.Decode([]byte("{name: items, path: /item, query: SELECT 1 AS id, key: id, batch: {"+batch+"}}"), "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	e, problems := endpoint.Compile(specs[0], endpoint.Described{Columns: []endpoint.Column{{Name: "id", OID: 23, TypeName: "integer"}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	params, err := url.ParseQuery(query)
	if err != nil {
		t.Fatal(err)
	}
	request, problems := e.Parse(endpoint.Input{Params: params})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return ask{Request: request, base: "http://host"}
}

// What is asked for by _format and the options, and how the URLs of the twin repeat that.
func TestFileOfARequest(t *testing.T) {
	const csv, parquet = rows.FormatCSV, rows.FormatParquet
	for _, c := range []struct {
		batch, query string
		form         rows.Form
		packed       bool
		// values are of the URLs; problem is the status and what it is about.
		values, problem string
	}{
		{"", "id=1", rows.Form{Format: csv}, false, "id=1", ""},
		{"", "_format=csv", rows.Form{Format: csv}, false, "_format=csv", ""},
		{"", "_format=csv.gz&_delimiter=comma&_bom=false", rows.Form{Format: csv}, true, "_delimiter=comma&_format=csv.gz", ""},
		{"", "_delimiter=tab&_safe=true", rows.Form{Format: csv, CSV: rows.CSVOptions{Delimiter: '\t', Safe: true}}, false, "_delimiter=tab&_safe=true", ""},
		{"", "_format=json.gz", rows.Form{Format: rows.FormatJSON}, true, "_format=json.gz", ""},
		{"", "_format=parquet&_delimiter=comma&id=1", rows.Form{Format: parquet}, false, "_format=parquet&id=1", ""},
		{"", "_format=parquet&_count=exact&_wait=5&_fresh=true&_job=x", rows.Form{Format: parquet}, false, "_format=parquet", ""},
		{"contentType: application/x-ndjson", "id=1", rows.Form{Format: rows.FormatNDJSON}, false, "id=1", ""},
		{"contentType: application/x-ndjson", "_format=csv&_bom=true", rows.Form{Format: csv, CSV: rows.CSVOptions{BOM: true}}, false, "_bom=true&_format=csv", ""},
		{"", "_format=parquet.gz", rows.Form{}, false, "", "406 csv, csv.gz, ndjson, ndjson.gz, json, json.gz, parquet, xlsx"},
		{"", "_format=html", rows.Form{}, false, "", "406 csv, csv.gz"},
		{"formats: [csv, parquet]", "_format=xlsx", rows.Form{}, false, "", "406 csv, csv.gz, parquet"},
		{"", "_format=xlsx&_safe=true&_bom=true", rows.Form{}, false, "", "400 _bom, _safe"},
		{"contentType: application/x-ndjson", "_delimiter=semicolon", rows.Form{}, false, "", "400 _delimiter"},
	} {
		a := fileAsk(t, c.batch, c.query)
		if err := a.checkFile(); err != nil || c.problem != "" {
			told := ""
			if e := toHTTP(err); err != nil {
				told = http.StatusText(e.Status) + " " + e.Detail + " " + strings.Join(names(e.Problems), ", ")
			}
			code, about, _ := strings.Cut(c.problem, " ")
			if want := map[string]string{"400": "Bad Request", "406": "Not Acceptable"}[code]; want == "" || !strings.HasPrefix(told, want) || !strings.Contains(told, about) {
				t.Errorf("%s %s: %q, want %q", c.batch, c.query, told, c.problem)
			}
			continue
		}
		if a.form() != c.form || a.file().packed != c.packed {
			t.Errorf("%s %s: %+v, packed %v", c.batch, c.query, a.form(), a.file().packed)
		}
		if got := a.fileValues().Encode(); got != c.values {
			t.Errorf("%s %s: URLs have %s, want %s", c.batch, c.query, got, c.values)
		}
		// What a URL says is the same file again, and no part of the key.
		again := fileAsk(t, c.batch, a.fileValues().Encode())
		if again.form() != a.form() || again.file() != a.file() || again.Key() != a.Key() {
			t.Errorf("%s %s: the URL is of another file", c.batch, c.query)
		}
	}
}

func names(problems problem.List) (list []string) {
	for _, p := range problems {
		list = append(list, p.Path)
	}
	return list
}

func TestOtherFormats(t *testing.T) {
	s := &Server{Options: Options{BatchPath: "/batch"}}
	got := s.otherFormats(fileAsk(t, "formats: [csv, xlsx]", "_format=csv&_bom=true&id=1"))
	want := map[string]string{
		"csv.gz": "http://host/item/batch?_bom=true&_format=csv.gz&id=1",
		"xlsx":   "http://host/item/batch?_format=xlsx&id=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// Of a file that is being made the rows are told, and nothing of what is not known.
func TestStatusOfAFileThatIsMade(t *testing.T) {
	s := &Server{Options: Options{BatchPath: "/batch"}}
	job := queue.Job{ID: "j", Kind: jobs.KindVariant, State: queue.Running, Progress: queue.Progress{Rows: 5, Total: 9}}
	d := s.document(fileAsk(t, "", "_format=xlsx"), jobs.Status{Word: jobs.WordInProgress, Job: &job}, true)
	if d.Rows == nil || *d.Rows != 5 || d.Bytes != nil || d.Links.Cancel != "http://host/item/batch?_format=xlsx&_job=j" || d.Links.Formats != nil {
		t.Errorf("%+v", d)
	}
}

// The name of a link is its own; the extension names a format.
func TestLinkOf(t *testing.T) {
	const name = "cosjja3crcpchjan27jm42tcnq"
	for path, want := range map[string]string{
		name: "csv", name + ".csv": "csv", name + ".csv.gz": "csv.gz", name + ".parquet": "parquet", name + ".json.gz": "json.gz",
		name + ".gz": "", name + ".": "", name + ".parquet.gz": "", name + ".CSV": "", ".csv": "", "a%2Fb": "", "a%00": "", "%ff": "",
		strings.Repeat("a", 129): "",
	} {
		r := httptest.NewRequest(http.MethodGet, linkPath+path, nil)
		var got link
		var err error
		router := mux.NewRouter().UseEncodedPath().SkipClean(true)
		router.HandleFunc(linkPath+"{alias}", func(_ http.ResponseWriter, r *http.Request) { got, err = linkOf(r) })
		router.ServeHTTP(httptest.NewRecorder(), r)
		if want == "" {
			if e := toHTTP(err); err == nil || e.Status != http.StatusNotFound {
				t.Errorf("%s: %+v, %v; want 404", path, got, err)
			}
			continue
		}
		if err != nil || got.name != name || got.file.word != want {
			t.Errorf("%s: %+v, %v; want %s", path, got, err, want)
		}
	}
}

// A name and a token are as hard to guess as they have to be, and never the same twice.
func TestNewAlias(t *testing.T) {
	a := fileAsk(t, "", "id=1")
	var all []string
	for range 100 {
		alias, token := newAlias(a, cache.Entry{Result: 7}, 0)
		if !aliasName.MatchString(alias.Name) || len(alias.Name) < 26 || len(token) < 52 { // of five bits each
			t.Fatalf("name %q, token %q", alias.Name, token)
		}
		all = append(all, alias.Name, token)
	}
	if slices.Sort(all); len(slices.Compact(all)) != 200 {
		t.Error("some of them are equal")
	}
}
