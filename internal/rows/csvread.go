package rows

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// CSVReader reads the CSV that Export writes, and what people make by hand in the same
// form: commas, lines that end in LF or CRLF, perhaps a byte order mark. It is the exact
// inverse of CSV: a value is PostgreSQL's text again, an empty cell is NULL, and "" the
// empty string. Of one column, an empty line is a row of NULL.
//
// It holds one row at a time, in a buffer that it uses again, and allocates nothing per row.
type CSVReader struct {
	in      io.Reader
	columns []Column
	kinds   []kind

	buf        []byte
	start, end int // of what was read and is not yet used
	eof        bool
	line       int64 // where the record at start begins, from 1

	cells  []cell
	values [][]byte
	// times are the timestamps of a row, which are longer than their cells.
	times []byte
}

// cell is where a cell stands in the buffer, without its quotes.
type cell struct {
	start, end      int
	quoted, doubled bool // doubled: there are quotes in it, each written as two
}

// CSVError says what is wrong with a text that is to be CSV.
type CSVError struct {
	// Line is where, from 1; a record with line ends in it is named by its first line,
	// but for what is wrong with its quotes.
	Line   int64
	Reason string
}

func (e *CSVError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

const (
	readSize = 256 << 10
	// longestRecord is what a row of longestMessage comes to when all of it is quotes,
	// which are written as two.
	longestRecord = 2 * longestMessage
	// mostColumns bounds a header by hand; PostgreSQL has far fewer.
	mostColumns = 1 << 15
)

// NewCSVReader reads rows of these columns from in; without columns all are text, and
// called what the header says.
func NewCSVReader(in io.Reader, columns []Column) *CSVReader {
	return &CSVReader{in: in, columns: columns, buf: make([]byte, readSize), line: 1}
}

// ReadHeader reads the line of names, which has to be that of the columns. It is called
// once, before Read. Errors are a *CSVError, or those of the reader.
func (r *CSVReader) ReadHeader() ([]Column, error) {
	if err := r.fill(); err != nil {
		return nil, err
	}
	const bom = "\uFEFF"
	marked := bytes.HasPrefix(r.buf[:r.end], []byte(bom))
	if marked {
		r.start = len(bom)
	}
	next, err := r.record(mostColumns)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	lines := r.lines(max(next, r.start)) // there may be nothing behind the mark
	names := make([]string, len(r.cells))
	for i, c := range r.cells {
		names[i] = string(r.text(c))
	}
	if marked && len(names) > 0 && len(r.columns) > 0 && r.columns[0].Name == bom+names[0] {
		names[0] = bom + names[0] // it is the name that begins so
	}
	if err != nil || len(names) == 1 && names[0] == "" && !r.cells[0].quoted {
		return nil, r.fail("there is no header: the first line is to have the names of the columns")
	}
	if len(r.columns) == 0 {
		for _, name := range names {
			r.columns = append(r.columns, Column{Name: name, OID: OIDText})
		}
	}
	if len(names) != len(r.columns) {
		return nil, r.fail("the header has %d columns, want %d", len(names), len(r.columns))
	}
	for i, c := range r.columns {
		if names[i] != c.Name {
			return nil, r.fail("column %d of the header is %q, want %q", i+1, names[i], c.Name)
		}
	}
	r.kinds = make([]kind, len(r.columns))
	for i, c := range r.columns {
		r.kinds[i] = kindOf(c.OID) // as NewCSV
	}
	r.values = make([][]byte, len(r.columns))
	r.start, r.line = next, r.line+lines
	return r.columns, nil
}

// Read returns the next row, in PostgreSQL's text format, nil for NULL; its values are
// valid until the next call. At the end it returns io.EOF; other errors are a *CSVError, or
// those of the reader.
func (r *CSVReader) Read() ([][]byte, error) {
	next, err := r.record(len(r.kinds))
	if err != nil {
		return nil, err
	}
	lines := r.lines(next)
	if err := r.row(); err != nil {
		return nil, err
	}
	r.start, r.line = next, r.line+lines
	return r.values, nil
}

// row makes values of the cells of the record at start.
func (r *CSVReader) row() (err error) {
	if len(r.cells) != len(r.kinds) {
		return r.fail("%d cells, want %d as in the header", len(r.cells), len(r.kinds))
	}
	r.times = r.times[:0]
	size := 4 * len(r.cells) // as PostgreSQL counts a row
	for i, c := range r.cells {
		if r.values[i], err = r.value(c, i); err != nil {
			return err
		}
		size += len(r.values[i])
	}
	if size > longestMessage {
		return r.long()
	}
	return nil
}

// lines counts the lines of the record at start. It is asked before the cells are used,
// which changes them in their place.
func (r *CSVReader) lines(next int) int64 {
	return int64(bytes.Count(r.buf[r.start:next], []byte{'\n'}))
}

func (r *CSVReader) long() error { return r.fail("%s", ErrLongRow) }

// fail is an error in the record at start.
func (r *CSVReader) fail(format string, args ...any) error {
	return &CSVError{Line: r.line, Reason: fmt.Sprintf(format, args...)}
}

// failAt is an error in that record, at this place of the buffer.
func (r *CSVReader) failAt(at int, format string, args ...any) error {
	line := r.line + int64(bytes.Count(r.buf[r.start:at], []byte{'\n'}))
	return &CSVError{Line: line, Reason: fmt.Sprintf(format, args...)}
}
