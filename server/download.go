package server

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"slashbatch/cache"
)

// download serves a result's file: as it is stored, with Content-Encoding
// gzip, to clients that accept that, else inflated on the way. Each form has
// its own strong ETag, and ranges of either work.
// It is of an endpoint, or of SQL jobs; private says that it is for some only.
func (s *Server) download(w http.ResponseWriter, r *http.Request, e cache.Entry, name string, private bool) error {
	ctx := r.Context()
	// The file is known to be there before the first header goes out.
	object, err := s.Store.Stat(ctx, e.File.Object)
	if err != nil {
		return err
	}
	if object.Size != e.File.Stored {
		s.Log.Error("an object has another size than was published", "object", object.Name, "size", object.Size, "published", e.File.Stored)
		return cache.ErrNotFound
	}
	if err := s.Catalog.Touch(ctx, e.Key); err != nil {
		s.Log.Warn("an access was not noted", "error", err)
	}
	header := w.Header()
	header.Set("Content-Type", e.File.ContentType+"; charset=utf-8")
	header.Set("Content-Disposition", `attachment; filename="`+e.File.FileName+`"`)
	header.Add("Vary", "Accept-Encoding")
	// Whoever may read the request may read its file, and only they; and the
	// same URL gives other rows once these have expired.
	if private {
		header.Set("Cache-Control", "private, no-cache")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
	tag := e.File.SHA256[:32] + "-" + strconv.FormatInt(e.Result, 36)
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		r = r.Clone(ctx)
		r.Header.Del("Range") // each range costs a read of the store; the whole file is allowed as well
	}
	var content *seeker
	if acceptsGzip(r) {
		header.Set("Content-Encoding", "gzip")
		header.Set("ETag", `"`+tag+`-gz"`)
		if r.Header.Get("Range") == "" {
			header.Set("Content-Length", strconv.FormatInt(e.File.Stored, 10)) // ServeContent leaves it out with an encoding
		}
		content = &seeker{size: e.File.Stored, open: func(at int64) (io.ReadCloser, error) {
			body, _, err := s.Store.Open(ctx, e.File.Object, at, -1)
			return body, err
		}}
	} else {
		header.Set("ETag", `"`+tag+`"`)
		content = &seeker{size: e.File.Bytes, open: func(at int64) (io.ReadCloser, error) {
			return s.inflate(ctx, e, at)
		}}
	}
	defer content.Close()
	s.Log.Info("download", "key", e.Key, "endpoint", name, "rows", e.File.Rows, "range", r.Header.Get("Range") != "")
	http.ServeContent(&refusal{ResponseWriter: patient(w), r: r}, r, "", e.Generated, content)
	if content.failed != nil {
		// ServeContent keeps this to itself, and an answer without a length would
		// end as if it were whole.
		s.Log.Error("a download broke off", "key", e.Key, "object", e.File.Object, "error", content.failed)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// maxRanges is how many ranges of a file one request may ask for.
const maxRanges = 8

// refusal answers a range that is not in the file, and a precondition that does
// not hold, as every other error is answered; http.ServeContent would send
// plain text, or nothing, with the file's headers.
type refusal struct {
	http.ResponseWriter
	r    *http.Request
	sent bool
}

var refusals = map[int]string{
	http.StatusRequestedRangeNotSatisfiable: "the range is not in the file; see Content-Range for its size",
	http.StatusPreconditionFailed:           "the file is another one than the request's precondition names",
}

func (w *refusal) WriteHeader(code int) {
	detail, refused := refusals[code]
	if !refused {
		w.ResponseWriter.WriteHeader(code)
		return
	}
	w.sent = true
	e := &httpError{Status: code, Detail: detail}
	e.write(w.ResponseWriter, w.r)
}

func (w *refusal) Write(b []byte) (int, error) {
	if w.sent {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// isGone reports that a file was not in the store.
func isGone(err error) bool { return errors.Is(err, cache.ErrNotFound) }

// acceptsGzip reads Accept-Encoding; a client that sends none gets plain text.
func acceptsGzip(r *http.Request) bool {
	accepts := false
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Accept-Encoding"), ","), ",") {
		name, parameters, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "gzip", "x-gzip":
			return qValue(parameters) > 0
		case "*":
			accepts = qValue(parameters) > 0
		}
	}
	return accepts
}

// seeker is a file of known size that is opened where reading begins.
// http.ServeContent asks for the size by seeking to the end, then seeks to the
// start of each range.
type seeker struct {
	size int64
	open func(at int64) (io.ReadCloser, error)

	at     int64
	body   io.ReadCloser
	failed error // the first error of the store
}

// Seek implements io.Seeker.
func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += s.at
	case io.SeekEnd:
		offset += s.size
	}
	if offset < 0 {
		return 0, fmt.Errorf("seek to %d", offset)
	}
	if offset != s.at {
		s.at = offset
		return offset, s.Close()
	}
	return offset, nil
}

// Read implements io.Reader. A file that ends early is an error, never an end.
func (s *seeker) Read(p []byte) (int, error) {
	if s.at >= s.size {
		return 0, io.EOF
	}
	if s.body == nil {
		body, err := s.open(s.at)
		if err != nil {
			s.failed = err
			return 0, err
		}
		s.body = body
	}
	n, err := s.body.Read(p)
	s.at += int64(n)
	if errors.Is(err, io.EOF) && s.at < s.size {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && !errors.Is(err, io.EOF) {
		s.failed = err
	}
	return n, err
}

// Close implements io.Closer.
func (s *seeker) Close() error {
	if s.body == nil {
		return nil
	}
	body := s.body
	s.body = nil
	return body.Close()
}
