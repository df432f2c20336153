package rows

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// packed is gzip of each of these, one member after the other.
func packedMembers(t testing.TB, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		if _, err := io.WriteString(z, m); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func textColumns(names ...string) []Column {
	var columns []Column
	for _, n := range names {
		columns = append(columns, Column{Name: n, OID: OIDText})
	}
	return columns
}

func TestAdopt(t *testing.T) {
	long := "a,b\r\n" + strings.Repeat("\"x\n\",y\r\n", 3*BlockSize/8)
	for _, tt := range []struct {
		about, file, plain string // plain is the file, unless it is given
		columns            []Column
		rows               int64
	}{
		{about: "LF", file: "a,b\n1,2\n3,4\n", columns: textColumns("a", "b"), rows: 2},
		{about: "CRLF", file: "a,b\r\n1,2\r\n", columns: textColumns("a", "b"), rows: 1},
		{about: "both", file: "a,b\r\n1,2\n3,4\r\n", columns: textColumns("a", "b"), rows: 2},
		{about: "no line end at the end", file: "a,b\n1,2", columns: textColumns("a", "b"), rows: 1},
		{about: "a header alone", file: "a,b", columns: textColumns("a", "b")},
		{about: "a byte order mark", file: "\uFEFFa,b\n1,2\n", columns: textColumns("a", "b"), rows: 1},
		{about: "one column, with NULL", file: "a\n\nx\n\n", columns: textColumns("a"), rows: 3},
		{about: "quotes", file: "\"a\",\"b,c\"\n\"x\r\n\"\"y\"\"\",\"\"\n", columns: textColumns("a", "b,c"), rows: 1},
		{about: "a file of several blocks", file: long, columns: textColumns("a", "b"), rows: 3 * BlockSize / 8},
		{about: "gzip", file: packedMembers(t, "a,b\n1,2\n"), plain: "a,b\n1,2\n", columns: textColumns("a", "b"), rows: 1},
		{about: "gzip of several members", file: packedMembers(t, "a,b\n1", ",2\n", "", "3,4\n"), plain: "a,b\n1,2\n3,4\n", columns: textColumns("a", "b"), rows: 2},
	} {
		t.Run(tt.about, func(t *testing.T) {
			if tt.plain == "" {
				tt.plain = tt.file
			}
			readers := map[string]io.Reader{"whole": strings.NewReader(tt.file)}
			if len(tt.file) < 1000 {
				readers["byte by byte"] = iotest.DataErrReader(iotest.OneByteReader(strings.NewReader(tt.file)))
			}
			for how, in := range readers {
				var out bytes.Buffer
				got, err := Adopt(t.Context(), in, &out, int64(len(tt.plain)))
				if err != nil {
					t.Fatalf("%s: %v", how, err)
				}
				if diff := cmp.Diff(tt.columns, got.Columns); diff != "" || got.Rows != tt.rows {
					t.Errorf("%s: %d rows, want %d; columns %s", how, got.Rows, tt.rows, diff)
				}
				sum := sha256.Sum256([]byte(tt.plain))
				if string(inflate(t, out.Bytes())) != tt.plain || got.Plain != int64(len(tt.plain)) || got.Stored != int64(out.Len()) || got.SHA256 != hex.EncodeToString(sum[:]) {
					t.Errorf("%s: %+v of other bytes", how, got.Written)
				}
				if want := len(tt.plain)/BlockSize + 1; len(got.Blocks) != want {
					t.Errorf("%s: %d blocks, want %d", how, len(got.Blocks), want)
				}
			}
		})
	}
}

// Every line that is wrong is told, with its number and what is wrong.
func TestAdoptTellsEveryLine(t *testing.T) {
	many := "a,b\n" + strings.Repeat("1\n", 30)
	for _, tt := range []struct {
		about, file string
		want        []string
	}{
		{"empty", "", []string{"line 1: there is no header: the first line is to have the names of the columns"}},
		{"an empty line first", "\na,b\n", []string{"line 1: there is no header: the first line is to have the names of the columns"}},
		{"too few, too many", "a,b\n1\n1,2\n\n1,2,3\n", []string{
			"line 2: 1 cells, want 2 as in the header", "line 4: 1 cells, want 2 as in the header", "line 5: 3 cells, want 2 as in the header",
		}},
		{"behind lines inside of quotes", "a,b\n\"1\n\"\"\n\"\n\"x\"\"\n\",2\n3\n", []string{"line 2: 1 cells, want 2 as in the header", "line 7: 1 cells, want 2 as in the header"}},
		{"not UTF-8, a NUL", "a,b\n\xff,\"\n\"\n1\n2,\x00\n", []string{"line 2: this is not UTF-8", "line 4: 1 cells, want 2 as in the header", "line 5: a NUL, which no text can have"}},
		{"quotes", "a,b\nx\"y\",1\n\"x\"y,2\n3\n\"1\n2\"3,4\n5\n", []string{
			"line 2: a quote inside of a cell that does not begin with one",
			"line 3: 'y' after the closing quote of a cell, want a comma or a line end; a quote inside of quotes is written as two",
			"line 4: 1 cells, want 2 as in the header",
			"line 6: '3' after the closing quote of a cell, want a comma or a line end; a quote inside of quotes is written as two",
			"line 7: 1 cells, want 2 as in the header",
		}},
		{"a quote never closed", "a,b\n1,\"2\n3\n4,5\n6", []string{"line 2: a quote that is never closed", "line 3: 1 cells, want 2 as in the header", "line 5: 1 cells, want 2 as in the header"}},
		{"a carriage return alone", "a,b\n1,2\r3,4\n5\r", []string{"line 2: a carriage return without a line feed, outside of quotes", "line 3: a carriage return without a line feed, outside of quotes"}},
		{"the header", "a,\"b\nc,d\n", []string{"line 1: a quote that is never closed"}},
		{"more than are told", many, append(strings.Split(strings.Repeat("line %: 1 cells, want 2 as in the header\n", 20), "\n")[:20], "and 10 problems more")},
	} {
		t.Run(tt.about, func(t *testing.T) {
			for i := range tt.want {
				tt.want[i] = strings.Replace(tt.want[i], "%", fmt.Sprint(i+2), 1)
			}
			for how, in := range map[string]io.Reader{"plain": strings.NewReader(tt.file), "gzip": strings.NewReader(packedMembers(t, tt.file)), "in pieces": iotest.OneByteReader(strings.NewReader(tt.file))} {
				_, err := Adopt(t.Context(), in, io.Discard, 0)
				if _, ok := errors.AsType[*CSVErrors](err); !ok {
					t.Fatalf("%s: %v is no CSVErrors", how, err)
				}
				if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
					t.Errorf("%s: -want +got: %s", how, diff)
				}
			}
		})
	}
}

// Where the header is the known one, values are checked against the types; else they are
// taken as they are.
func TestAdoptAs(t *testing.T) {
	known := []Column{{Name: "id", OID: OIDInt4}, {Name: "mass", OID: OIDNumeric, Mod: 655366}, {Name: "ok", OID: OIDBool}}
	got, err := AdoptAs(t.Context(), strings.NewReader("id,mass,ok\n1,2.50,true\n,,\n"), io.Discard, known, 0)
	if diff := cmp.Diff(known, got.Columns); diff != "" || err != nil || got.Rows != 2 {
		t.Errorf("%v, %d rows, columns %s", err, got.Rows, diff)
	}
	_, err = AdoptAs(t.Context(), strings.NewReader("id,mass,ok\n1,2,yes\n1,2,true\n\"x\"\"\ny\",1,true\none,,\n"), io.Discard, known, 0)
	want := `line 2: column "ok": "yes" is no boolean, want true or false
line 4: column "id": "x\"\ny" is no value of its type
line 6: column "id": "one" is no value of its type`
	if err == nil || err.Error() != want {
		t.Errorf("says\n%v\nwant\n%s", err, want)
	}
	for _, header := range []string{"id,ok,mass", "id,mass", "id,mass,ok,more", "ID,mass,ok"} {
		row := strings.Repeat("one,", strings.Count(header, ",")) + "one"
		got, err := AdoptAs(t.Context(), strings.NewReader(header+"\n"+row), io.Discard, known, 0)
		if diff := cmp.Diff(textColumns(strings.Split(header, ",")...), got.Columns); diff != "" || err != nil {
			t.Errorf("%s: %v, columns %s", header, err, diff)
		}
	}
}

func TestAdoptFails(t *testing.T) {
	file := "a,b\n" + strings.Repeat("1,2\n", 1000)
	whole := packedMembers(t, file)
	broken := errors.New("broken")
	for _, tt := range []struct {
		about string
		in    io.Reader
		out   io.Writer
		limit int64
		is    error
		says  string
	}{
		{"too large", strings.NewReader(file), io.Discard, int64(len(file)) - 1, ErrTooLarge, ErrTooLarge.Error()},
		{"too large behind gzip", strings.NewReader(whole), io.Discard, int64(len(file)) - 1, ErrTooLarge, ErrTooLarge.Error()},
		{"unreadable", io.MultiReader(strings.NewReader("a,b\n1,2\n"), iotest.ErrReader(broken)), io.Discard, 0, broken, "line 1, or soon after it: cannot be read: broken"},
		{"gzip that ends early", strings.NewReader(whole[:len(whole)-10]), io.Discard, 0, io.ErrUnexpectedEOF, "cannot be read: unexpected EOF"},
		{"gzip of which only the beginning is", strings.NewReader(whole[:5]), io.Discard, 0, io.ErrUnexpectedEOF, "line 1: cannot be read: unexpected EOF"},
		{"gzip with something behind it", strings.NewReader(whole + "a,b"), io.Discard, 0, nil, "cannot be read: "},
		{"unwritable", strings.NewReader(file), failing{broken}, 0, broken, "broken"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			_, err := Adopt(t.Context(), tt.in, tt.out, tt.limit)
			if err == nil || tt.is != nil && !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
		})
	}
}

// failing takes nothing.
type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// What Adopt takes is stored as it is, and CSVReader reads as many rows of it.
func FuzzAdopt(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "\uFEFFa\r\n\"x\n\"\"\"\r\n", "a\n\n", "a,b\n\"", "a,b\n1,\"2\n3\n4,5\n6", "\x1f\x8b", "a\n\"x\"y\n\r", "a,b\n1,2\r3\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		var out bytes.Buffer
		got, err := Adopt(t.Context(), bytes.NewReader(file), &out, 0)
		if err != nil {
			return
		}
		plain := string(inflate(t, out.Bytes()))
		if !bytes.HasPrefix(file, gzipHeader[:2]) && plain != string(file) {
			t.Fatalf("%q became %q", file, plain)
		}
		r := NewCSVReader(strings.NewReader(plain), got.Columns)
		if _, err := r.ReadHeader(); err != nil {
			t.Fatal(err)
		}
		for n := int64(0); ; n++ {
			_, err := r.Read()
			if errors.Is(err, io.EOF) && n == got.Rows {
				return
			}
			if err != nil {
				t.Fatalf("%d rows, then %v; adopted were %d", n, err, got.Rows)
			}
		}
	})
}
