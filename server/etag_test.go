package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
)

type twoFiles struct {
	cache.Store
	bytes map[string]string
}

func (s *twoFiles) Stat(_ context.Context, name string) (cache.Object, error) {
	return cache.Object{Name: name, Size: int64(len(s.bytes[name]))}, nil
}

func (s *twoFiles) Open(_ context.Context, name string, at, _ int64) (io.ReadCloser, cache.Object, error) {
	return io.NopCloser(strings.NewReader(s.bytes[name][at:])), cache.Object{}, nil
}

// The csv of a result went missing, and the same rows were published again in another gzip
// file (another compression, another writer's version: I-03). A client that resumes its
// download of the gzip bytes with If-Range must not get a piece of the other file.
func TestETagOfGzipBytes(t *testing.T) {
	store := &twoFiles{bytes: map[string]string{"old": "OLDOLDOLDOLD", "new": "newnewnewnew"}}
	s := &Server{Options: Options{Store: store, Catalog: quietCatalog{}, Log: slog.New(slog.DiscardHandler)}}
	object := "old"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := cache.Entry{Result: 7, Generated: time.Unix(0, 0), File: cache.File{
			Object: object, Stored: 12, Bytes: 500, SHA256: strings.Repeat("ab", 32), ContentType: "text/csv", FileName: "x.csv", Gzipped: true,
		}}
		if err := s.download(w, r, served{entry: e, file: e.File, form: cache.FormCSV, of: "x", packed: r.URL.Path == "/packed"}); err != nil {
			s.answerError(w, r, err)
		}
	}))
	defer server.Close()
	for _, path := range []string{"/", "/packed"} {
		object = "old"
		get := func(h map[string]string) (*http.Response, string) {
			r, _ := http.NewRequest(http.MethodGet, server.URL+path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			for k, v := range h {
				r.Header.Set(k, v)
			}
			resp, err := server.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			b, _ := io.ReadAll(resp.Body)
			return resp, string(b)
		}
		first, body := get(nil)
		half := body[:6]
		object = "new"
		second, rest := get(map[string]string{"Range": "bytes=6-", "If-Range": first.Header.Get("ETag")})
		if second.StatusCode == http.StatusPartialContent {
			t.Errorf("%s: resumed with %s: %q + %q, a file that never was", path, first.Header.Get("ETag"), half, rest)
		}
	}
}
