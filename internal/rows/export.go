package rows

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
)

// Export is a Sink that writes rows as a gzip file of CSV, counting them. Its
// counters may be read by other goroutines while it runs.
type Export struct {
	w       *BlockWriter
	csv     *CSV
	columns []Column
	limit   int64
	rows    atomic.Int64
	bytes   atomic.Int64
}

// NewExport writes to out; limit bounds the plain bytes, 0 means no bound.
// Exactly one of Close and Cancel must be called.
func NewExport(ctx context.Context, out io.Writer, limit int64) *Export {
	return &Export{w: NewBlockWriter(ctx, out), limit: limit}
}

// ErrTooLarge ends an export that would pass its limit.
var ErrTooLarge = errors.New("the result is larger than limits.resultBytes allows")

// Columns writes the header, also when no row follows.
func (e *Export) Columns(columns []Column) error {
	e.columns, e.csv = columns, NewCSV(columns, CSVOptions{})
	buffer, err := e.w.Buffer()
	if err != nil {
		return err
	}
	return e.took(e.csv.AppendHeader(buffer, columns), len(buffer), 0)
}

// Row writes one line.
func (e *Export) Row(values [][]byte) error {
	buffer, err := e.w.Buffer()
	if err != nil {
		return err
	}
	return e.took(e.csv.AppendRow(buffer, values), len(buffer), 1)
}

// took hands the grown buffer back and counts what was added.
func (e *Export) took(buffer []byte, before int, rows int64) error {
	e.rows.Add(rows)
	if total := e.bytes.Add(int64(len(buffer) - before)); e.limit > 0 && total > e.limit {
		return ErrTooLarge
	}
	return e.w.Append(buffer)
}

// Progress returns the rows and plain bytes so far.
func (e *Export) Progress() (rows, bytes int64) { return e.rows.Load(), e.bytes.Load() }

// Header returns the columns as the database named them; call it after the read.
func (e *Export) Header() []Column { return e.columns }

// Close writes what is left. Only then is everything with the writer.
func (e *Export) Close() (Written, error) { return e.w.Close() }

// Cancel stops without writing the rest.
func (e *Export) Cancel() { e.w.Cancel() }
