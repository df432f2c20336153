package server

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"slashbatch/jobs"
)

//go:embed pages
var pageFiles embed.FS

var (
	pageStyle = mustRead("pages/style.css")
	pages     = template.Must(template.New("").Funcs(template.FuncMap{
		"style":   func() template.CSS { return template.CSS(pageStyle) },
		"grouped": groupedNumber,
	}).ParseFS(pageFiles, "pages/*.html"))
	// The style sheet is inside the page and admitted by its digest; no script,
	// nothing from elsewhere.
	pagePolicy = "default-src 'none'; style-src 'sha256-" + styleDigest() + "'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func mustRead(name string) string {
	text, err := pageFiles.ReadFile(name)
	if err != nil {
		panic(err) // embedded with the program
	}
	return string(text)
}

func styleDigest() string {
	sum := sha256.Sum256([]byte(pageStyle))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// page renders a template to a buffer, then answers with it.
func (s *Server) page(w http.ResponseWriter, status int, name string, view any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, view); err != nil {
		s.Log.Error("a page could not be made", "page", name, "error", err)
		http.Error(w, "something went wrong here, and was written to the log", http.StatusInternalServerError)
		return
	}
	header := w.Header()
	pageHeaders(header)
	header.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes())
}

// pageHeaders are those of every page.
func pageHeaders(header http.Header) {
	header.Set("Content-Type", "text/html; charset=utf-8")
	header.Set("Content-Security-Policy", pagePolicy)
	if header.Get("Referrer-Policy") == "" {
		header.Set("Referrer-Policy", "same-origin")
	}
	header.Set("X-Frame-Options", "DENY")
}

// statusView is what the status page shows, in words.
type statusView struct {
	Title, Endpoint, Description string
	Word                         jobs.Word
	Refresh                      int // seconds; 0 when nothing will change
	Parameters                   []parameterView
	Lines                        []lineView
	Percent                      int
	HasProgress                  bool
	Download, FileName           string
	Formats                      []linkView
	Again, Cancel                string // form targets
	Error                        string
	Plain                        string // the interactive request
}

type parameterView struct{ Name, Value string }

type lineView struct{ Label, Text string }

// pageRefresh is how often the page asks again by itself.
const pageRefresh = 2

func (s *Server) statusView(a ask, d statusDocument, status jobs.Status) statusView {
	spec := a.Endpoint.Spec
	v := statusView{
		Title: "Export of " + spec.Name, Endpoint: spec.Name, Description: spec.Description,
		Word: status.Word, Plain: a.plainURL(), Error: d.Error,
	}
	values := a.fileValues()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			v.Parameters = append(v.Parameters, parameterView{name, value})
		}
	}
	line := func(label, format string, args ...any) {
		v.Lines = append(v.Lines, lineView{label, fmt.Sprintf(format, args...)})
	}
	if !status.Word.Final() {
		v.Refresh = pageRefresh
		if d.Links.Cancel != "" {
			v.Cancel = a.prefix() + a.Path() + s.BatchPath + "/cancel" + query(withJob(a, d.ID))
		}
	}
	if status.Word == jobs.WordPending {
		line("Place in the queue", "%d", *status.Position)
	}
	if status.ETA != nil {
		line("Ready in about", "%s", roughly(*status.ETA))
	}
	if d.Rows != nil {
		line("Rows", "%s", grouped(*d.Rows))
	}
	if d.Bytes != nil {
		line("Size", "%s", bytesText(*d.Bytes))
	}
	if e := status.Entry; e != nil {
		line("Rows read", "%s", e.Generated.UTC().Format("2 January 2006, 15:04:05 UTC"))
		if !e.Pinned {
			line("Kept until", "%s", e.Expires.UTC().Format("2 January 2006, 15:04 UTC"))
		}
		line("SHA-256", "%s", d.SHA256)
		v.Download, v.FileName = d.URL, status.File.FileName
		if a.file().packed {
			v.FileName += ".gz"
		}
		for _, f := range offeredFiles(spec) {
			if url := d.Links.Formats[f.word]; url != "" {
				v.Formats = append(v.Formats, linkView{f.word, url})
			}
		}
	}
	if status.Progress != nil {
		v.HasProgress, v.Percent = true, int(*status.Progress*100)
	}
	switch status.Word {
	case jobs.WordFailed, jobs.WordCancelled, jobs.WordUnknown:
		again := a.fileValues()
		if a.Control.Fresh {
			again.Set("_fresh", "true")
		}
		v.Again = a.prefix() + a.Path() + s.BatchPath + query(again)
	}
	return v
}

// roughly is a duration as people say it.
func roughly(d time.Duration) string {
	switch {
	case d < 90*time.Second:
		return plural(int64((d+time.Second-1)/time.Second), "second")
	case d < 90*time.Minute:
		return plural(int64((d+30*time.Second)/time.Minute), "minute")
	}
	return plural(int64((d+30*time.Minute)/time.Hour), "hour")
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return grouped(n) + " " + unit + "s"
}

// groupedNumber is grouped for templates, where a number may be a pointer.
func groupedNumber(n any) string {
	if p, ok := n.(*int64); ok {
		return grouped(*p)
	}
	return grouped(n.(int64))
}

// grouped writes 1234567 as 1,234,567.
func grouped(n int64) string {
	text := strconv.FormatInt(n, 10)
	for i := len(text) - 3; i > 0 && text[i-1] != '-'; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func bytesText(n int64) string {
	value, unit := float64(n), "bytes"
	for _, next := range []string{"kB", "MB", "GB", "TB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, next
	}
	if unit == "bytes" {
		return grouped(n) + " bytes"
	}
	return strconv.FormatFloat(value, 'f', 1, 64) + " " + unit
}
