package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"slashbatch/cache"
)

// TestShortBody: an answer that ends early is an error, never a short object.
func TestShortBody(t *testing.T) {
	direct := open(t, testURL(t, rand.Text()), Options{})
	if _, err := write(t, direct, "a", mib).Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	for about, f := range map[string]fault{"ends": halve, "stalls": stall} {
		_, u := newProxy(t, testURL(t, strings.TrimSuffix(direct.prefix, "/")), func(op string, _ int) fault {
			if op == "get" {
				return f
			}
			return none
		})
		s := openOnly(t, u, Options{StallTimeout: 200 * time.Millisecond})
		for _, from := range []int64{0, 10} {
			r, _, err := s.Open(t.Context(), "a", from, -1)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r)
			r.Close()
			if n >= mib-from || !errors.Is(err, cache.ErrUnavailable) {
				t.Errorf("a body that %s: read %d bytes, %v, want fewer and ErrUnavailable", about, n, err)
			}
			if f == halve && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("a body that %s: %v, want io.ErrUnexpectedEOF", about, err)
			}
			if f == stall && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("a body that %s: %v, want a time-out", about, err)
			}
		}
	}
}

// TestUnreachable: a service that refuses connections, or takes them and says
// nothing, is ErrUnavailable before long, and the error shows what was asked of
// whom and no secret.
func TestUnreachable(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() }) // After the parallel tests below.
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()

	for about, l := range map[string]net.Listener{"silent": silent, "closed": closed} {
		t.Run(about, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse("s3://some-bucket/some/prefix?path_style=true&endpoint=http://" + l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			s := openOnly(t, u, Options{StallTimeout: 100 * time.Millisecond, UploadAttempts: 2})
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			w := write(t, s, "a/b", 10)
			var all sync.WaitGroup
			for what, ask := range map[string]func() error{
				"Stat":   func() error { _, err := s.Stat(ctx, "a/b"); return err },
				"Open":   func() error { _, _, err := s.Open(ctx, "a/b", 0, -1); return err },
				"Commit": func() error { _, err := w.Commit(ctx); return err },
				"Delete": func() error { return s.Delete(ctx, "a/b") },
				"Ping":   func() error { return s.Ping(ctx) },
			} {
				all.Go(func() {
					err := ask()
					if !errors.Is(err, cache.ErrUnavailable) {
						t.Errorf("%s = %v, want ErrUnavailable", what, err)
						return
					}
					text := err.Error()
					if what != "Ping" && !strings.Contains(text, "s3://some-bucket/some/prefix/a/b") {
						t.Errorf("%s: the error does not name the object: %v", what, err)
					}
					for _, secret := range []string{"AKIDEXAMPLE", "hunter2", "Signature"} {
						if strings.Contains(text, secret) {
							t.Errorf("%s: the error shows %s: %v", what, secret, err)
						}
					}
				})
			}
			all.Wait()
		})
	}
}

// TestStallConn: while bytes are written, however slowly, a read that waits for
// the answer stays alive; when nothing moves it fails, and only then.
func TestStallConn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		go io.Copy(io.Discard, far)
		conn := &stallConn{Conn: near, timeout: time.Minute}

		start := time.Now()
		failed := make(chan time.Duration, 1)
		go func() {
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("Read = %v, want a time-out", err)
			}
			failed <- time.Since(start)
		}()
		for range 10 {
			time.Sleep(50 * time.Second)
			if _, err := conn.Write([]byte("x")); err != nil {
				t.Errorf("Write after %v: %v", time.Since(start), err)
			}
		}
		if got, want := <-failed, 560*time.Second; got != want {
			t.Errorf("the read failed after %v, want %v, a minute after the last write", got, want)
		}
	})
}
