package filestore

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"slashbatch/cache"
)

// reader reads a range of one file. The file stays readable when its object is
// replaced or deleted meanwhile.
type reader struct {
	ctx  context.Context
	name string
	file *os.File
	left int64 // bytes announced and not yet read
}

// Read implements io.Reader. A file that was cut short meanwhile, by a hand or
// a broken disk, ends with io.ErrUnexpectedEOF.
func (r *reader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	if r.ctx.Err() != nil {
		return 0, r.ctx.Err()
	}
	if int64(len(p)) > r.left {
		p = p[:r.left]
	}
	n, err := r.file.Read(p)
	r.left -= int64(n)
	switch {
	case err == nil || r.left == 0:
		return n, nil
	case errors.Is(err, io.EOF):
		return n, fmt.Errorf("file store: read %s: %d bytes are missing: %w", r.name, r.left, io.ErrUnexpectedEOF)
	default:
		return n, fmt.Errorf("file store: read %s: %w: %w", r.name, cache.ErrUnavailable, err)
	}
}

// Close implements io.Closer.
func (r *reader) Close() error { return r.file.Close() }
