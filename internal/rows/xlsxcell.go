package rows

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// xlsxCells writes rows as the XML of a sheet. A value is a number, a boolean or a date where a
// spreadsheet holds exactly that, and else a text, in the form that it has in CSV. Texts
// are never formulas. NULL has no cell; the empty string is an empty text.
type xlsxCells struct {
	columns []Column
	csv     *CSV
	names   []string // A, B, …
	styles  xlsxStyles
	text    []byte
}

func newXLSXCells(columns []Column, styles xlsxStyles) *xlsxCells {
	x := &xlsxCells{columns: columns, csv: NewCSV(columns, CSVOptions{}), styles: styles}
	for i := range columns {
		x.names = append(x.names, columnName(i))
	}
	return x
}

// header appends the row of names.
func (x *xlsxCells) header(dst []byte) ([]byte, error) {
	dst = append(dst, `<row r="1">`...)
	for i, c := range x.columns {
		if units(c.Name) > xlsxText {
			return dst, &FormError{Reason: "the name of column " + strconv.Itoa(i+1) + " is longer than a cell of a sheet can hold"}
		}
		dst = x.cell(dst, i, 1, x.styles.header)
		dst = appendInline(dst, []byte(c.Name))
	}
	return append(dst, "</row>"...), nil
}

// row appends the n-th row below the header, from 1.
func (x *xlsxCells) row(dst []byte, values [][]byte, n int64) ([]byte, error) {
	dst = append(dst, `<row r="`...)
	dst = strconv.AppendInt(dst, n+1, 10)
	dst = append(dst, `">`...)
	for i, v := range values {
		if v == nil {
			continue
		}
		var ok bool
		if dst, ok = x.typed(dst, i, n+1, v); ok {
			continue
		}
		x.text = x.csv.AppendValue(x.text[:0], i, v)
		if len(x.text) > xlsxText {
			if most := units(string(x.text)); most > xlsxText {
				return dst, misfit(n-1, "column %q has a text of %d characters, and a cell of a sheet holds %d; take csv, ndjson, json or parquet", x.columns[i].Name, most, xlsxText)
			}
		}
		dst = x.cell(dst, i, n+1, 0)
		dst = appendInline(dst, x.text)
	}
	return append(dst, "</row>"...), nil
}

// cell begins the tag of a cell.
func (x *xlsxCells) cell(dst []byte, column int, row int64, style int) []byte {
	dst = append(dst, `<c r="`...)
	dst = append(dst, x.names[column]...)
	dst = strconv.AppendInt(dst, row, 10)
	dst = append(dst, '"')
	if style != 0 {
		dst = append(dst, ` s="`...)
		dst = strconv.AppendInt(dst, int64(style), 10)
		dst = append(dst, '"')
	}
	return dst
}

// typed appends a cell that is no text, if there is one for the value.
func (x *xlsxCells) typed(dst []byte, column int, row int64, v []byte) ([]byte, bool) {
	switch oid := x.columns[column].OID; oid {
	case OIDBool:
		dst = x.cell(dst, column, row, 0)
		dst = append(dst, ` t="b"><v>`...)
		if v[0] == 't' {
			dst = append(dst, '1')
		} else {
			dst = append(dst, '0')
		}
		return append(dst, "</v></c>"...), true
	case OIDDate:
		if c, ok := parseDate(v); ok && c.inSheet() {
			return x.number(dst, column, row, x.styles.date, func(dst []byte) []byte { return strconv.AppendInt(dst, c.day+sheetEpoch, 10) }), true
		}
	case OIDTimestamp, OIDTimestamptz:
		c, ok := parseTimestamp(v, oid == OIDTimestamptz)
		if !ok || !c.inSheet() || c.micros%1000 != 0 {
			break
		}
		style := x.styles.seconds
		if c.micros%1_000_000 != 0 {
			style = x.styles.millis
		}
		days := float64(c.day+sheetEpoch) + float64(c.micros)/microsPerDay
		return x.number(dst, column, row, style, func(dst []byte) []byte { return strconv.AppendFloat(dst, days, 'f', -1, 64) }), true
	default:
		k := kindOf(oid)
		if k == kindNumber && exact(v) || k == kindFloat && inRange(v) {
			return x.number(dst, column, row, 0, func(dst []byte) []byte { return append(dst, v...) }), true
		}
	}
	return dst, false
}

func (x *xlsxCells) number(dst []byte, column int, row int64, style int, add func(dst []byte) []byte) []byte {
	dst = x.cell(dst, column, row, style)
	dst = append(dst, "><v>"...)
	dst = add(dst)
	return append(dst, "</v></c>"...)
}

// sheetEpoch is the number of 1970-01-01 in a sheet, which counts days. Before March 1900 it
// counts wrongly, for there is a day in it that never was; after 9999 it has no days.
const sheetEpoch = 25569

func (c civil) inSheet() bool {
	const march1900, end9999 = 61 - sheetEpoch, 2958465 - sheetEpoch
	return c.infinite == 0 && march1900 <= c.day && c.day <= end9999 && c.micros < microsPerDay
}

// exact reports whether a sheet holds a number as it is: it keeps 15 digits.
func exact(v []byte) bool {
	first, last, n := -1, 0, 0 // of the digits that are not 0
	for _, b := range v {
		switch {
		case b == '-' || b == '.':
			continue
		case b < '0' || b > '9': // NaN, Infinity
			return false
		case b != '0':
			if first < 0 {
				first = n
			}
			last = n
		}
		n++
	}
	return first < 0 || last-first < 15 && inRange(v)
}

// inRange reports whether a number is zero or of a size that a sheet can hold. A float is
// exact then: a sheet has the same.
func inRange(v []byte) bool {
	f, err := strconv.ParseFloat(string(v), 64)
	if f < 0 {
		f = -f
	}
	return err == nil && (f == 0 || 2.2250738585072014e-308 <= f && f <= 9.99999999999999e307)
}

// units counts the UTF-16 code units of a text.
func units(text string) (n int) {
	for _, r := range text {
		n++
		if r > 0xffff {
			n++
		}
	}
	return n
}

// appendInline appends a text, from within the tag of its cell to the cell's end.
func appendInline(dst, v []byte) []byte {
	dst = append(dst, ` t="inlineStr"><is><t`...)
	if len(v) > 0 && (v[0] <= ' ' || v[len(v)-1] <= ' ') {
		dst = append(dst, ` xml:space="preserve"`...)
	}
	dst = append(dst, '>')
	dst = appendXML(dst, v)
	return append(dst, "</t></is></c>"...)
}

// appendXML appends a text as that of an element. What XML cannot say stands as the
// spreadsheets have agreed on, _x001F_ for U+001F, and so does what looks like it.
func appendXML(dst, v []byte) []byte {
	start := 0
	for i := 0; i < len(v); i++ {
		if !suspect[v[i]] {
			continue
		}
		var instead string
		size := 1
		switch b := v[i]; {
		case b == '&':
			instead = "&amp;"
		case b == '<':
			instead = "&lt;"
		case b == '>':
			instead = "&gt;"
		case b == '_' && escaped(v[i:]):
			instead = "_x005F_"
		case b == '\r': // or an XML reader makes a line feed of it
			instead = "&#13;"
		case b < ' ':
			instead = fmt.Sprintf("_x%04X_", b)
		case b == 0xEF && i+2 < len(v) && v[i+1] == 0xBF && v[i+2] >= 0xBE: // U+FFFE, U+FFFF
			r, n := utf8.DecodeRune(v[i:])
			instead, size = fmt.Sprintf("_x%04X_", r), n
		default:
			continue
		}
		dst = append(dst, v[start:i]...)
		dst = append(dst, instead...)
		i += size - 1
		start = i + 1
	}
	return append(dst, v[start:]...)
}

// suspect are the bytes that may have to be written otherwise; 0xEF begins U+FFFE.
var suspect = func() (s [256]bool) {
	for b := range byte(' ') {
		s[b] = b != '\t' && b != '\n'
	}
	for _, b := range []byte("&<>_\xEF") {
		s[b] = true
	}
	return s
}()

// escaped reports whether a text begins like an escaped character.
func escaped(v []byte) bool {
	if len(v) < len("_x0000_") || v[1] != 'x' || v[6] != '_' {
		return false
	}
	for _, b := range v[2:6] {
		if !('0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f') {
			return false
		}
	}
	return true
}
