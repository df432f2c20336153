package server

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"slashbatch/server/carto"
)

// sqlBody is the body of a request about SQL jobs, as it came.
type sqlBody struct {
	// mediaType is one of those below; any other counts as an empty body.
	mediaType, boundary string
	text                []byte
}

const (
	typeJSON      = "application/json"
	typeForm      = "application/x-www-form-urlencoded"
	typeMultipart = "multipart/form-data"
)

// readSQLBody reads a body and makes nothing of it.
func (s *Server) readSQLBody(w http.ResponseWriter, r *http.Request) (b sqlBody, err error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(s.bodyTimeout)) // a test's writer has none
	mediaType, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	b = sqlBody{mediaType: mediaType, boundary: parameters["boundary"]}
	body := http.MaxBytesReader(w, r.Body, s.MaxBodyBytes)
	switch mediaType {
	case typeJSON, typeForm, typeMultipart:
		b.text, err = io.ReadAll(body)
	default:
		_, err = io.Copy(io.Discard, body)
	}
	if err != nil {
		return sqlBody{}, unreadBody(w, err)
	}
	_ = connection.SetReadDeadline(time.Time{})
	if mediaType == typeJSON {
		b.text = bytes.TrimPrefix(b.text, []byte("\ufeff")) // a byte order mark
	}
	return b, nil
}

// keys are the keys in the body, found without decoding the rest of it.
func (b sqlBody) keys() (keys url.Values, err error) {
	switch {
	case len(b.text) == 0:
	case b.mediaType == typeJSON:
		if keys, err = carto.KeysInJSON(b.text); err != nil {
			err = noObject(err)
		}
	case b.mediaType == typeForm:
		keys = carto.KeysInForm(string(b.text))
	case b.mediaType == typeMultipart:
		keys, err = b.parts(func(name string) bool { return slices.Contains(carto.KeyFields, name) })
	}
	return keys, err
}

func noObject(err error) error {
	return &sqlError{http.StatusBadRequest, "the body is not a JSON object: " + err.Error()}
}

// definition is what defines a job, from the query string and the body, which wins. An
// error that is about the definition comes with the fields as far as they are known.
func (q sqlRequest) definition() (map[string]any, error) {
	fields, invalid := carto.DecodeForm(q.query)
	own, err := q.body.fields()
	maps.Copy(fields, own)
	return fields, errors.Join(invalid, err)
}

// fields decodes the body.
func (b sqlBody) fields() (map[string]any, error) {
	var form url.Values
	var err error
	switch {
	case len(b.text) == 0:
	case b.mediaType == typeJSON:
		fields, err := carto.DecodeJSON(b.text)
		if err != nil {
			return nil, noObject(err)
		}
		return fields, nil
	case b.mediaType == typeForm:
		if form, err = carto.ParseForm(string(b.text)); err != nil {
			return nil, &sqlError{http.StatusBadRequest, "the form is not well encoded"}
		}
	case b.mediaType == typeMultipart:
		if form, err = b.parts(func(string) bool { return true }); err != nil {
			return nil, err
		}
	}
	return carto.DecodeForm(form)
}

// mostParts bounds the fields of a multipart form, as net/url does for others: each costs
// more to read than to send.
const mostParts = 10_000

// parts reads fields of a multipart form; files are not among them.
func (b sqlBody) parts(wanted func(name string) bool) (url.Values, error) {
	form := url.Values{}
	parts := multipart.NewReader(bytes.NewReader(b.text), b.boundary)
	for range mostParts {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, errBrokenForm
		}
		if part.FileName() != "" || !wanted(part.FormName()) {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, errBrokenForm
		}
		form.Add(part.FormName(), string(value))
	}
	return nil, &sqlError{http.StatusBadRequest, "the form has more than " + strconv.Itoa(mostParts) + " fields"}
}

var errBrokenForm = &sqlError{http.StatusBadRequest, "the body broke off or is not well encoded"}
