package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/server/endpoint"
)

// breakingStore has one object of 1000 bytes and breaks off after 10 of them.
type breakingStore struct {
	cache.Store
	opened atomic.Int32
}

func (s *breakingStore) Stat(context.Context, string) (cache.Object, error) {
	return cache.Object{Size: 1000}, nil
}

func (s *breakingStore) Open(context.Context, string, int64, int64) (io.ReadCloser, cache.Object, error) {
	s.opened.Add(1)
	return io.NopCloser(io.MultiReader(strings.NewReader("0123456789"), failing{})), cache.Object{}, nil
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("the store broke") }

// quietCatalog takes no notice of reads.
type quietCatalog struct{ cache.Catalog }

func (quietCatalog) Touch(context.Context, cache.Entry, cache.Form) error { return nil }

func downloadServer(store cache.Store) *httptest.Server {
	s := &Server{Options: Options{Store: store, Catalog: quietCatalog{}, Log: slog.New(slog.DiscardHandler)}}
	spec := &endpoint.Spec{Name: "items", Access: endpoint.Access{Public: true}}
	entry := cache.Entry{Result: 1, Generated: time.Unix(0, 0), File: cache.File{
		Object: "o", Stored: 1000, Bytes: 5000, SHA256: strings.Repeat("ab", 32), ContentType: "text/csv", FileName: "x.csv", Gzipped: true,
	}}
	return httptest.NewServer(s.logged(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := s.download(w, r, served{entry: entry, file: entry.File, form: cache.FormCSV, of: spec.Name, private: cacheScope(w, spec)}); err != nil {
			s.answerError(w, r, err)
		}
	})))
}

func fetch(t *testing.T, server *httptest.Server, headers map[string]string) (*http.Response, string, error) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		return nil, "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response, string(body), err
}

// However a file is asked for, a store that breaks in the middle of it ends the
// answer in a way that no client takes for its end.
func TestDownloadBreaksOff(t *testing.T) {
	server := downloadServer(&breakingStore{})
	defer server.Close()
	for name, headers := range map[string]map[string]string{
		"whole":                           {"Accept-Encoding": "gzip"},
		"a range":                         {"Accept-Encoding": "gzip", "Range": "bytes=5-"},
		"a range of a file of other days": {"Accept-Encoding": "gzip", "Range": "bytes=5-", "If-Range": `"old"`},
		"the whole as two ranges":         {"Accept-Encoding": "gzip", "Range": "bytes=0-,0-"},
		"inflated":                        {"Accept-Encoding": "identity"},
	} {
		t.Run(name, func(t *testing.T) {
			if response, body, err := fetch(t, server, headers); err == nil {
				t.Errorf("%s with %d bytes, taken for whole", response.Status, len(body))
			}
		})
	}
}

// A request for very many ranges gets the whole file, for one read of the store.
func TestManyRanges(t *testing.T) {
	store := &breakingStore{}
	server := downloadServer(store)
	defer server.Close()
	many := "bytes=0-0" + strings.Repeat(",9-9", 1000)
	_, _, _ = fetch(t, server, map[string]string{"Accept-Encoding": "gzip", "Range": many})
	if n := store.opened.Load(); n != 1 {
		t.Errorf("the store was read %d times", n)
	}
}

// What cannot be served is told as every other error is, without the file's headers.
func TestDownloadRefused(t *testing.T) {
	server := downloadServer(&breakingStore{})
	defer server.Close()
	for name, tt := range map[string]struct {
		headers map[string]string
		code    int
	}{
		"a range behind the end":       {map[string]string{"Accept-Encoding": "gzip", "Range": "bytes=2000-"}, http.StatusRequestedRangeNotSatisfiable},
		"a file of other days, please": {map[string]string{"Accept-Encoding": "gzip", "If-Match": `"old"`}, http.StatusPreconditionFailed},
	} {
		t.Run(name, func(t *testing.T) {
			response, body, err := fetch(t, server, tt.headers)
			if err != nil {
				t.Fatal(err)
			}
			if response.StatusCode != tt.code || response.Header.Get("Content-Type") != "application/problem+json" || response.Header.Get("Content-Disposition") != "" || !strings.Contains(body, `"status":`) {
				t.Errorf("%s %v %s", response.Status, response.Header, body)
			}
		})
	}
}
