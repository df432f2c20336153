package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"slashbatch/cache"
)

// served is a file of a result that is about to be served.
type served struct {
	entry cache.Entry
	file  cache.File
	form  cache.Form
	// of is the endpoint's name, or the kind of job, for the log.
	of string
	// private: the file is for some only.
	private bool
	// packed: the gzip file itself was asked for, by name.
	packed bool
}

// download serves a file: as it is stored, with Content-Encoding gzip, to clients that
// accept that, else inflated on the way. Each form has its own strong ETag, and ranges
// of either work. ErrNotFound says that the file has gone since it was looked up.
func (s *Server) download(w http.ResponseWriter, r *http.Request, d served) error {
	ctx := r.Context()
	// From here on the file is safe from eviction for the grace.
	if err := s.Catalog.Touch(ctx, d.entry, d.form); errors.Is(err, cache.ErrNotFound) {
		return errEvicted
	} else if err != nil {
		s.Log.Warn("an access was not noted", "error", err)
	}
	// The file is known to be there before the first header goes out.
	object, err := s.Store.Stat(ctx, d.file.Object)
	if err != nil {
		return err
	}
	if object.Size != d.file.Stored {
		s.Log.Error("an object has another size than was published", "object", object.Name, "size", object.Size, "published", d.file.Stored)
		return cache.ErrNotFound
	}
	packed := d.packed && d.file.Gzipped
	encoded := d.file.Gzipped && !packed && acceptsGzip(r)
	d.describe(w.Header(), packed, encoded)
	if strings.Count(r.Header.Get("Range"), ",") >= maxRanges {
		r = r.Clone(ctx)
		r.Header.Del("Range") // each range costs a read of the store; the whole file is allowed as well
	}
	if whole := packed || encoded || !d.file.Gzipped; whole && s.redirects(r, w.Header()) {
		if err := s.redirect(w, r, d, encoded); !errors.Is(err, cache.ErrUnsupported) {
			return err
		}
	}
	content := &seeker{size: d.file.Bytes, open: func(at int64) (io.ReadCloser, error) { return s.inflate(ctx, d, at) }}
	if packed || encoded || !d.file.Gzipped {
		content = &seeker{size: d.file.Stored, open: func(at int64) (io.ReadCloser, error) {
			body, _, err := s.Store.Open(ctx, d.file.Object, at, -1)
			return body, err
		}}
	}
	if encoded && r.Header.Get("Range") == "" {
		w.Header().Set("Content-Length", strconv.FormatInt(d.file.Stored, 10)) // ServeContent leaves it out with an encoding
	}
	defer content.Close()
	s.Log.Info("download", "key", d.entry.Key, "endpoint", d.of, "format", d.form.Format, "rows", d.file.Rows, "range", r.Header.Get("Range") != "")
	http.ServeContent(&refusal{ResponseWriter: patient(w), r: r}, r, "", d.entry.Generated, content)
	if content.failed != nil {
		// ServeContent keeps this to itself, and an answer without a length would
		// end as if it were whole.
		s.Log.Error("a download broke off", "key", d.entry.Key, "object", d.file.Object, "error", content.failed)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// describe sets the headers that tell of the file.
func (d served) describe(header http.Header, packed, encoded bool) {
	contentType, name := d.file.ContentType, d.file.FileName
	if strings.HasPrefix(contentType, "text/") {
		contentType += "; charset=utf-8"
	}
	tag := d.file.SHA256[:32] + "-" + strconv.FormatInt(d.entry.Result, 36)
	if packed || encoded {
		// The same content may be stored once more, compressed into other bytes. Copies of
		// an object keep its name.
		sum := sha256.Sum256([]byte(d.file.Object))
		tag += "-" + hex.EncodeToString(sum[:6])
	}
	switch {
	case packed:
		contentType, name, tag = "application/gzip", name+".gz", tag+"-file"
	case encoded:
		header.Set("Content-Encoding", "gzip")
		tag += "-gz"
	}
	header.Set("Content-Type", contentType)
	header.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	header.Set("ETag", `"`+tag+`"`)
	if d.file.Gzipped && !packed {
		header.Add("Vary", "Accept-Encoding")
	}
	// Whoever may read the request may read its file, and only they; and the
	// same URL gives other rows once these have expired.
	if d.private {
		header.Set("Cache-Control", "private, no-cache")
	} else {
		header.Set("Cache-Control", "no-cache")
	}
}

// redirects reports whether a download is to be a redirect to the store: not where
// the client has the file already, and not where only the headers are wanted.
func (s *Server) redirects(r *http.Request, header http.Header) bool {
	return s.Redirect && r.Method == http.MethodGet && !etagMatches(r, header.Get("ETag"))
}

// redirect sends the client to the store with a signed URL, which was minted for this
// request, after the access was checked, and is in no log. ErrUnsupported where the
// store has no such thing.
func (s *Server) redirect(w http.ResponseWriter, r *http.Request, d served, encoded bool) error {
	header := w.Header()
	o := cache.SignOptions{TTL: s.LinkTTL, ContentType: header.Get("Content-Type"), ContentDisposition: header.Get("Content-Disposition")}
	if encoded {
		o.ContentEncoding = "gzip"
	}
	target, err := s.Store.SignURL(r.Context(), d.file.Object, o)
	if err != nil {
		return err
	}
	s.Log.Info("download", "key", d.entry.Key, "endpoint", d.of, "format", d.form.Format, "rows", d.file.Rows, "redirected", true)
	for _, ofFile := range []string{"Content-Type", "Content-Disposition", "Content-Encoding", "ETag"} {
		header.Del(ofFile)
	}
	header.Set("Cache-Control", "no-store")
	header.Set("Location", target)
	w.WriteHeader(http.StatusFound)
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

// errEvicted: the catalogue let the file go since it was looked up. Nothing is wrong in the
// store, so nothing is told to be missing there.
var errEvicted = fmt.Errorf("evicted: %w", cache.ErrNotFound)

// isGone reports that a file is not there to be served.
func isGone(err error) bool { return errors.Is(err, cache.ErrNotFound) }

// lost tells the service of a file that was not in the store.
func (s *Server) lost(ctx context.Context, err error, f cache.File) error {
	if errors.Is(err, errEvicted) {
		return nil
	}
	return s.Jobs.Lost(ctx, f)
}

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
