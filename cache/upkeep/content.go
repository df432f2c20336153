package upkeep

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"slashbatch/cache"

	"github.com/klauspost/compress/gzip"
)

// DamagedError says that an object is not what the catalogue has of it.
type DamagedError struct{ Object, Reason string }

func (e *DamagedError) Error() string { return e.Object + " is damaged: " + e.Reason }

// checkObject reads an object of a store to its end. Nil: it is what the catalogue has
// of it; *DamagedError: it is not; cache.ErrNotFound: it is not there.
func checkObject(ctx context.Context, s cache.Store, f cache.Located) error {
	body, _, err := s.Open(ctx, f.Object, 0, -1)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }() // it was read only
	return checkContent(body, f)
}

// checkContent reads a file to its end and compares its size, and the length and the
// SHA-256 of its content. An error of the reader is returned as it is.
func checkContent(body io.Reader, f cache.Located) error {
	damaged := func(format string, args ...any) error {
		return &DamagedError{f.Object, fmt.Sprintf(format, args...)}
	}
	stored := &watched{Reader: body}
	var content io.Reader = stored
	if f.Gzipped {
		inflated, err := gzip.NewReader(stored)
		if stored.failed != nil {
			return stored.failed
		}
		if err != nil {
			return damaged("it is not a gzip file (%v)", err)
		}
		content = inflated
	}
	sum := sha256.New()
	// One byte more than is wanted: what a damaged file inflates to may have no end.
	n, err := io.Copy(sum, io.LimitReader(content, f.Bytes+1))
	switch {
	case stored.failed != nil:
		return stored.failed
	case err != nil:
		return damaged("it cannot be inflated (%v)", err)
	case n > f.Bytes:
		return damaged("its content is longer than %d bytes", f.Bytes)
	case n < f.Bytes:
		return damaged("its content has %d bytes, not %d", n, f.Bytes)
	case stored.n != f.Stored:
		return damaged("it has %d bytes, not %d", stored.n, f.Stored)
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != f.SHA256 {
		return damaged("its SHA-256 is %s, not %s", got, f.SHA256)
	}
	return nil
}

// watched counts what is read, and keeps the reader's own error apart from what others
// make of it.
type watched struct {
	io.Reader
	n      int64
	failed error
}

// Read implements io.Reader.
func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	w.n += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		w.failed = err
	}
	return n, err
}
