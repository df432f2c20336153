package rows

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

// record finds the cells of the next record and where the one after it begins.
func (r *CSVReader) record(most int) (next int, err error) {
	for {
		if next, err = r.scan(most); !errors.Is(err, errMore) {
			break
		}
		if err = r.fill(); err != nil {
			return 0, err
		}
	}
	if err != nil {
		return 0, err
	}
	switch raw := r.buf[r.start:next]; {
	case bytes.IndexByte(raw, 0) >= 0:
		return 0, r.fail("a NUL, which no text can have")
	case !utf8.Valid(raw):
		return 0, r.fail("this is not UTF-8")
	}
	return next, nil
}

// errMore says that the buffer ends before the record does.
var errMore = errors.New("more to be read")

// fill reads until the buffer is full, which it enlarges if one record fills it.
func (r *CSVReader) fill() error {
	n := copy(r.buf, r.buf[r.start:r.end])
	r.start, r.end = 0, n
	if n == len(r.buf) {
		if n >= longestRecord {
			return r.long()
		}
		r.buf = append(make([]byte, 0, 2*n), r.buf...)[:2*n]
	}
	for idle := 0; r.end < len(r.buf) && !r.eof; {
		n, err := r.in.Read(r.buf[r.end:])
		r.end += n
		switch {
		case errors.Is(err, io.EOF):
			r.eof = true
		case err != nil:
			return err
		case n > 0:
			idle = 0
		default:
			if idle++; idle == 100 {
				return io.ErrNoProgress
			}
		}
	}
	return nil
}

// scan finds the cells of the record at start. It changes nothing in the buffer, since it
// begins anew when there is more in it.
func (r *CSVReader) scan(most int) (next int, err error) {
	r.cells = r.cells[:0]
	buf, at := r.buf[:r.end], r.start
	if at == len(buf) && r.eof {
		return 0, io.EOF
	}
	for {
		c := cell{start: at}
		if at < len(buf) && buf[at] == '"' {
			if c, at, err = r.quoted(at); err != nil {
				return 0, err
			}
		} else {
			for at < len(buf) && !ends[buf[at]] {
				at++
			}
			c.end = at
		}
		if at == len(buf) && !r.eof {
			return 0, errMore
		}
		if len(r.cells) == most {
			return 0, r.fail("more cells than the %d that a row can have", most)
		}
		r.cells = append(r.cells, c)
		switch {
		case at == len(buf): // a last line without a line end
			return at, nil
		case buf[at] == ',':
			at++
		case buf[at] == '\n':
			return at + 1, nil
		case buf[at] == '\r':
			if at+1 == len(buf) && !r.eof {
				return 0, errMore
			}
			if at+1 == len(buf) || buf[at+1] != '\n' {
				return 0, r.failAt(at, "a carriage return without a line feed, outside of quotes")
			}
			return at + 2, nil
		case c.quoted:
			return 0, r.failAt(at, "%q after the closing quote of a cell, want a comma or a line end; a quote inside of quotes is written as two", buf[at])
		default:
			return 0, r.failAt(at, "a quote inside of a cell that does not begin with one")
		}
	}
}

// ends are the bytes at which a cell without quotes ends.
var ends = [256]bool{',': true, '\n': true, '\r': true, '"': true}

// quoted finds the cell whose opening quote is at.
func (r *CSVReader) quoted(at int) (c cell, next int, err error) {
	buf, opening := r.buf[:r.end], at
	c = cell{start: at + 1, quoted: true}
	for at++; ; at++ {
		i := bytes.IndexByte(buf[at:], '"')
		if i < 0 && r.eof {
			return c, 0, r.failAt(opening, "a quote that is never closed")
		}
		if i < 0 {
			return c, 0, errMore
		}
		at += i + 1
		if at == len(buf) || buf[at] != '"' {
			c.end = at - 1
			return c, at, nil
		}
		c.doubled = true
	}
}

// text returns what stands in a cell, in the buffer, with its doubled quotes made single.
func (r *CSVReader) text(c cell) []byte {
	v := r.buf[c.start:c.end:c.end]
	if !c.doubled {
		return v
	}
	from := bytes.IndexByte(v, '"') + 1
	to := from
	for from++; from < len(v); {
		i := bytes.IndexByte(v[from:], '"')
		if i < 0 {
			to += copy(v[to:], v[from:])
			break
		}
		to += copy(v[to:], v[from:from+i+1])
		from += i + 2
	}
	return v[:to]
}
