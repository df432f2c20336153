package s3store

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io"
	mathrand "math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/cache"
)

// TestCommitFaults tells stories of what can go wrong while an object is
// written: what fails, what fails although it happened, and what works at the
// second attempt. An object whose Commit succeeds is there; of one whose Commit
// fails nothing is left, neither the object nor an upload.
func TestCommitFaults(t *testing.T) {
	first := func(op string, f fault) func(string, int) fault {
		return func(o string, nth int) fault {
			if o == op && nth == 1 {
				return f
			}
			return none
		}
	}
	always := func(op string, f fault) func(string, int) fault {
		return func(o string, _ int) fault {
			if o == op {
				return f
			}
			return none
		}
	}
	both := func(a, b func(string, int) fault) func(string, int) fault {
		return func(op string, nth int) fault { return max(a(op, nth), b(op, nth)) }
	}
	const small, large = 1000, 20*mib + 1
	tests := []struct {
		story string
		size  int
		fault func(op string, nth int) fault
		fails bool
	}{
		{"nothing", small, nil, false},
		{"nothing", large, nil, false},
		{"the first answer is 503", small, first("put", refuse), false},
		{"the connection breaks once", small, first("put", loseBefore), false},
		{"the answer is lost once, the object is there", small, first("put", lose), false},
		{"every answer is lost, the object is there", small, always("put", lose), false},
		{"every answer is 503", small, always("put", refuse), true},
		{"the connection breaks each time", small, always("put", loseBefore), true},
		{"the object is there, nobody says how large", small, always("head", refuse), false},
		{"the answer is lost and nobody can be asked", small, both(always("put", lose), always("head", refuse)), true},

		{"an upload begins at the second attempt", large, first("create", refuse), false},
		{"no upload can begin", large, always("create", refuse), true},
		{"a part is refused once", large, first("part", refuse), false},
		{"the answer to a part is lost", large, first("part", lose), false},
		{"a part breaks off", large, first("part", loseBefore), false},
		{"no part is taken", large, always("part", refuse), true},
		{"completing is refused once", large, first("complete", refuse), false},
		{"the answer to completing is lost once, the object is there", large, first("complete", lose), false},
		{"every answer to completing is lost, the object is there", large, always("complete", lose), false},
		{"completing is refused each time", large, always("complete", refuse), true},
		{"completed, nobody says how large", large, always("head", refuse), false},
	}
	for _, tt := range tests {
		t.Run(tt.story, func(t *testing.T) {
			t.Parallel() // They wait most of the time, for the next attempt.
			direct := open(t, testURL(t, rand.Text()), Options{})
			u := testURL(t, strings.TrimSuffix(direct.prefix, "/"))
			_, broken := newProxy(t, u, tt.fault)
			s := openOnly(t, broken, Options{UploadAttempts: 2})

			w, err := s.Create(t.Context(), "a", cache.ObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			var o cache.Object
			if _, err = w.Write(make([]byte, tt.size)); err == nil {
				o, err = w.Commit(t.Context())
			}
			if held := w.(*writer).held.Load(); held != 0 {
				t.Errorf("the writer holds %d bytes after its end", held)
			}
			there, statErr := direct.Stat(t.Context(), "a")
			switch {
			case tt.fails && !errors.Is(err, cache.ErrUnavailable):
				t.Errorf("Commit = %v, want ErrUnavailable", err)
			case tt.fails && strings.Contains(tt.story, "nobody can be asked"):
				// Nobody can tell, so the object may be there.
			case tt.fails && !errors.Is(statErr, cache.ErrNotFound):
				t.Errorf("after Commit = %v there is %+v, %v", err, there, statErr)
			case !tt.fails && err != nil:
				t.Errorf("Commit: %v", err)
			case !tt.fails && (statErr != nil || there.Size != int64(tt.size) || o.Size != int64(tt.size)):
				t.Errorf("Commit = %+v, Stat = %+v, %v, want %d bytes", o, there, statErr, tt.size)
			}
			if got := uploads(t, direct); len(got) > 0 {
				t.Errorf("there are still the uploads %q", got)
			}
		})
	}
}

// TestRequests: what an object costs.
func TestRequests(t *testing.T) {
	tests := []struct {
		about string
		size  int
		want  []string
	}{
		{"empty", 0, []string{"head", "put"}},
		{"small", 1000, []string{"head", "put"}},
		{"exactly one part", firstPart, []string{"head", "put"}},
		{"a byte more", firstPart + 1, []string{"complete", "create", "head", "part", "part"}},
		{"three parts", 3 * firstPart, []string{"complete", "create", "head", "part", "part", "part"}},
	}
	for _, tt := range tests {
		direct := open(t, testURL(t, rand.Text()), Options{})
		p, u := newProxy(t, testURL(t, strings.TrimSuffix(direct.prefix, "/")), nil)
		w := write(t, openOnly(t, u, Options{}), "a", tt.size)
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, p.seen()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.about, diff)
		}
	}
}

// TestWindow: however slowly the service takes the parts, a writer holds no
// more than its window.
func TestWindow(t *testing.T) {
	s := open(t, testURL(t, rand.Text()), Options{})
	var w *writer
	var most int64
	_, u := newProxy(t, testURL(t, strings.TrimSuffix(s.prefix, "/")), func(op string, _ int) fault {
		if op == "part" {
			// The proxy holds its lock here, so parts come in one after the other.
			time.Sleep(20 * time.Millisecond)
			most = max(most, w.held.Load())
		}
		return none
	})
	created, err := openOnly(t, u, Options{}).Create(t.Context(), "a", cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	w = created.(*writer)
	for range 100 {
		if _, err := w.Write(make([]byte, mib)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if most > window(1) || most < firstPart {
		t.Errorf("the writer held up to %d bytes, want at most %d", most, window(1))
	}
}

// TestGrowth: where the size of parts grows, nothing is lost or doubled; the
// writers begin late, as if they had written gigabytes already.
func TestGrowth(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 200 MiB")
	}
	s := open(t, testURL(t, rand.Text()), Options{})
	for _, first := range []int{999, 4_000} {
		created, err := s.Create(t.Context(), "a", cache.ObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		w := created.(*writer)
		w.number = first
		written, read := sha256.New(), sha256.New()
		bytes := io.LimitReader(mathrand.NewChaCha8([32]byte{1}), 100*mib+1)
		if _, err := io.Copy(w, io.TeeReader(bytes, written)); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		r, o, err := s.Open(t.Context(), "a", 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		_, err = io.Copy(read, r)
		r.Close()
		if err != nil || o.Size != 100*mib+1 || !slices.Equal(written.Sum(nil), read.Sum(nil)) {
			t.Errorf("from part %d on: %d bytes, %v, or they are not those written", first, o.Size, err)
		}
	}
}

// TestTooLarge: the byte after the last part is an error, and nothing stays.
func TestTooLarge(t *testing.T) {
	s := open(t, testURL(t, rand.Text()), Options{})
	w := write(t, s, "a", 0).(*writer)
	w.number = maxParts
	n, err := w.Write(make([]byte, partSize(maxParts)+1))
	if int64(n) != partSize(maxParts) || !errors.Is(err, errTooLarge) {
		t.Errorf("Write = %d, %v, want the last part and errTooLarge", n, err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, errTooLarge) {
		t.Errorf("Commit = %v, want errTooLarge", err)
	}
	if got := uploads(t, s); len(got) > 0 {
		t.Errorf("there are the uploads %q", got)
	}
}
