package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"math/rand/v2"
	"testing"

	"slashbatch/cache"
)

// testRanges: a range is cut to what there is, and the object is described as
// a whole whatever the range.
func testRanges(t *testing.T, s cache.Store) {
	data := []byte("0123456789")
	put(t, s, "digits", data)
	put(t, s, "empty", nil)
	tests := []struct {
		name           string
		offset, length int64
		want           string
	}{
		{"digits", 0, -1, "0123456789"},
		{"digits", 0, 10, "0123456789"},
		{"digits", 0, 1, "0"},
		{"digits", 3, 4, "3456"},
		{"digits", 3, -1, "3456789"},
		{"digits", 9, 1, "9"},
		{"digits", 9, -1, "9"},
		{"digits", 5, 100, "56789"},
		{"digits", 0, 1 << 40, "0123456789"},
		{"digits", 0, 0, ""},
		{"digits", 4, 0, ""},
		{"digits", 10, -1, ""},
		{"digits", 10, 5, ""},
		{"digits", 1 << 40, -1, ""},
		{"digits", 1 << 40, 1 << 40, ""},
		{"digits", 1, 1<<63 - 1, "123456789"},
		{"empty", 0, -1, ""},
		{"empty", 0, 10, ""},
		{"empty", 5, -1, ""},
		{"empty", 0, 0, ""},
	}
	for _, tt := range tests {
		got, o, err := read(t.Context(), s, tt.name, tt.offset, tt.length)
		if err != nil {
			t.Errorf("%s from %d, %d bytes: %v", tt.name, tt.offset, tt.length, err)
			continue
		}
		if string(got) != tt.want {
			t.Errorf("%s from %d, %d bytes = %q, want %q", tt.name, tt.offset, tt.length, got, tt.want)
		}
		if want := map[string]int64{"digits": 10}[tt.name]; o.Size != want || o.Name != tt.name || o.Modified.IsZero() {
			t.Errorf("%s from %d, %d bytes describes %+v, want %d bytes and a time", tt.name, tt.offset, tt.length, o, want)
		}
	}
	if _, _, err := read(t.Context(), s, "digits", -1, -1); err == nil {
		t.Error("a negative offset was accepted")
	}

	// A reader that is closed early must not hurt the next one.
	r, _, err := s.Open(t.Context(), "digits", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(r, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Errorf("Close in the middle: %v", err)
	}
	expect(t, s, "digits", data)
}

// testNotFound: what is not there is ErrNotFound from the first call on, also
// below an object and for the folder of one.
func testNotFound(t *testing.T, s cache.Store) {
	put(t, s, "dir/a", []byte("a"))
	for _, name := range []string{"b", "dir", "dir/b", "dir/a/b", "di", "dir/a.", "other/dir/a"} {
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("Stat(%s) = %v, want ErrNotFound", name, err)
		}
		for _, r := range [][2]int64{{0, -1}, {0, 0}, {5, -1}, {5, 5}} {
			if _, _, err := read(t.Context(), s, name, r[0], r[1]); !errors.Is(err, cache.ErrNotFound) {
				t.Errorf("Open(%s, %d, %d) = %v, want ErrNotFound", name, r[0], r[1], err)
			}
		}
	}
	_, err := s.Stat(t.Context(), "b")
	if errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Stat(b) = %v: not found is an answer, not ErrUnavailable", err)
	}
}

// testBig: an object far larger than any buffer comes back as it was written,
// whole and in pieces. It is written in odd sizes, so that no boundary of the
// store falls on one of the writer.
func testBig(t *testing.T, s cache.Store) {
	if testing.Short() {
		t.Skip("writes 70 MiB")
	}
	const size = 70<<20 + 12345
	w := create(t, s, "big")
	defer w.Abort()
	written := sha256.New()
	if _, err := io.CopyBuffer(writeOnly{w}, io.TeeReader(pattern(0, size), written), make([]byte, 100_003)); err != nil {
		t.Fatalf("writing: %v", err)
	}
	expectNothing(t, s, "big")
	commit(t, w, "big", size)

	if got := digest(t, s, "big", 0, -1); !bytes.Equal(got, written.Sum(nil)) {
		t.Fatal("the SHA-256 of what was read is not that of what was written")
	}
	random := rand.New(rand.NewPCG(1, 2))
	ranges := [][2]int64{{8<<20 - 3, 6}, {size - 1, 1}, {size - 10, 100}, {16<<20 + 1, -1}}
	for range 8 {
		ranges = append(ranges, [2]int64{random.Int64N(size), random.Int64N(3 << 20)})
	}
	for _, r := range ranges {
		offset, length := r[0], r[1]
		if length < 0 || offset+length > size {
			length = size - offset
		}
		want := sha256.New()
		if _, err := io.Copy(want, pattern(offset, offset+length)); err != nil {
			t.Fatal(err)
		}
		if got := digest(t, s, "big", r[0], r[1]); !bytes.Equal(got, want.Sum(nil)) {
			t.Errorf("%d bytes from %d are not those written", r[1], r[0])
		}
	}
}

func digest(t *testing.T, s cache.Store, name string, offset, length int64) []byte {
	t.Helper()
	r, _, err := s.Open(t.Context(), name, offset, length)
	if err != nil {
		t.Fatalf("Open(%s, %d, %d): %v", name, offset, length, err)
	}
	defer r.Close()
	var h hash.Hash = sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatalf("reading %s from %d, %d bytes: %v", name, offset, length, err)
	}
	return h.Sum(nil)
}

// pattern yields the bytes [from, to) of an endless text that never repeats:
// each eight bytes are their own position, mixed.
func pattern(from, to int64) io.Reader {
	return io.NewSectionReader(patternAt{}, from, to-from)
}

type patternAt struct{}

func (patternAt) ReadAt(p []byte, off int64) (int, error) {
	var word [8]byte
	for i := range p {
		at := off + int64(i)
		if i == 0 || at%8 == 0 {
			binary.LittleEndian.PutUint64(word[:], uint64(at/8)*0x9e3779b97f4a7c15)
		}
		p[i] = word[at%8]
	}
	return len(p), nil
}

// writeOnly hides every other method of a writer, so that io.Copy uses Write.
type writeOnly struct{ io.Writer }

// testDelete: deleting is idempotent and takes nothing else along.
func testDelete(t *testing.T, s cache.Store) {
	for _, name := range []string{"dir/sub/a", "dir/sub/ab", "dir/b"} {
		put(t, s, name, []byte(name))
	}
	for _, name := range []string{"dir/sub/a", "dir/sub/a", "never", "dir/sub", "dir", "dir/b/c"} {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%s): %v", name, err)
		}
	}
	expect(t, s, "dir/sub/ab", []byte("dir/sub/ab"))
	expect(t, s, "dir/b", []byte("dir/b"))
	if got, want := fmt.Sprint(names(t, s, "")), "[dir/b dir/sub/ab]"; got != want {
		t.Errorf("left: %s, want %s", got, want)
	}
	put(t, s, "dir/sub/a", []byte("again"))
	expect(t, s, "dir/sub/a", []byte("again"))
}
