package rows

import (
	"bytes"
	"encoding/binary"
)

// CSV encodes rows as slashbatch's CSV: UTF-8, CRLF, RFC 4180, a header line
// of column names. A value is PostgreSQL's own text, quoted exactly where
// COPY … CSV quotes, so that a file loads back with COPY. NULL is empty, the
// empty string is "". Booleans are true and false; timestamps are RFC 3339
// where they have such a form (see appendTimestamp).
//
// It appends to a buffer of the caller and allocates nothing itself.
type CSV struct {
	kinds  []kind
	single bool
}

// NewCSV returns an encoder for rows of these columns.
func NewCSV(columns []Column) *CSV {
	c := &CSV{kinds: make([]kind, len(columns)), single: len(columns) == 1}
	for i, col := range columns {
		c.kinds[i] = kindOf(col.OID)
	}
	return c
}

// AppendHeader appends the line of names.
func (c *CSV) AppendHeader(dst []byte, columns []Column) []byte {
	for i, col := range columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.appendText(dst, []byte(col.Name))
	}
	return append(dst, '\r', '\n')
}

// AppendRow appends one line. Values are in PostgreSQL's text format, nil is NULL.
func (c *CSV) AppendRow(dst []byte, values [][]byte) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		if v == nil {
			continue
		}
		switch c.kinds[i] {
		case kindPlain, kindNumber, kindFloat:
			dst = append(dst, v...)
		case kindBool:
			dst = appendBool(dst, v)
		case kindTimestamp:
			dst = appendTimestamp(dst, v, false)
		case kindTimestamptz:
			dst = appendTimestamp(dst, v, true)
		default:
			dst = c.appendText(dst, v)
		}
	}
	return append(dst, '\r', '\n')
}

func (c *CSV) appendText(dst, v []byte) []byte {
	if !c.quoted(v) {
		return append(dst, v...)
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(v, '"')
		if i < 0 {
			break
		}
		dst = append(dst, v[:i+1]...)
		dst = append(dst, '"')
		v = v[i+1:]
	}
	dst = append(dst, v...)
	return append(dst, '"')
}

// quoted follows COPY: the delimiter, the quote and line ends; the empty
// string, which would else read as NULL; and a lone \. which older readers
// take for the end of the data.
func (c *CSV) quoted(v []byte) bool {
	if len(v) == 0 || c.single && len(v) == 2 && v[0] == '\\' && v[1] == '.' {
		return true
	}
	for len(v) >= 8 {
		if special(binary.LittleEndian.Uint64(v)) {
			return true
		}
		v = v[8:]
	}
	for _, b := range v {
		if b == ',' || b == '"' || b == '\n' || b == '\r' {
			return true
		}
	}
	return false
}

// special reports whether one of eight bytes needs quoting. For each wanted
// byte, XOR makes it zero, and the classic test finds a zero byte in a word.
func special(w uint64) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	comma := w ^ ones*','
	quote := w ^ ones*'"'
	lf := w ^ ones*'\n'
	cr := w ^ ones*'\r'
	return ((comma-ones)&^comma|(quote-ones)&^quote|(lf-ones)&^lf|(cr-ones)&^cr)&highs != 0
}

func appendBool(dst, v []byte) []byte {
	if len(v) == 1 && v[0] == 't' {
		return append(dst, "true"...)
	}
	return append(dst, "false"...)
}
