package rows

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"slashbatch/internal/testenv"
)

var oneColumn = []Column{{Name: "a", OID: OIDText}}

// An empty result is a whole file, too.
func TestConvertNothing(t *testing.T) {
	for format, want := range map[string]string{FormatCSV: "a\r\n", FormatNDJSON: "", FormatJSON: "[]\n"} {
		var out bytes.Buffer
		m, err := Convert(t.Context(), strings.NewReader("a\r\n"), oneColumn, Form{Format: format}, &out, nil)
		if got := string(inflate(t, out.Bytes())); err != nil || got != want || m.Rows != 0 || m.Plain != int64(len(want)) || m.SHA256 != sha256of([]byte(want)) {
			t.Errorf("%s: %q, %+v, %v", format, got, m, err)
		}
	}
	f := opened(t, made(t, strings.NewReader("a\r\n"), oneColumn, Form{Format: FormatParquet}))
	if f.NumRows() != 0 || len(f.Root().Columns()) != 1 {
		t.Errorf("parquet: %d rows, %s", f.NumRows(), f.Schema())
	}
	book := openBook(t, made(t, strings.NewReader("a\r\n"), oneColumn, Form{Format: FormatXLSX}))
	if rows, err := book.GetRows(sheetName); err != nil || len(rows) != 1 || rows[0][0] != "a" {
		t.Errorf("xlsx: %v, %v", rows, err)
	}
}

func TestConvertJSON(t *testing.T) {
	if got := string(made(t, strings.NewReader("a\n1\n2\n"), nil, Form{Format: FormatJSON})); got != "[\n{\"a\":\"1\"},\n{\"a\":\"2\"}\n]\n" {
		t.Errorf("%q", got)
	}
	// What a file made by hand says to be JSON is looked at.
	for _, format := range []string{FormatJSON, FormatNDJSON, FormatParquet} {
		for _, c := range []Column{{Name: "a", OID: OIDJSONB}, {Name: "a", OID: 1007}} {
			_, err := Convert(t.Context(), strings.NewReader("a\n{}\n\"{1,x1}\"\n"), []Column{c}, Form{Format: format}, io.Discard, nil)
			if _, ok := errors.AsType[*FormError](err); !ok || !strings.HasPrefix(err.Error(), "row 2: ") {
				t.Errorf("%s, %v: %v", format, c, err)
			}
		}
	}
}

// What is wrong with the source is told as it is.
func TestConvertWrongSource(t *testing.T) {
	defer nothingLeft(t)()
	for _, form := range allForms {
		for _, tt := range []struct {
			in   io.Reader
			want string
		}{
			{strings.NewReader("b\n1\n"), `line 1: column 1 of the header is "b", want "a"`},
			{strings.NewReader("a\n1\n2,3\n"), "line 3: more cells than the 1"},
			{strings.NewReader(""), "line 1: there is no header"},
		} {
			_, err := Convert(t.Context(), tt.in, oneColumn, form, io.Discard, nil)
			if _, ok := errors.AsType[*CSVError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("%s: %v, want %s", form.Format, err, tt.want)
			}
		}
		_, err := Convert(t.Context(), iotest.TimeoutReader(newGenerated(10_000)), generatedColumns, form, io.Discard, nil)
		if !errors.Is(err, iotest.ErrTimeout) {
			t.Errorf("%s: %v, want the reader's error", form.Format, err)
		}
	}
	if _, err := Convert(t.Context(), strings.NewReader("a\n"), oneColumn, Form{Format: "xls"}, io.Discard, nil); err == nil {
		t.Error("an unknown format")
	}
}

// nothingLeft returns what checks that neither goroutines nor temporary files are left since. It
// is to be deferred: a cleanup comes after the end of the test's context.
func nothingLeft(t *testing.T) func() {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	before := runtime.NumGoroutine()
	return func() {
		left, err := os.ReadDir(folder)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		for end := time.Now().Add(patience); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
			}
		}
	}
}

// A destination that fails ends the conversion with its error, wherever that is.
func TestConvertBroken(t *testing.T) {
	size := 5000
	if raceDetector {
		size = 1500
	}
	defer nothingLeft(t)()
	for _, form := range allForms {
		writes := &writeCounter{}
		if _, err := Convert(t.Context(), newNoise(size), oneColumn, form, writes, nil); err != nil {
			t.Fatal(err)
		}
		for _, n := range []int{1, 2, writes.n / 2, writes.n} {
			for _, short := range []bool{false, true} {
				want := errBroken
				if short {
					want = io.ErrShortWrite
				}
				within(t, "the end", func() {
					if _, err := Convert(t.Context(), newNoise(size), oneColumn, form, &breaking{n: n, short: short}, nil); !errors.Is(err, want) {
						t.Errorf("%s, write %d of %d: %v, want %v", form.Format, n, writes.n, err, want)
					}
				})
			}
		}
	}
}

// writeCounter counts writes.
type writeCounter struct{ n int }

func (w *writeCounter) Write(p []byte) (int, error) {
	w.n++
	return len(p), nil
}

// When the context ends so does the conversion, with its cause, wherever it is; progress is told
// up to then.
func TestConvertCancelled(t *testing.T) {
	defer nothingLeft(t)()
	for _, form := range allForms {
		ctx, cancel := context.WithCancelCause(t.Context())
		var told []int64
		within(t, "the end", func() {
			_, err := Convert(ctx, newGenerated(1<<60), generatedColumns, form, io.Discard, func(rows int64) {
				if told = append(told, rows); len(told) == 3 {
					cancel(errBroken)
				}
			})
			if !errors.Is(err, errBroken) || len(told) != 3 || told[2] != 3*progressRows {
				t.Errorf("%s: %v after %v", form.Format, err, told)
			}
		})
	}
}

func TestConvertProgress(t *testing.T) {
	var told []int64
	m, err := Convert(t.Context(), newGenerated(progressRows+1), generatedColumns, Form{Format: FormatNDJSON}, io.Discard, func(rows int64) { told = append(told, rows) })
	if err != nil || m.Rows != progressRows+1 || len(told) != 2 || told[0] != progressRows || told[1] != progressRows+1 {
		t.Errorf("%+v, %v, %v", m, told, err)
	}
}

// The same rows make the same file, byte by byte, whoever makes it.
func TestConvertAgain(t *testing.T) {
	for _, form := range allForms {
		var sums [2]string
		for i := range sums {
			sums[i] = sha256of(made(t, newGenerated(1000), generatedColumns, form))
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two files", form.Format)
		}
	}
}

// newNoise is the plain CSV of rows of a thousand characters that do not compress to less than half.
func newNoise(rows int) io.Reader { return &noise{left: rows, text: []byte("a\r\n")} }

type noise struct {
	left int
	text []byte
	rand rand.PCG
	raw  [500]byte
}

func (n *noise) Read(p []byte) (int, error) {
	if len(n.text) == 0 {
		if n.left == 0 {
			return 0, io.EOF
		}
		n.left--
		for i := range n.raw {
			n.raw[i] = byte(n.rand.Uint64())
		}
		n.text = append(hex.AppendEncode(n.text, n.raw[:]), "\r\n"...)
	}
	count := copy(p, n.text)
	n.text = n.text[:copy(n.text, n.text[count:])]
	return count, nil
}

// However much there is, little of it is in memory. The file of each form here would be more
// than what may be held.
func TestConvertMemory(t *testing.T) {
	testenv.Unraced(t)
	const rows, most = 100_000, 50 << 20
	for _, form := range allForms {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		before, held := m.HeapAlloc, uint64(0)
		made, err := Convert(t.Context(), newNoise(rows), oneColumn, form, io.Discard, func(int64) {
			runtime.GC()
			runtime.ReadMemStats(&m)
			held = max(held, m.HeapAlloc)
		})
		if err != nil || made.Stored < most {
			t.Errorf("%s: %+v, %v", form.Format, made, err)
		}
		held -= before
		t.Logf("%s: %d MiB held at most, of %d", form.Format, held>>20, made.Stored>>20)
		if held > most {
			t.Errorf("%s: %d MiB held", form.Format, held>>20)
		}
	}
}
