package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"slashbatch/internal/testenv"
)

// readAll returns all rows, copied.
func readAll(r *CSVReader) (columns []Column, rows [][][]byte, err error) {
	columns, err = r.ReadHeader()
	for err == nil {
		var values [][]byte
		if values, err = r.Read(); err == nil {
			rows = append(rows, cloneRow(values))
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return columns, rows, err
}

func cloneRow(values [][]byte) [][]byte {
	row := make([][]byte, len(values))
	for i, v := range values {
		row[i] = bytes.Clone(v)
	}
	return row
}

func sameRow(a, b [][]byte) bool {
	return slices.EqualFunc(a, b, func(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) })
}

func shownRows(rows [][][]byte) string {
	var lines []string
	for _, row := range rows {
		var cells []string
		for _, v := range row {
			if v == nil {
				cells = append(cells, "NULL")
			} else {
				cells = append(cells, fmt.Sprintf("%q", v))
			}
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	return strings.Join(lines, "|")
}

// What people make by hand is read, too.
func TestCSVReaderTakes(t *testing.T) {
	for _, tt := range []struct{ name, text, want string }{
		{"CRLF", "a,b\r\n1,2\r\n3,4\r\n", `"1" "2"|"3" "4"`},
		{"LF", "a,b\n1,2\n3,4\n", `"1" "2"|"3" "4"`},
		{"one after the other", "a,b\r\n1,2\n3,4\r\n", `"1" "2"|"3" "4"`},
		{"no line end at the end", "a,b\n1,2\n3,", `"1" "2"|"3" NULL`},
		{"a quote at the end", "a,b\n1,\"2\"", `"1" "2"`},
		{"a byte order mark", "\uFEFFa,b\n1,2\n", `"1" "2"`},
		{"a byte order mark and a quote", "\uFEFF\"a\",b\n1,2\n", `"1" "2"`},
		{"NULL and the empty string", "a,b\n,\"\"\n", `NULL ""`},
		{"quotes for nothing", "\"a\",\"b\"\n\"1\",\"x\"\n", `"1" "x"`},
		{"line ends, commas and quotes inside", "a,b\n\"1\r\n2\",\"\"\"x\"\", \"\"\"\"\"\n", `"1\r\n2" "\"x\", \"\""`},
		{"nothing but quotes", "a,b\n\"\"\"\",\"\"\"\"\"\"\n", `"\"" "\"\""`},
		{"spaces stay", "a,b\n 1 ,\t\n", `" 1 " "\t"`},
		{"no rows", "a,b\n", ``},
		{"no rows, no line end", "a,b", ``},
		{"a column without a name", "a,\n1,2\n", `"1" "2"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text)), iotest.DataErrReader(strings.NewReader(tt.text))} {
				columns, rows, err := readAll(NewCSVReader(in, nil))
				if err != nil || shownRows(rows) != tt.want || len(columns) != 2 || columns[0] != (Column{Name: "a", OID: OIDText}) {
					t.Errorf("%v, %s, %v; want %s", columns, shownRows(rows), err, tt.want)
				}
			}
		})
	}
	_, rows, err := readAll(NewCSVReader(strings.NewReader("a\n1\n\n\"\"\n\r\n"), nil))
	if want := `"1"|NULL|""|NULL`; err != nil || shownRows(rows) != want {
		t.Errorf("of one column: %s, %v; want %s", shownRows(rows), err, want)
	}
}

// What is no such CSV is refused, with its line.
func TestCSVReaderRefuses(t *testing.T) {
	typed := []Column{{Name: "n", OID: OIDInt4}, {Name: "b", OID: OIDBool}, {Name: "d", OID: OIDDate}, {Name: "at", OID: OIDTimestamptz}}
	for _, tt := range []struct {
		name, text string
		columns    []Column
		want       string
	}{
		{"nothing", "", nil, "line 1: there is no header"},
		{"only a mark", "\uFEFF", nil, "line 1: there is no header"},
		{"a header without columns", "\r\n1\r\n", nil, "line 1: there is no header"},
		{"fewer columns", "n,b,d\n", typed, "line 1: the header has 3 columns, want 4"},
		{"more columns", "n,b,d,at,x\n", typed, "line 1: the header has 5 columns, want 4"},
		{"another column", "n,b,D,at\n", typed, `line 1: column 3 of the header is "D", want "d"`},
		{"fewer cells", "a,b\n1,2\n3\n", nil, "line 3: 1 cells, want 2"},
		{"an empty line", "a,b\n1,2\n\n3,4\n", nil, "line 3: 1 cells, want 2"},
		{"more cells", "a,b\n1,2\n3,4,5\n", nil, "line 3: more cells than the 2"},
		{"behind lines and quotes within a cell", "a\n\"x\"\"\n\"\n1,2\n", nil, "line 4: more cells than the 1"},
		{"a quote inside", "a,b\n1,2\n3,x\"y\n", nil, "line 3: a quote inside of a cell that does not begin with one"},
		{"a quote at the end of a cell", "a,b\n3\",4\n", nil, "line 2: a quote inside of a cell"},
		{"text behind a quote", "a,b\n\"1\"x,2\n", nil, `line 2: 'x' after the closing quote`},
		{"a quote behind a quote", "a,b\n\"\"\"\"\"\"x,2\n", nil, `line 2: 'x' after the closing quote`},
		{"a space behind a quote, after lines", "a,b\n1,\"2\n\n3\" ,2\n", nil, `line 4: ' ' after the closing quote`},
		{"no closing quote", "a,b\n1,2\n3,\"4\n5,6\n", nil, "line 3: a quote that is never closed"},
		{"no closing quote but two", "a,b\n1,2\n3,\"4\"\"\n5,6\n", nil, "line 3: a quote that is never closed"},
		{"a carriage return", "a,b\n1,\r2\n", nil, "line 2: a carriage return without a line feed"},
		{"a carriage return at the end", "a,b\n1,2\r", nil, "line 2: a carriage return without a line feed"},
		{"NUL", "a,b\n1,2\n3,\x00\n", nil, "line 3: a NUL"},
		{"NUL in the header", "a,\x00b\n", nil, "line 1: a NUL"},
		{"half a character", "a,b\n1,\xc3\n", nil, "line 2: this is not UTF-8"},
		{"half a character in the header", "a,\xff\n1,2\n", nil, "line 1: this is not UTF-8"},
		{"after lines in quotes", "a,b\n\"\n\n\",2\n3\n", nil, "line 5: 1 cells"},
		{"no number", "n,b,d,at\n1,,,\nx,,,\n", typed, `line 3: column "n": "x" is no value of its type`},
		{"no number of JSON", "n,b,d,at\n007,,,\n", typed, `line 2: column "n": "007" is no value of its type`},
		{"an empty number", "n,b,d,at\n\"\",,,\n", typed, `line 2: column "n": "" is no value of its type`},
		{"no boolean", "n,b,d,at\n1,yes,,\n", typed, `line 2: column "b": "yes" is no boolean, want true or false`},
		{"a date with a comma", "n,b,d,at\n1,,\"2026-01-02, or so\",\n", typed, `line 2: column "d": "2026-01-02, or so" is no value of its type`},
		{"a time that JSON would have to escape", "n,b,d,at\n1,,,2026\\\n", typed, `line 2: column "at": "2026\\" is no value of its type`},
		{"a time that is empty", "n,b,d,at\n1,,,\"\"\n", typed, `line 2: column "at": "" is no value of its type`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, in := range []io.Reader{strings.NewReader(tt.text), iotest.OneByteReader(strings.NewReader(tt.text))} {
				_, _, err := readAll(NewCSVReader(in, tt.columns))
				var got *CSVError
				if !errors.As(err, &got) || !strings.HasPrefix(err.Error(), tt.want) {
					t.Errorf("%v, want %s…", err, tt.want)
				}
			}
		})
	}
	_, _, err := readAll(NewCSVReader(io.MultiReader(strings.NewReader("a\n1\n2"), iotest.ErrReader(errBroken)), nil))
	if !errors.Is(err, errBroken) {
		t.Errorf("a reader that breaks: %v", err)
	}
}

// A row may be as long as one of the database, however its CSV has grown, and no longer.
func TestCSVReaderLongRows(t *testing.T) {
	testenv.Unraced(t)
	quotes := strings.Repeat(`"`, longestMessage-8) // two values and their lengths
	columns := []Column{{Name: "a", OID: OIDText}, {Name: "b", OID: OIDText}}
	c := NewCSV(columns, CSVOptions{})
	text := c.AppendRow(c.AppendHeader(nil, columns), [][]byte{[]byte(quotes), nil})
	_, rows, err := readAll(NewCSVReader(bytes.NewReader(text), columns))
	if err != nil || len(rows) != 1 || string(rows[0][0]) != quotes {
		t.Errorf("the longest: %d rows, %v", len(rows), err)
	}
	text = c.AppendRow(c.AppendHeader(nil, columns), [][]byte{[]byte(quotes), []byte("x")})
	if _, _, err := readAll(NewCSVReader(bytes.NewReader(text), columns)); err == nil || !strings.HasPrefix(err.Error(), "line 2: a row is longer than 32 MiB") {
		t.Errorf("one more: %v", err)
	}
	endless := io.MultiReader(strings.NewReader("a\n1\n\""), endlessly('x'))
	if _, _, err := readAll(NewCSVReader(endless, nil)); err == nil || !strings.HasPrefix(err.Error(), "line 3: a row is longer than 32 MiB") {
		t.Errorf("endless: %v", err)
	}
	if _, _, err := readAll(NewCSVReader(endlessly(','), nil)); err == nil || !strings.HasPrefix(err.Error(), "line 1: more cells than") {
		t.Errorf("endless columns: %v", err)
	}
}

// endlessly is a reader of one byte, again and again.
type endlessly byte

func (e endlessly) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestCSVReaderMark: the mark at the beginning of a file is no part of a name, unless the name
// has one.
func TestCSVReaderMark(t *testing.T) {
	for _, name := range []string{"a", "\uFEFFa", "\uFEFF", "\uFEFFa,b"} {
		for _, bom := range []bool{false, true} {
			for _, columns := range [][]Column{{{Name: name, OID: OIDText}}, {{Name: name, OID: OIDText}, {Name: "b", OID: OIDText}}} {
				text := NewCSV(columns, CSVOptions{BOM: bom}).AppendHeader(nil, columns)
				if got, _, err := readAll(NewCSVReader(bytes.NewReader(text), columns)); err != nil || got[0].Name != name {
					t.Errorf("%q, mark %v: %v, %v", name, bom, got, err)
				}
			}
		}
	}
}
