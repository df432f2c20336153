package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"slashbatch/cache"
)

// Open implements cache.Store: one GetObject, and a HeadObject besides when the
// range holds no byte.
func (s *Store) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, cache.Object, error) {
	if !cache.ValidName(name) {
		return nil, cache.Object{}, cache.ErrName
	}
	if offset < 0 {
		return nil, cache.Object{}, fmt.Errorf("s3 store: open %s: negative offset %d", name, offset)
	}
	if length == 0 {
		return s.openNothing(ctx, name)
	}
	whole := offset == 0 && length < 0
	in := &s3.GetObjectInput{Bucket: &s.bucket, Key: aws.String(s.key(name))}
	if !whole {
		in.Range = aws.String(rangeHeader(offset, length))
	}
	out, err := s.client.GetObject(ctx, in)
	if is(err, codeInvalidRange) {
		return s.openNothing(ctx, name)
	}
	if err != nil {
		return nil, cache.Object{}, s.failure(ctx, "open", name, err)
	}

	size, left, err := announced(out, offset, length)
	if err != nil {
		out.Body.Close()
		return nil, cache.Object{}, s.failure(ctx, "open", name, err)
	}
	o := cache.Object{Name: name, Size: size, Modified: aws.ToTime(out.LastModified)}
	return &reader{ctx: ctx, store: s, name: name, body: out.Body, left: left}, o, nil
}

// openNothing answers a range without a byte, of an object that may not exist.
func (s *Store) openNothing(ctx context.Context, name string) (io.ReadCloser, cache.Object, error) {
	o, err := s.stat(ctx, "open", name)
	if err != nil {
		return nil, cache.Object{}, err
	}
	return io.NopCloser(strings.NewReader("")), o, nil
}

func rangeHeader(offset, length int64) string {
	if length < 0 || length > math.MaxInt64-offset {
		return fmt.Sprintf("bytes=%d-", offset)
	}
	return fmt.Sprintf("bytes=%d-%d", offset, offset+length-1)
}

// announced returns the size of the object and how many bytes will follow. A
// service that answers another range than the one asked for is an error: its
// bytes would be taken for others.
func announced(out *s3.GetObjectOutput, offset, length int64) (size, left int64, err error) {
	if out.ContentLength == nil {
		return 0, 0, errors.New("the service does not say how much follows")
	}
	left = *out.ContentLength
	first := int64(0)
	size = left
	if out.ContentRange != nil {
		if first, size, err = parseContentRange(*out.ContentRange); err != nil {
			return 0, 0, err
		}
	}
	want := max(size-offset, 0)
	if length >= 0 {
		want = min(want, length)
	}
	if first != offset || left != want {
		return 0, 0, fmt.Errorf("asked for %d bytes from %d of %d, the service sends %d from %d", want, offset, size, left, first)
	}
	return size, left, nil
}

// parseContentRange reads "bytes 0-9/10".
func parseContentRange(text string) (first, size int64, err error) {
	span, total, ok := strings.Cut(strings.TrimPrefix(text, "bytes "), "/")
	if from, _, dash := strings.Cut(span, "-"); ok && dash {
		if first, err = strconv.ParseInt(from, 10, 64); err == nil {
			if size, err = strconv.ParseInt(total, 10, 64); err == nil {
				return first, size, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("the service answers the range %q", text)
}

// reader reads one answer of the service.
type reader struct {
	ctx   context.Context
	store *Store
	name  string
	body  io.ReadCloser
	left  int64 // bytes announced and not yet read
}

// Read implements io.Reader. A body shorter than announced ends with
// io.ErrUnexpectedEOF, one that does not match its checksum with an error.
func (r *reader) Read(p []byte) (int, error) {
	n, err := r.body.Read(p)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) && r.left == 0 {
		return n, io.EOF
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		err = r.store.failure(r.ctx, "read", r.name, fmt.Errorf("with %d bytes missing: %w", r.left, err))
	}
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.body.Close() // What was not read is not wanted, so its error is not either.
	return nil
}
