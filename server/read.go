package server

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// The formats of interactive answers, in order of preference.
var readFormats = []struct{ word, mediaType string }{
	{"json", "application/json"},
	{"csv", "text/csv"},
}

// read answers the rows of an endpoint now, as JSON or CSV, never more than
// the hard limit.
func (s *Server) read(spec *endpoint.Spec) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.understand(w, r, spec)
		if err != nil {
			return err
		}
		if s.offersBatch(spec) && prefersAsync(r) {
			return s.accept(w, r, a)
		}
		format, err := readFormat(r, a.Request)
		if err != nil {
			return err
		}
		header := w.Header()
		header.Add("Vary", "Accept")
		cache := fmt.Sprintf("max-age=%d", int(spec.MaxAge.Seconds()))
		if cacheScope(w, spec) {
			cache = "private, " + cache
		}
		header.Set("Cache-Control", cache)
		out := &answer{w: patient(w), r: r}
		var sink rows.Sink
		if format == "csv" {
			header.Set("Content-Type", "text/csv; charset=utf-8; header=present")
			sink = &csvSink{out: out}
		} else {
			header.Set("Content-Type", "application/json")
			sink = &jsonSink{out: out, meta: s.meta(a)}
		}
		_, err = s.Sources[spec.DataSource].Stream(r.Context(), rows.Read{Statement: statement(a.Interactive())}, sink)
		if err == nil {
			err = out.end(sink)
		}
		if err == nil {
			return nil
		}
		if out.sent {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		if rows.KindOf(err) == rows.Timeout && s.offersBatch(spec) {
			e := toHTTP(err)
			e.BatchURL = s.twinURL(a)
			return e
		}
		return err
	}
}

func statement(st endpoint.Statement) rows.Statement {
	args := make([]rows.Arg, len(st.Args))
	for i, a := range st.Args {
		args[i] = rows.Arg(a)
	}
	return rows.Statement{SQL: st.SQL, Args: args}
}

// readFormat chooses by _format, then by Accept.
func readFormat(r *http.Request, request *endpoint.Request) (string, error) {
	offered := request.Endpoint.Spec.Formats
	best, bestQ := "", 0.0
	var words []string
	for _, f := range readFormats {
		if len(offered) > 0 && !slices.Contains(offered, f.word) {
			continue
		}
		words = append(words, f.word)
		if f.word == request.Control.Format {
			return f.word, nil
		}
		if q := quality(r, f.mediaType); q > bestQ {
			best, bestQ = f.word, q
		}
	}
	switch {
	case request.Control.Format == "" && best != "":
		return best, nil
	case request.Control.Format == "" && wantsHTML(r) && len(words) > 0:
		return words[0], nil // a browser shows JSON well enough
	}
	return "", &httpError{Status: http.StatusNotAcceptable, Detail: "this endpoint answers in " + strings.Join(words, " and ")}
}

// meta is what JSON answers tell about themselves.
type meta struct {
	ID        string   `json:"@id"`
	Limit     int64    `json:"limit"`
	Offset    int64    `json:"offset"`
	Capped    bool     `json:"capped,omitempty"`
	HasFormat []string `json:"hasFormat"`
	Batch     string   `json:"batch,omitempty"`
}

func (s *Server) meta(a ask) meta {
	m := meta{ID: a.plainURL(), Limit: a.Limit(), Offset: a.Offset(), Capped: a.Capped}
	for _, f := range readFormats {
		if offered := a.Endpoint.Spec.Formats; len(offered) > 0 && !slices.Contains(offered, f.word) {
			continue
		}
		values := a.Values()
		values.Set("_format", f.word)
		m.HasFormat = append(m.HasFormat, a.base+a.Path()+query(values))
	}
	if s.offersBatch(a.Endpoint.Spec) {
		m.Batch = s.twinURL(a)
	}
	return m
}

// answerBuffer is how much of an answer is held back. An answer that fits gets
// a length, a strong ETag and, if its query fails late, a proper error; a
// longer one streams.
const answerBuffer = 256 << 10

// answer streams a body through one bounded buffer.
type answer struct {
	w      http.ResponseWriter
	r      *http.Request
	buffer []byte
	long   bool // it did not fit into the buffer
	sent   bool // some of it has gone out, so an error cannot be an answer any more
}

// flush sends the buffer when it is full enough.
func (a *answer) flush() error {
	if len(a.buffer) < answerBuffer {
		return nil
	}
	a.long = true
	if a.r.Method != http.MethodHead {
		a.sent = true
		if _, err := a.w.Write(a.buffer); err != nil {
			return err
		}
	}
	a.buffer = a.buffer[:0]
	return nil
}

// end writes what is left, after the sink's own last words.
func (a *answer) end(sink rows.Sink) error {
	if closer, ok := sink.(interface{ end() }); ok {
		closer.end()
	}
	if a.long {
		if a.r.Method == http.MethodHead {
			return nil
		}
		_, err := a.w.Write(a.buffer)
		return ignoreWrite(err)
	}
	a.sent = true
	sum := sha256.Sum256(a.buffer)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	a.w.Header().Set("ETag", tag)
	if etagMatches(a.r, tag) {
		a.w.Header().Del("Content-Type")
		a.w.WriteHeader(http.StatusNotModified)
		return nil
	}
	a.w.Header().Set("Content-Length", strconv.Itoa(len(a.buffer)))
	if a.r.Method == http.MethodHead {
		return nil
	}
	_, err := a.w.Write(a.buffer)
	return ignoreWrite(err)
}

// etagMatches looks for the tag in If-None-Match; weak ones match as well.
func etagMatches(r *http.Request, tag string) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		part = strings.TrimSpace(part)
		if part == "*" || strings.TrimPrefix(part, "W/") == strings.TrimPrefix(tag, "W/") {
			return true
		}
	}
	return false
}

type csvSink struct {
	out *answer
	csv *rows.CSV
}

func (s *csvSink) Columns(columns []rows.Column) error {
	s.csv = rows.NewCSV(columns, rows.CSVOptions{})
	s.out.buffer = s.csv.AppendHeader(s.out.buffer, columns)
	return nil
}

func (s *csvSink) Row(values [][]byte) error {
	s.out.buffer = s.csv.AppendRow(s.out.buffer, values)
	return s.out.flush()
}

// jsonSink writes {"meta": …, "items": […]}.
type jsonSink struct {
	out   *answer
	meta  meta
	json  *rows.JSON
	begun bool
}

func (s *jsonSink) Columns(columns []rows.Column) error {
	var head bytes.Buffer
	encoder := json.NewEncoder(&head)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s.meta); err != nil {
		return err
	}
	s.json = rows.NewJSON(columns)
	s.out.buffer = append(s.out.buffer, `{"meta":`...)
	s.out.buffer = append(s.out.buffer, bytes.TrimSpace(head.Bytes())...)
	s.out.buffer = append(s.out.buffer, `,"items":[`...)
	return nil
}

func (s *jsonSink) Row(values [][]byte) error {
	if s.begun {
		s.out.buffer = append(s.out.buffer, ',')
	}
	s.begun = true
	s.out.buffer = append(s.out.buffer, '\n')
	s.out.buffer = s.json.AppendRow(s.out.buffer, values)
	return s.out.flush()
}

func (s *jsonSink) end() { s.out.buffer = append(s.out.buffer, "\n]}\n"...) }
