package rows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// Made describes a file that Convert has written.
type Made struct {
	Rows int64
	// Plain and Stored are bytes: of the form itself, and as written. They differ where
	// the form is gzipped.
	Plain, Stored int64
	// SHA256 of the plain form, in hex.
	SHA256 string
	// Blocks are where the blocks of a gzipped form begin.
	Blocks []Block
}

// maker writes rows in one form. Values are as a Sink has them.
type maker interface {
	row(values [][]byte) error
	// close writes what is left, and describes the file but for its rows.
	close() (Made, error)
	// cancel stops, instead of close.
	cancel()
}

// Convert reads the plain CSV of a result and writes it to out in another form. The columns
// are those that Export told; without any, the header is believed, and all is text. Now and
// then, and at the end, progress is told how many rows there were; it may be nil.
//
// Memory does not depend on how many rows there are, and nothing is left behind when it
// fails, but for what was written to out. The context is looked at between rows: plain and
// out are to end with it themselves.
//
// Of its errors, a *FormError says that the rows do not fit the form, and a *CSVError that
// plain is no such CSV: to try again helps neither. All others are those of plain, out or
// the context.
func Convert(ctx context.Context, plain io.Reader, columns []Column, form Form, out io.Writer, progress func(rows int64)) (Made, error) {
	if err := form.check(); err != nil {
		return Made{}, err
	}
	in := NewCSVReader(plain, columns)
	columns, err := in.ReadHeader()
	if err != nil {
		return Made{}, err
	}
	m, err := newMaker(ctx, form, columns, out)
	if err != nil {
		return Made{}, err
	}
	n, err := pass(ctx, in, m, progress)
	if err != nil {
		m.cancel()
		return Made{}, err
	}
	made, err := m.close()
	if err != nil {
		return Made{}, err
	}
	made.Rows = n
	if progress != nil {
		progress(n)
	}
	return made, nil
}

func newMaker(ctx context.Context, form Form, columns []Column, out io.Writer) (maker, error) {
	switch form.Format {
	case FormatParquet:
		return newParquet(columns, out)
	case FormatXLSX:
		return newXLSX(columns, out)
	case FormatCSV:
		return newLines(ctx, csvLines{NewCSV(columns, form.CSV), columns}, out)
	default:
		return newLines(ctx, newJSONLines(columns, form.Format == FormatJSON), out)
	}
}

// progressRows is how often progress is told.
const progressRows = 10_000

// pass hands all rows on, and returns how many there were.
func pass(ctx context.Context, in *CSVReader, m maker, progress func(rows int64)) (n int64, err error) {
	for ; ; n++ {
		if ctx.Err() != nil {
			return n, context.Cause(ctx)
		}
		values, err := in.Read()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if err := m.row(values); err != nil {
			return n, err
		}
		if progress != nil && n%progressRows == progressRows-1 {
			progress(n + 1)
		}
	}
}

// counted is a destination that tells what went into it.
type counted struct {
	out  io.Writer
	sum  hash.Hash
	size int64
}

func newCounted(out io.Writer) *counted { return &counted{out: out, sum: sha256.New()} }

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.out.Write(p)
	c.sum.Write(p[:n])
	c.size += int64(n)
	return n, err // who writes to it looks at n
}

// made describes a file that is stored as it is.
func (c *counted) made() Made {
	return Made{Plain: c.size, Stored: c.size, SHA256: hex.EncodeToString(c.sum.Sum(nil))}
}
