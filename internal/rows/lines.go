package rows

import (
	"context"
	"encoding/json"
	"io"
)

// lines makes the forms that are text: a beginning, a line per row, and an end.
type lines struct {
	w    *BlockWriter
	form liner
	rows int64
}

// liner appends the lines of one form.
type liner interface {
	begin(dst []byte) []byte
	// row appends the n-th row, from 0.
	row(dst []byte, values [][]byte, n int64) ([]byte, error)
	// end ends a file of so many rows.
	end(dst []byte, rows int64) []byte
}

func newLines(ctx context.Context, form liner, out io.Writer) (*lines, error) {
	l := &lines{w: NewBlockWriter(ctx, out), form: form}
	if err := l.append(func(dst []byte) ([]byte, error) { return form.begin(dst), nil }); err != nil {
		l.cancel()
		return nil, err
	}
	return l, nil
}

func (l *lines) append(add func(dst []byte) ([]byte, error)) error {
	buffer, err := l.w.Buffer()
	if err != nil {
		return err
	}
	if buffer, err = add(buffer); err != nil {
		return err
	}
	return l.w.Append(buffer)
}

func (l *lines) row(values [][]byte) error {
	buffer, err := l.w.Buffer()
	if err != nil {
		return err
	}
	if buffer, err = l.form.row(buffer, values, l.rows); err != nil {
		return err
	}
	l.rows++
	return l.w.Append(buffer)
}

func (l *lines) close() (Made, error) {
	if err := l.append(func(dst []byte) ([]byte, error) { return l.form.end(dst, l.rows), nil }); err != nil {
		l.cancel()
		return Made{}, err
	}
	w, err := l.w.Close()
	return Made{Plain: w.Plain, Stored: w.Stored, SHA256: w.SHA256, Blocks: w.Blocks}, err
}

func (l *lines) cancel() { l.w.Cancel() }

// csvLines are those of a CSV file.
type csvLines struct {
	csv     *CSV
	columns []Column
}

func (c csvLines) begin(dst []byte) []byte { return c.csv.AppendHeader(dst, c.columns) }

func (c csvLines) row(dst []byte, values [][]byte, _ int64) ([]byte, error) {
	return c.csv.AppendRow(dst, values), nil
}

func (c csvLines) end(dst []byte, _ int64) []byte { return dst }

// jsonLines are objects, one a line, in an array or by themselves.
type jsonLines struct {
	json  *JSON
	array bool
	// raw: there are columns whose text becomes part of the JSON as it is.
	raw bool
}

func newJSONLines(columns []Column, array bool) jsonLines {
	j := jsonLines{json: NewJSON(columns), array: array}
	for _, k := range j.json.kinds {
		j.raw = j.raw || k == kindJSON || k == kindArray
	}
	return j
}

func (j jsonLines) begin(dst []byte) []byte {
	if j.array {
		dst = append(dst, '[')
	}
	return dst
}

func (j jsonLines) row(dst []byte, values [][]byte, n int64) ([]byte, error) {
	switch {
	case j.array && n > 0:
		dst = append(dst, ",\n"...)
	case j.array:
		dst = append(dst, '\n')
	}
	start := len(dst)
	dst = j.json.AppendRow(dst, values)
	// PostgreSQL has checked what it wrote; a file made by hand was checked by nobody.
	if j.raw && !json.Valid(dst[start:]) {
		return dst, misfit(n, "a json value or an array in it is not valid")
	}
	if !j.array {
		dst = append(dst, '\n')
	}
	return dst, nil
}

func (j jsonLines) end(dst []byte, rows int64) []byte {
	if !j.array {
		return dst
	}
	if rows > 0 {
		dst = append(dst, '\n')
	}
	return append(dst, "]\n"...)
}
