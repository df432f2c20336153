package rows

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Adopted describes a file of CSV that was not made by an export.
type Adopted struct {
	// Columns are those of the header.
	Columns []Column
	Rows    int64
	Written
}

// CSVErrors are the problems of a file, in the order of its lines.
type CSVErrors struct {
	Problems []*CSVError
	// More is how many there are besides.
	More int64
}

func (e *CSVErrors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.Error())
	}
	if e.More > 0 {
		fmt.Fprintf(&b, "\nand %d problems more", e.More)
	}
	return b.String()
}

// mostCSVErrors is how many problems of a file are told.
const mostCSVErrors = 20

// Adopt reads CSV that somebody made, plain or as gzip, and writes it as an export is
// written: gzip in blocks, the same bytes inside. It has a header, commas, and lines that
// end in LF or CRLF; a byte order mark may stand before it. All columns are text. limit
// bounds the plain bytes, 0 means no bound.
//
// A *CSVErrors says what is wrong with the file, line by line; an error that wraps
// ErrTooLarge that there is too much of it; any other came from reading or writing, and
// says at which line. After an error, what was written is of no use.
func Adopt(ctx context.Context, in io.Reader, out io.Writer, limit int64) (Adopted, error) {
	return AdoptAs(ctx, in, out, nil, limit)
}

// AdoptAs is Adopt for rows that may be of known columns: where the header has their
// names, in their order, values are checked against their types. Else all are text.
func AdoptAs(ctx context.Context, in io.Reader, out io.Writer, known []Column, limit int64) (Adopted, error) {
	buffered := bufio.NewReaderSize(in, blockSlack)
	var plain io.Reader = buffered
	if magic, _ := buffered.Peek(2); bytes.Equal(magic, gzipHeader[:2]) { // an error comes again
		z, err := gzip.NewReader(buffered) // takes several members for one file
		if err != nil {
			return Adopted{}, fmt.Errorf("line 1: cannot be read: %w", err)
		}
		plain = z
	}
	a := &adoption{ctx: ctx, plain: plain, w: NewBlockWriter(ctx, out), limit: limit}
	a.csv = NewCSVReader(a, nil)
	if err := a.read(known); err != nil {
		a.w.Cancel()
		return Adopted{}, err
	}
	written, err := a.w.Close()
	return Adopted{Columns: a.csv.columns, Rows: a.rows, Written: written}, err
}

// adoption reads a file once, and writes what it reads.
type adoption struct {
	ctx      context.Context
	plain    io.Reader
	w        *BlockWriter
	limit    int64
	bytes    int64
	failed   error // of reading or writing
	unread   bool  // it was reading
	csv      *CSVReader
	rows     int64
	problems CSVErrors
}

// read goes through all lines.
func (a *adoption) read(known []Column) error {
	columns, err := a.csv.ReadHeader()
	if wrong, ok := errors.AsType[*CSVError](err); ok {
		return &CSVErrors{Problems: []*CSVError{wrong}} // without it no line can be judged
	}
	if err != nil {
		return a.failure(err)
	}
	if named(columns, known) {
		a.csv.take(known)
	}
	for {
		err := a.csv.check()
		if errors.Is(err, io.EOF) {
			break
		}
		wrong, ok := errors.AsType[*CSVError](err)
		switch {
		case err == nil:
			a.rows++
			continue
		case !ok:
			return a.failure(err)
		}
		if len(a.problems.Problems) == mostCSVErrors {
			a.problems.More++
		} else {
			a.problems.Problems = append(a.problems.Problems, wrong)
		}
		if err := a.csv.resume(wrong); err != nil {
			if errors.Is(err, errMore) {
				break // there is no end to this line
			}
			return a.failure(err)
		}
	}
	if len(a.problems.Problems) > 0 {
		return &a.problems
	}
	return nil
}

// named reports whether columns have the names of known ones, in their order.
func named(columns, known []Column) bool {
	if len(columns) != len(known) {
		return false
	}
	for i := range columns {
		if columns[i].Name != known[i].Name {
			return false
		}
	}
	return true
}

// failure says where the reading ended. Some more lines may have been read ahead.
func (a *adoption) failure(err error) error {
	if !a.unread {
		return err
	}
	return fmt.Errorf("line %d, or soon after it: cannot be read: %w", a.csv.line, err)
}

// Read reads plain bytes and has them written. Pieces are small, so that blocks end
// where those of an export do.
func (a *adoption) Read(p []byte) (int, error) {
	if a.failed == nil {
		a.failed = a.ctx.Err()
	}
	if a.failed != nil {
		return 0, a.failed
	}
	n, err := a.plain.Read(p[:min(len(p), blockSlack)])
	a.bytes += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		a.failed, a.unread = err, true
		return n, err
	}
	if a.limit > 0 && a.bytes > a.limit {
		a.failed = ErrTooLarge
		return 0, a.failed
	}
	if n > 0 && len(a.problems.Problems) == 0 { // else it is only read on for more of them
		if a.failed = a.write(p[:n]); a.failed != nil {
			return 0, a.failed
		}
	}
	return n, err
}

func (a *adoption) write(p []byte) error {
	buffer, err := a.w.Buffer()
	if err != nil {
		return err
	}
	return a.w.Append(append(buffer, p...))
}

// take gives the columns, which have been read as text, their types.
func (r *CSVReader) take(columns []Column) {
	r.columns = columns
	for i, c := range columns {
		r.kinds[i] = kindOf(c.OID)
	}
}

// check reads a row as Read does, and goes on behind it also where its cells are wrong.
func (r *CSVReader) check() error {
	next, err := r.record(mostColumns)
	if err != nil {
		return err
	}
	lines := r.lines(next)
	err = r.row()
	r.start, r.line = next, r.line+lines
	return err
}

// resume goes on behind a wrong line, if check has not. errMore: it has no end that this
// reader would find.
func (r *CSVReader) resume(wrong *CSVError) error {
	if wrong.Line < r.line {
		return nil
	}
	r.cells = r.cells[:0]
	next, err := r.scan(mostColumns)
	switch {
	case err == nil: // what is wrong is inside
		r.line += int64(bytes.Count(r.buf[r.start:next], []byte{'\n'}))
		r.start = next
		return nil
	case errors.Is(err, errMore):
		return err
	}
	// A quote is wrong, so nobody knows where the cell ends: at its line's end, with luck.
	for r.line <= wrong.Line {
		i := bytes.IndexByte(r.buf[r.start:r.end], '\n')
		switch {
		case i >= 0:
			r.start += i + 1
			r.line++
		case r.eof:
			r.start = r.end
			return nil
		default:
			r.start = r.end
			if err := r.fill(); err != nil {
				return err
			}
		}
	}
	return nil
}
