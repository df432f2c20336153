package blackbox

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func inflated(t *testing.T, body string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

var zipped = header("Accept-Encoding", "gzip")

func TestDownload(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/big")
	plain, packed := s.get("/big/batch"), s.get("/big/batch", zipped)
	if got := strings.Count(plain.body, "\r\n"); got != 150_001 {
		t.Fatalf("%d lines, want 150001", got)
	}
	d := s.status("/big/batch/status")

	t.Run("headers", func(t *testing.T) {
		for _, a := range []answer{plain, packed} {
			a.wantHeader(t, "Content-Disposition", `attachment; filename="big.csv"`)
			a.wantHeader(t, "Accept-Ranges", "bytes").wantHeader(t, "Vary", "Accept-Encoding")
			if at, err := http.ParseTime(a.header.Get("Last-Modified")); err != nil || !at.Equal(d.Generated.Truncate(time.Second)) {
				t.Errorf("Last-Modified %q, want when the rows were read, %v", a.header.Get("Last-Modified"), d.Generated)
			}
			if tag := a.header.Get("ETag"); !strings.HasPrefix(tag, `"`) {
				t.Errorf("ETag %q is not a strong one", tag)
			}
			if a.length != int64(len(a.body)) {
				t.Errorf("Content-Length %d for %d bytes", a.length, len(a.body))
			}
		}
		if plain.header.Get("ETag") == packed.header.Get("ETag") {
			t.Error("both encodings have one ETag")
		}
		if packed.header.Get("Content-Encoding") != "gzip" || plain.header.Get("Content-Encoding") != "" {
			t.Error("Content-Encoding does not say what was sent")
		}
	})
	t.Run("the status describes the file", func(t *testing.T) {
		sum := sha256.Sum256([]byte(plain.body))
		if d.SHA256 != hex.EncodeToString(sum[:]) || *d.Rows != 150_000 || *d.Bytes != int64(len(plain.body)) {
			t.Errorf("sha256 %s, %d rows, %d bytes", d.SHA256, *d.Rows, *d.Bytes)
		}
		if inflated(t, packed.body) != plain.body {
			t.Error("the gzip form holds other bytes")
		}
	})
	for name, form := range map[string]struct {
		whole answer
		with  []func(*http.Request)
	}{"plain": {plain, nil}, "gzip": {packed, []func(*http.Request){zipped}}} {
		t.Run("HEAD "+name, func(t *testing.T) {
			a := s.do(http.MethodHead, "/big/batch", form.with...).wantCode(t, http.StatusOK)
			if a.body != "" || a.length != form.whole.length || a.header.Get("ETag") != form.whole.header.Get("ETag") {
				t.Errorf("body %q, length %d, headers %v", a.body, a.length, a.header)
			}
		})
		t.Run("If-None-Match "+name, func(t *testing.T) {
			tag := form.whole.header.Get("ETag")
			for _, list := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
				a := s.get("/big/batch", append(form.with, header("If-None-Match", list))...).wantCode(t, http.StatusNotModified)
				if a.body != "" || a.header.Get("ETag") != tag {
					t.Errorf("body %q, ETag %q", a.body, a.header.Get("ETag"))
				}
			}
			s.get("/big/batch", append(form.with, header("If-None-Match", `"other"`))...).wantCode(t, http.StatusOK)
		})
		t.Run("Range "+name, func(t *testing.T) { ranges(t, s, form.whole, form.with) })
	}
}

// ranges asks for parts of a file, across its blocks too.
func ranges(t *testing.T, s *service, whole answer, with []func(*http.Request)) {
	n := len(whole.body)
	for spec, want := range map[string][2]int{
		"bytes=0-9":                   {0, 10},
		fmt.Sprintf("bytes=%d-", n-7): {n - 7, n},
		"bytes=-100":                  {n - 100, n},
		fmt.Sprintf("bytes=%d-%d", n/2, n/2+5000):    {n / 2, n/2 + 5001},
		fmt.Sprintf("bytes=%d-%d", n/3, n*2):         {n / 3, n},
		fmt.Sprintf("bytes=%d-%d", 1, n-2):           {1, n - 1},
		fmt.Sprintf("bytes=%d-%d", 4<<20-5, 4<<20+5): {min(4<<20-5, n), min(4<<20+6, n)},
	} {
		if want[0] == want[1] {
			continue // the gzip form is shorter than that
		}
		a := s.get("/big/batch", append(with, header("Range", spec))...).wantCode(t, http.StatusPartialContent)
		a.wantHeader(t, "Content-Range", fmt.Sprintf("bytes %d-%d/%d", want[0], want[1]-1, n))
		if a.body != whole.body[want[0]:want[1]] {
			t.Errorf("%s: other bytes than in the whole file", spec)
		}
	}
	beyond := s.get("/big/batch", append(with, header("Range", fmt.Sprintf("bytes=%d-", n)))...)
	beyond.wantCode(t, http.StatusRequestedRangeNotSatisfiable).wantHeader(t, "Content-Range", fmt.Sprintf("bytes */%d", n))
	if beyond.header.Get("Content-Encoding") != "" || beyond.header.Get("Content-Disposition") != "" {
		t.Errorf("an error with the headers of a file: %v", beyond.header)
	}
	// A part of another file than the client has the rest of is of no use to it.
	s.get("/big/batch", append(with, header("Range", "bytes=0-9"), header("If-Range", `"other"`))...).wantCode(t, http.StatusOK)
	s.get("/big/batch", append(with, header("Range", "bytes=0-9"), header("If-Range", whole.header.Get("ETag")))...).wantCode(t, http.StatusPartialContent)
}

func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/item")
	for accept, want := range map[string]string{
		"gzip": "gzip", "GZIP;q=0.5": "gzip", "deflate, gzip;q=1.0, *;q=0.5": "gzip", "*": "gzip", "br": "",
		"gzip;q=0": "", "identity": "", "*;q=0, gzip": "gzip", "gzip;q=0, *": "", "deflate": "",
	} {
		if got := s.get("/item/batch", header("Accept-Encoding", accept)).wantCode(t, http.StatusOK).header.Get("Content-Encoding"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

// The name comes from the request, in characters that no file system minds.
func TestFileName(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for request, want := range map[string]string{
		"/group/AB/item?_view=default&_sort=-id": "group_AB_item_sort=-id.csv",
		"/item?label=b/%22%3B%20x&label=a":       "item_label=a_label=b-x.csv",
	} {
		s.export(request).wantHeader(t, "Content-Disposition", `attachment; filename="`+want+`"`)
	}
	long := s.export("/item?label=" + strings.Repeat("long", 100)).header.Get("Content-Disposition")
	if len(long) > 160 {
		t.Errorf("a name of %d characters: %s", len(long), long)
	}
}

// An empty result is a file with its header line.
func TestEmptyResult(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	if got, want := s.export("/item?label=nobody").body, "id,label,mass\r\n"; got != want {
		t.Errorf("plain: %q, want %q", got, want)
	}
	packed := s.get("/item/batch?label=nobody", zipped)
	if got := inflated(t, packed.body); got != "id,label,mass\r\n" {
		t.Errorf("gzip: %q", got)
	}
	if d := s.status("/item/batch/status?label=nobody"); d.Rows == nil || *d.Rows != 0 {
		t.Errorf("rows %v, want 0", d.Rows)
	}
}

// The store may lose a file; the next request computes it again.
func TestLostFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	file := s.export("/item?_view=id&_sort=id")
	removeResults(t, s)
	s.do(http.MethodHead, "/item/batch?_view=id&_sort=id").wantCode(t, http.StatusNotFound)
	removeResults(t, s)
	s.get("/item/batch?_view=id&_sort=id").wantCode(t, http.StatusSeeOther)
	s.await("Completed", "/item/batch/status?_view=id&_sort=id")
	if again := s.get("/item/batch?_view=id&_sort=id").wantCode(t, http.StatusOK); again.body != file.body {
		t.Errorf("computed again: %q", again.body)
	}
	// A truncated file is as bad as none, and is never sent.
	truncateResults(t, s)
	s.get("/item/batch?_view=id&_sort=id").wantCode(t, http.StatusSeeOther)
	s.await("Completed", "/item/batch/status?_view=id&_sort=id")
	if again := s.get("/item/batch?_view=id&_sort=id").wantCode(t, http.StatusOK); again.body != file.body {
		t.Errorf("computed again: %q", again.body)
	}
}

// results are the files in the store.
func results(t *testing.T, s *service) []string {
	t.Helper()
	var files []string
	err := filepath.Walk(filepath.Join(s.folder, "results"), func(path string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return files
}

func removeResults(t *testing.T, s *service) {
	t.Helper()
	for _, file := range results(t, s) {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
}

func truncateResults(t *testing.T, s *service) {
	t.Helper()
	files := results(t, s)
	if len(files) == 0 {
		t.Fatal("there is no file to truncate")
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Clone(data[:len(data)/2]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
