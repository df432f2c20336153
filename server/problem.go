package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"slashbatch/assets"
	"slashbatch/cache"
	"slashbatch/internal/problem"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// httpError is an answer that is an error, said in words for who asked.
type httpError struct {
	Status int
	// Detail says what is wrong and what would be right.
	Detail string
	// Problems are the parameters at fault, each with its reason.
	Problems problem.List
	// RetryAfter tells when trying again makes sense; 0 says nothing.
	RetryAfter time.Duration
	// StatusURL leads to the status of the export in question, BatchURL to the
	// twin that would do better.
	StatusURL, BatchURL string
	// Challenge is the WWW-Authenticate of an answer that asks for a secret.
	Challenge string
}

// The challenges: for a key, and for the token of a link.
const (
	keyChallenge   = `Basic realm="slashbatch", charset="UTF-8"`
	tokenChallenge = `Bearer realm="slashbatch link"`
)

func (e *httpError) Error() string { return e.Detail }

func notFound(detail string) error { return &httpError{Status: http.StatusNotFound, Detail: detail} }

func badRequest(detail string) error {
	return &httpError{Status: http.StatusBadRequest, Detail: detail}
}

func badParameters(problems problem.List) error {
	return &httpError{Status: http.StatusBadRequest, Detail: "the request was not understood, nothing was started", Problems: problems}
}

// unavailableRetry is how soon clients may try again when a backend is away.
const unavailableRetry = 5 * time.Second

// toHTTP is the one table between errors and answers.
func toHTTP(err error) *httpError {
	if e, ok := errors.AsType[*httpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*queue.FullError](err); ok {
		return &httpError{Status: http.StatusTooManyRequests, RetryAfter: 30 * time.Second, Detail: "too many exports of yours are waiting (" + strconv.Itoa(e.Queued) + " of " + strconv.Itoa(e.Cap) + "); nothing was queued"}
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &httpError{Status: http.StatusRequestEntityTooLarge, Detail: "the body is longer than " + strconv.FormatInt(e.Limit, 10) + " bytes"}
	}
	if e, ok := errors.AsType[*rows.FormError](err); ok {
		return &httpError{Status: http.StatusNotAcceptable, Detail: "these rows do not fit the format that was asked for: " + e.Reason}
	}
	if e, ok := errors.AsType[*assets.RefusedError](err); ok {
		return &httpError{Status: http.StatusBadRequest, Detail: e.Reason}
	}
	switch rows.KindOf(err) {
	case rows.Unavailable:
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the database cannot be reached; try again in a moment"}
	case rows.Timeout:
		return &httpError{Status: http.StatusGatewayTimeout, Detail: "the query took longer than an interactive request may; its batch twin may take longer"}
	case rows.BadValue:
		e, _ := errors.AsType[*rows.Error](err)
		return &httpError{Status: http.StatusBadRequest, Detail: "the database refused a value: " + e.Reason}
	case rows.BadQuery:
		return &httpError{Status: http.StatusInternalServerError, Detail: "the query of this endpoint failed"}
	}
	switch {
	case errors.Is(err, queue.ErrNotFound), errors.Is(err, cache.ErrNotFound):
		return &httpError{Status: http.StatusNotFound, Detail: "there is no such export"}
	case errors.Is(err, assets.ErrNotFound):
		return &httpError{Status: http.StatusNotFound, Detail: "there is no such resource of this customer"}
	case errors.Is(err, assets.ErrTaken):
		return &httpError{Status: http.StatusConflict, Detail: "this name is taken"}
	case errors.Is(err, assets.ErrOtherBody):
		return &httpError{Status: http.StatusUnprocessableEntity, Detail: "this Idempotency-Key was sent with another body before: a new request needs a new key"}
	case errors.Is(err, assets.ErrUnavailable):
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the database of assets cannot be reached; try again in a moment"}
	case errors.Is(err, queue.ErrUnavailable):
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the queue cannot be reached; try again in a moment"}
	case errors.Is(err, cache.ErrUnavailable):
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the store of results cannot be reached; try again in a moment"}
	}
	return &httpError{Status: http.StatusInternalServerError, Detail: "something went wrong here, and was written to the log"}
}

// answerError writes an error: problem+json, or a page for browsers.
func (s *Server) answerError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody is there to read it
	}
	e := toHTTP(err)
	s.logError(r, e, err)
	if wantsHTML(r) {
		e.prepare(w)
		s.page(w, e.Status, "error.html", e.view())
		return
	}
	e.write(w, r)
}

// logError writes errors to the log that are not the client's.
func (s *Server) logError(r *http.Request, e *httpError, err error) {
	switch e.Status {
	case http.StatusInternalServerError:
		s.Log.Error("request failed", "status", e.Status, "route", routeName(r), "error", err)
	case http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		s.Log.Warn("request failed", "status", e.Status, "route", routeName(r), "error", err)
	}
}

// prepare sets the headers of an error.
func (e *httpError) prepare(w http.ResponseWriter) {
	header := w.Header()
	// What the handler had prepared for a success does not hold.
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Disposition", "ETag", "Last-Modified", "Accept-Ranges"} {
		header.Del(name)
	}
	header.Set("Cache-Control", "no-store")
	if e.RetryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int(e.RetryAfter.Seconds())))
	}
	if e.Challenge != "" {
		header.Set("WWW-Authenticate", e.Challenge)
	}
}

// write answers with the error as problem+json.
func (e *httpError) write(w http.ResponseWriter, r *http.Request) {
	e.prepare(w)
	body, _ := json.Marshal(e.document(r)) // strings and numbers only
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(e.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(body)
	}
}

// problemDocument is RFC 9457's form with SAPI-NT's members beside it.
type problemDocument struct {
	Type      string       `json:"type"`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail"`
	Problems  problem.List `json:"problems,omitempty"`
	StatusURL string       `json:"statusUrl,omitempty"`
	BatchURL  string       `json:"batchUrl,omitempty"`

	Timestamp string `json:"timestamp"`
	Error     string `json:"error"`
	Message   string `json:"message"`
	Path      string `json:"path"`
}

func (e *httpError) document(r *http.Request) problemDocument {
	title := http.StatusText(e.Status)
	message := e.Detail
	for _, p := range e.Problems {
		message += "; " + p.String()
	}
	return problemDocument{
		Type: "about:blank", Title: title, Status: e.Status, Detail: e.Detail, Problems: e.Problems,
		StatusURL: e.StatusURL, BatchURL: e.BatchURL,
		Timestamp: time.Now().UTC().Format(time.RFC3339), Error: title, Message: message, Path: r.URL.Path,
	}
}

type errorView struct {
	Title, Detail, StatusURL, BatchURL string
	Status                             int
	Problems                           problem.List
}

func (e *httpError) view() errorView {
	return errorView{http.StatusText(e.Status), e.Detail, e.StatusURL, e.BatchURL, e.Status, e.Problems}
}

// wantsHTML reports whether the client prefers a page: a browser names
// text/html, everything else gets documents.
func wantsHTML(r *http.Request) bool {
	html, document := quality(r, "text/html"), max(quality(r, "application/json"), quality(r, "application/problem+json"))
	return explicit(r, "text/html") && html > 0 && html >= document
}

func explicit(r *http.Request, mediaType string) bool {
	return strings.Contains(strings.ToLower(strings.Join(r.Header.Values("Accept"), ",")), mediaType)
}

// quality is the q value that Accept gives a media type: that of its most
// specific range; 1 when there is no Accept header.
func quality(r *http.Request, mediaType string) float64 {
	accept := strings.Join(r.Header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return 1
	}
	best, q := -1, 0.0
	major, _, _ := strings.Cut(mediaType, "/")
	for part := range strings.SplitSeq(accept, ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		specific := -1
		switch strings.ToLower(strings.TrimSpace(name)) {
		case mediaType:
			specific = 2
		case major + "/*":
			specific = 1
		case "*/*":
			specific = 0
		}
		if specific > best {
			best, q = specific, qValue(parameters)
		}
	}
	return q
}

func qValue(parameters string) float64 {
	for p := range strings.SplitSeq(parameters, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(strings.ToLower(p)), "q="); ok {
			if q, err := strconv.ParseFloat(value, 64); err == nil {
				return q
			}
		}
	}
	return 1
}

func writeJSON(w http.ResponseWriter, r *http.Request, status int, document any) error {
	return writeJSONAs(w, r, status, "application/json", document)
}

// writeJSONAs renders to a buffer first, so that an error is still an error.
func writeJSONAs(w http.ResponseWriter, r *http.Request, status int, contentType string, document any) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	return writeBody(w, r, status, contentType, body.Bytes())
}

// writeBody answers with a document that is ready.
func writeBody(w http.ResponseWriter, r *http.Request, status int, contentType string, body []byte) error {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return ignoreWrite(err)
}

// ignoreWrite drops the error of a write to a client: it has gone away, and
// there is nobody to tell.
func ignoreWrite(error) error { return nil }
