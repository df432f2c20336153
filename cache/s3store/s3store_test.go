package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"slashbatch/cache"
	"slashbatch/cache/storetest"
	"slashbatch/internal/testenv"
)

func TestStore(t *testing.T) {
	storetest.Run(t, "s3", func(t *testing.T) cache.Store { return open(t, testURL(t, rand.Text()+"/sub"), Options{}) })
}

// TestStoreWithoutPrefix gives every topic a bucket of its own.
func TestStoreWithoutPrefix(t *testing.T) {
	storetest.Run(t, "s3", func(t *testing.T) cache.Store {
		u := testURL(t, "")
		u.Host += "-" + strings.ToLower(rand.Text())
		s := open(t, u, Options{})
		t.Cleanup(func() {
			if _, err := s.client.DeleteBucket(cleanup(t), &s3.DeleteBucketInput{Bucket: &s.bucket}); err != nil {
				t.Errorf("the bucket cannot be deleted: %v", err)
			}
		})
		t.Cleanup(func() { empty(t, s) })
		return s
	})
}

// testURL returns the URL of the bucket for tests with a prefix.
func testURL(t *testing.T, prefix string) *url.URL {
	t.Helper()
	u, err := url.Parse(testenv.S3(t))
	if err != nil {
		t.Fatal("the URL of the S3 service for tests cannot be parsed")
	}
	u.Path = "/" + prefix
	return u
}

// through returns the URL with another endpoint.
func through(u *url.URL, endpoint string) *url.URL {
	changed, q := *u, u.Query()
	q.Set("endpoint", endpoint)
	changed.RawQuery = q.Encode()
	return &changed
}

// open opens a store and makes sure of its bucket. What the test leaves is
// deleted at its end.
func open(t *testing.T, u *url.URL, o Options) *Store {
	t.Helper()
	s := openOnly(t, u, o)
	if _, err := s.client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: &s.bucket}); err != nil {
		var missing *types.NotFound
		if !errors.As(err, &missing) {
			t.Fatalf("looking for the bucket: %v", err)
		}
		if _, err := s.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &s.bucket}); err != nil {
			t.Fatalf("creating the bucket: %v", err)
		}
	}
	if s.prefix != "" {
		t.Cleanup(func() { empty(t, s) })
	}
	return s
}

func openOnly(t *testing.T, u *url.URL, o Options) *Store {
	t.Helper()
	s, err := OpenURL(t.Context(), u, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func empty(t *testing.T, s *Store) {
	for o, err := range s.List(cleanup(t), "") {
		if err == nil {
			err = s.Delete(cleanup(t), o.Name)
		}
		if err != nil {
			t.Errorf("cleaning up: %v", err)
			return
		}
	}
}

// uploads lists the keys of unfinished multipart uploads of a store.
func uploads(t *testing.T, s *Store) []string {
	t.Helper()
	out, err := s.client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: optional(s.prefix)})
	if err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for _, u := range out.Uploads {
		keys = append(keys, strings.TrimPrefix(aws.ToString(u.Key), s.prefix))
	}
	return keys
}

// write creates an object of n bytes, without ending its writer.
func write(t *testing.T, s *Store, name string, n int) cache.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), name, cache.ObjectOptions{ContentType: "text/csv"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Abort() })
	if _, err := w.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestAbortLeavesNoUpload: the parts that are on their way are stopped, and the
// service forgets the upload.
func TestAbortLeavesNoUpload(t *testing.T) {
	s := open(t, testURL(t, rand.Text()), Options{})
	w := write(t, s, "a", 20*mib)
	if got := uploads(t, s); len(got) != 1 {
		t.Fatalf("while writing there are the uploads %q, want that of a", got)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if got := uploads(t, s); len(got) > 0 {
		t.Errorf("after Abort there are the uploads %q", got)
	}
	if held := w.(*writer).held.Load(); held != 0 {
		t.Errorf("after Abort the writer holds %d bytes", held)
	}
}

// TestAbortStale: uploads of the dead go, young ones stay, and so do those
// below another prefix.
func TestAbortStale(t *testing.T) {
	s, other := open(t, testURL(t, rand.Text()), Options{UploadAttempts: 2}), open(t, testURL(t, rand.Text()), Options{})
	w := write(t, s, "dir/a", 10*mib)
	write(t, other, "b", 10*mib)
	w.(*writer).sending.Wait() // A part on its way may outlive the end of its upload.

	if n, err := s.AbortStale(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("AbortStale of what is older than an hour = %d, %v, want none", n, err)
	}
	if n, err := s.AbortStale(t.Context(), -time.Hour); n != 1 || err != nil {
		t.Errorf("AbortStale of everything = %d, %v, want 1", n, err)
	}
	if got := append(uploads(t, s), uploads(t, other)...); len(got) != 1 || got[0] != "b" {
		t.Errorf("left are the uploads %q, want b", got)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Commit of what was swept away = %v, want ErrUnavailable", err)
	}
	if _, err := s.Stat(t.Context(), "dir/a"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("Stat = %v, want ErrNotFound", err)
	}
}

// TestNoBucket: that the bucket is missing is a fault; it must not look as if
// every object were gone.
func TestNoBucket(t *testing.T) {
	u := testURL(t, "prefix")
	u.Host = "no-such-bucket-" + strings.ToLower(rand.Text())
	s := openOnly(t, u, Options{})
	_, statErr := s.Stat(t.Context(), "a")
	_, _, openErr := s.Open(t.Context(), "a", 0, -1)
	_, _, emptyErr := s.Open(t.Context(), "a", 0, 0)
	var listErr error
	for _, err := range s.List(t.Context(), "") {
		listErr = err
	}
	_, commitErr := write(t, s, "a", 1).Commit(t.Context())
	for what, err := range map[string]error{
		"Stat": statErr, "Open": openErr, "Open of nothing": emptyErr, "List": listErr, "Commit": commitErr,
		"Ping": s.Ping(t.Context()),
	} {
		if !errors.Is(err, cache.ErrUnavailable) || errors.Is(err, cache.ErrNotFound) {
			t.Errorf("%s without the bucket = %v, want ErrUnavailable", what, err)
		} else if !strings.Contains(err.Error(), u.Host) {
			t.Errorf("%s: the error does not name the bucket: %v", what, err)
		}
	}
}

// cleanup returns a context for what follows the test, whose own has ended.
func cleanup(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }
