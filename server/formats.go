package server

import (
	"net/http"
	"slices"
	"strings"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// readFormat is a form of interactive answers.
type readFormat struct {
	// word is its name in _format and in path extensions.
	word, mediaType, contentType string
	// sink writes rows in this form. What it has to tell besides the rows is in the page.
	sink func(out *answer, p *page) rows.Sink
	// paged: the answer tells whether there are more rows, and how to get them.
	paged bool
}

// The formats of interactive answers, in order of preference.
var readFormats = []readFormat{
	{word: "json", mediaType: "application/json", contentType: "application/json", sink: newJSONSink, paged: true},
	{word: "csv", mediaType: "text/csv", contentType: "text/csv; charset=utf-8; header=present", sink: newCSVSink},
	{word: "ndjson", mediaType: "application/x-ndjson", contentType: "application/x-ndjson", sink: newNDJSONSink},
	{word: "html", mediaType: "text/html", contentType: "text/html; charset=utf-8", sink: newTableSink, paged: true},
}

// offered are the formats that an endpoint answers in.
func offered(spec *endpoint.Spec) (out []readFormat) {
	for _, f := range readFormats {
		if len(spec.Formats) == 0 || slices.Contains(spec.Formats, f.word) {
			out = append(out, f)
		}
	}
	return out
}

// chooseFormat chooses by _format, else by Accept.
func chooseFormat(r *http.Request, request *endpoint.Request) (readFormat, error) {
	formats := offered(request.Endpoint.Spec)
	word := request.Control.Format
	var words []string
	var best readFormat
	bestQ := 0.0
	for _, f := range formats {
		if f.word == word {
			return f, nil
		}
		if q := quality(r, f.mediaType); q > bestQ {
			best, bestQ = f, q
		}
		words = append(words, f.word)
	}
	switch {
	case word == "" && bestQ > 0:
		return best, nil
	case word == "" && wantsHTML(r) && len(formats) > 0:
		return formats[0], nil // a browser shows any of them well enough
	}
	return readFormat{}, &httpError{Status: http.StatusNotAcceptable, Detail: "this endpoint answers in " + strings.Join(words, ", ")}
}
