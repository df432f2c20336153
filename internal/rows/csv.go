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
	options CSVOptions
	kinds   []kind
	texts   []bool // columns in which a spreadsheet may find a formula
	single  bool
}

// CSVOptions are what a reader wants otherwise; the zero value is the CSV that COPY reads.
type CSVOptions struct {
	// Delimiter is between two values; 0 means a comma.
	Delimiter byte
	// BOM begins the file with U+FEFF, by which Excel knows UTF-8.
	BOM bool
	// Safe puts a ' before texts that a spreadsheet would run as a formula. Numbers and
	// other types stay as they are.
	Safe bool
}

// NewCSV returns an encoder for rows of these columns.
func NewCSV(columns []Column, options CSVOptions) *CSV {
	if options.Delimiter == 0 {
		options.Delimiter = ','
	}
	c := &CSV{options: options, kinds: make([]kind, len(columns)), texts: make([]bool, len(columns)), single: len(columns) == 1}
	for i, col := range columns {
		c.kinds[i] = kindOf(col.OID)
		c.texts[i] = options.Safe && c.kinds[i] == kindText && textual(col.OID)
	}
	return c
}

// AppendHeader appends the line of names.
func (c *CSV) AppendHeader(dst []byte, columns []Column) []byte {
	if c.options.BOM {
		dst = append(dst, "\uFEFF"...)
	}
	for i, col := range columns {
		if i > 0 {
			dst = append(dst, c.options.Delimiter)
		}
		dst = c.appendText(dst, []byte(col.Name))
	}
	return append(dst, '\r', '\n')
}

// AppendRow appends one line. Values are in PostgreSQL's text format, nil is NULL.
func (c *CSV) AppendRow(dst []byte, values [][]byte) []byte {
	for i, v := range values {
		if i > 0 {
			dst = append(dst, c.options.Delimiter)
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
			if c.texts[i] && formula(v) {
				v = append([]byte{'\''}, v...)
			}
			dst = c.appendText(dst, v)
		}
	}
	return append(dst, '\r', '\n')
}

// AppendValue appends a value of one column as CSV has it, but for quotes.
func (c *CSV) AppendValue(dst []byte, column int, v []byte) []byte {
	switch c.kinds[column] {
	case kindBool:
		return appendBool(dst, v)
	case kindTimestamp, kindTimestamptz:
		return appendTimestamp(dst, v, c.kinds[column] == kindTimestamptz)
	}
	return append(dst, v...)
}

// formula reports whether a spreadsheet may run the text; see OWASP on CSV injection.
func formula(v []byte) bool {
	return len(v) > 0 && bytes.IndexByte([]byte("=+-@\t\r"), v[0]) >= 0
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
		if special(binary.LittleEndian.Uint64(v), c.options.Delimiter) {
			return true
		}
		v = v[8:]
	}
	for _, b := range v {
		if b == c.options.Delimiter || b == '"' || b == '\n' || b == '\r' {
			return true
		}
	}
	return false
}

// special reports whether one of eight bytes needs quoting. For each wanted
// byte, XOR makes it zero, and the classic test finds a zero byte in a word.
func special(w uint64, delimiter byte) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	comma := w ^ ones*uint64(delimiter)
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
