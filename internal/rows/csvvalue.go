package rows

import (
	"strconv"
	"strings"
)

// value returns the value of a cell in PostgreSQL's text format: the inverse of
// CSV.AppendRow. It refuses what an encoder would write wrongly.
func (r *CSVReader) value(c cell, column int) ([]byte, error) {
	if c.start == c.end && !c.quoted {
		return nil, nil
	}
	v, k := r.text(c), r.kinds[column]
	ok := true
	switch k {
	case kindBool:
		switch string(v) {
		case "true", "false":
			v = v[:1]
		case "t", "f":
		default:
			return nil, r.fail("column %q: %s is no boolean, want true or false", r.columns[column].Name, shown(v))
		}
	case kindNumber, kindFloat:
		ok = isNumeric(v)
	case kindTimestamp, kindTimestamptz:
		if ok = isPlain(v); ok {
			v = r.timestamp(v, k == kindTimestamptz)
		}
	case kindPlain:
		ok = isPlain(v)
	}
	if !ok {
		return nil, r.fail("column %q: %s is no value of its type", r.columns[column].Name, shown(v))
	}
	return v, nil
}

// shown is a value for a message: quoted, and cut where it is long.
func shown(v []byte) string {
	const most = 60
	if len(v) > most {
		return strconv.Quote(strings.ToValidUTF8(string(v[:most]), "")) + "…"
	}
	return strconv.Quote(string(v))
}

// isPlain reports whether a text has only what uuids, dates and times are made of, which no
// encoder has to quote or to escape.
func isPlain(v []byte) bool {
	for _, b := range v {
		if !plainBytes[b] {
			return false
		}
	}
	return len(v) > 0
}

var plainBytes = func() (p [256]bool) {
	for _, b := range []byte("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ -:.+") {
		p[b] = true
	}
	return p
}()

// timestamp is the inverse of appendTimestamp.
func (r *CSVReader) timestamp(v []byte, zone bool) []byte {
	const date = len("2006-01-02")
	if len(v) < len("2006-01-02T15:04:05") || v[4] != '-' || v[date] != 'T' || v[len(v)-1] == 'C' {
		return v
	}
	if zone {
		if v[len(v)-1] != 'Z' || len(v) == len("2006-01-02T15:04:05") {
			return v
		}
		from := len(r.times)
		r.times = append(append(r.times, v[:len(v)-1]...), "+00"...)
		v = r.times[from:len(r.times):len(r.times)]
	}
	v[date] = ' '
	return v
}

// isNumeric reports whether a text is what PostgreSQL writes for a number, which is a
// number of JSON too, or NaN or an infinity.
func isNumeric(v []byte) bool {
	switch string(v) {
	case "NaN", "Infinity", "-Infinity":
		return true
	}
	if len(v) > 0 && v[0] == '-' {
		v = v[1:]
	}
	whole := digits(v)
	if whole == 0 || whole > 1 && v[0] == '0' {
		return false
	}
	v = v[whole:]
	if len(v) > 0 && v[0] == '.' {
		n := digits(v[1:])
		if n == 0 {
			return false
		}
		v = v[1+n:]
	}
	if len(v) > 0 && v[0]|0x20 == 'e' {
		if v = v[1:]; len(v) > 0 && (v[0] == '+' || v[0] == '-') {
			v = v[1:]
		}
		return len(v) > 0 && digits(v) == len(v)
	}
	return len(v) == 0
}

// digits counts the digits at the beginning.
func digits(v []byte) int {
	for i, b := range v {
		if b < '0' || b > '9' {
			return i
		}
	}
	return len(v)
}
