package server

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"

	"slashbatch/internal/rows"
)

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

// ender is a sink that has last words, once all rows are written.
type ender interface{ end() error }

// end writes what is left, after the sink's own last words.
func (a *answer) end(sink rows.Sink) error {
	if ender, ok := sink.(ender); ok {
		if err := ender.end(); err != nil {
			return err
		}
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
