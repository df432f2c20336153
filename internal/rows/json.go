package rows

import (
	"encoding/base64"
	"encoding/hex"
	"strconv"
)

// JSON encodes rows as JSON objects: arrays and json are JSON, numerics keep
// their exact digits, booleans are booleans, bytea is base64, NaN and
// infinities are strings, timestamps are RFC 3339 as in CSV; everything else
// is a string of PostgreSQL's text. A row has no line end in it. It appends to a buffer of
// the caller.
type JSON struct {
	columns []Column
	kinds   []kind
	names   [][]byte // `"name":`, escaped once
}

// NewJSON returns an encoder for rows of these columns.
func NewJSON(columns []Column) *JSON {
	j := &JSON{columns: columns, kinds: make([]kind, len(columns)), names: make([][]byte, len(columns))}
	for i, c := range columns {
		j.kinds[i] = kindOfColumn(c)
		j.names[i] = append(appendJSONString(nil, []byte(c.Name)), ':')
	}
	return j
}

// AppendRow appends one object. Values are in PostgreSQL's text format, nil is NULL.
func (j *JSON) AppendRow(dst []byte, values [][]byte) []byte {
	dst = append(dst, '{')
	for i, v := range values {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, j.names[i]...)
		dst = appendJSON(dst, v, j.kinds[i], j.columns[i].OID)
	}
	return append(dst, '}')
}

// AppendField appends the name and the value of one column, as members of an object.
func (j *JSON) AppendField(dst []byte, column int, value []byte) []byte {
	return j.AppendValue(append(dst, j.names[column]...), column, value)
}

// AppendValue appends the value of one column.
func (j *JSON) AppendValue(dst []byte, column int, value []byte) []byte {
	return appendJSON(dst, value, j.kinds[column], j.columns[column].OID)
}

// appendJSON appends one value of a type.
func appendJSON(dst, v []byte, k kind, oid uint32) []byte {
	if v == nil {
		return append(dst, "null"...)
	}
	switch k {
	case kindNumber, kindFloat:
		if isNumber(v) {
			return append(dst, v...)
		}
	case kindBool:
		return appendBool(dst, v)
	case kindTimestamp, kindTimestamptz:
		dst = append(dst, '"')
		dst = appendTimestamp(dst, v, k == kindTimestamptz)
		return append(dst, '"')
	case kindJSON:
		// Line ends are between tokens: a json keeps the text as it was written.
		start := len(dst)
		dst = append(dst, v...)
		for i, c := range dst[start:] {
			if c == '\n' || c == '\r' {
				dst[start+i] = ' '
			}
		}
		return dst
	case kindBytea:
		if raw, ok := decodeBytea(v); ok {
			dst = append(dst, '"')
			dst = base64.StdEncoding.AppendEncode(dst, raw)
			return append(dst, '"')
		}
	case kindArray:
		element := arrays[oid]
		if out, ok := appendArray(dst, v, kindOf(element), element); ok {
			return out
		}
	}
	return appendJSONString(dst, v)
}

// isNumber tells the digits of a number from NaN and the infinities. What
// PostgreSQL writes for a finite number is always a JSON number.
func isNumber(v []byte) bool {
	last := v[len(v)-1]
	return '0' <= last && last <= '9'
}

func decodeBytea(v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '\\' || v[1] != 'x' {
		return nil, false
	}
	raw := make([]byte, hex.DecodedLen(len(v)-2))
	_, err := hex.Decode(raw, v[2:])
	return raw, err == nil
}

// appendJSONString appends v as a JSON string. PostgreSQL's text is UTF-8.
func appendJSONString(dst, v []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i, b := range v {
		if b >= 0x20 && b != '"' && b != '\\' {
			continue
		}
		dst = append(dst, v[start:i]...)
		start = i + 1
		switch b {
		case '"', '\\':
			dst = append(dst, '\\', b)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0')
			dst = append(dst, strconv.FormatInt(int64(b>>4), 16)...)
			dst = append(dst, strconv.FormatInt(int64(b&15), 16)...)
		}
	}
	dst = append(dst, v[start:]...)
	return append(dst, '"')
}

// appendArray turns {1,2,NULL} and {{"a b"},{c}} into JSON arrays. It declines
// what has explicit bounds ([2:3]={…}), which JSON cannot say.
func appendArray(dst, v []byte, k kind, oid uint32) ([]byte, bool) {
	p := arrayParser{in: v, kind: k, oid: oid}
	out, ok := p.array(dst)
	return out, ok && p.at == len(v)
}

// arrayParser reads PostgreSQL's array text: braces, commas, and elements that
// are bare (NULL among them) or quoted with backslash escapes.
type arrayParser struct {
	in      []byte
	at      int
	kind    kind
	oid     uint32
	scratch []byte
}

func (p *arrayParser) peek() byte {
	if p.at < len(p.in) {
		return p.in[p.at]
	}
	return 0
}

func (p *arrayParser) array(dst []byte) ([]byte, bool) {
	if p.peek() != '{' {
		return dst, false
	}
	p.at++
	dst = append(dst, '[')
	for first := true; ; first = false {
		if first && p.peek() == '}' {
			p.at++
			return append(dst, ']'), true
		}
		var ok bool
		if p.peek() == '{' {
			dst, ok = p.array(dst)
		} else {
			dst, ok = p.element(dst)
		}
		if !ok {
			return dst, false
		}
		switch p.peek() {
		case ',':
			p.at++
			dst = append(dst, ',')
		case '}':
			p.at++
			return append(dst, ']'), true
		default:
			return dst, false
		}
	}
}

func (p *arrayParser) element(dst []byte) ([]byte, bool) {
	if p.peek() != '"' {
		start := p.at
		for p.at < len(p.in) && p.in[p.at] != ',' && p.in[p.at] != '}' {
			p.at++
		}
		bare := p.in[start:p.at]
		if len(bare) == 0 {
			return dst, false
		}
		if string(bare) == "NULL" {
			return append(dst, "null"...), true
		}
		return appendJSON(dst, bare, p.kind, p.oid), true
	}
	p.scratch = p.scratch[:0]
	for p.at++; p.at < len(p.in); p.at++ {
		switch c := p.in[p.at]; c {
		case '"':
			p.at++
			return appendJSON(dst, p.scratch, p.kind, p.oid), true
		case '\\':
			p.at++
			if p.at == len(p.in) {
				return dst, false
			}
			p.scratch = append(p.scratch, p.in[p.at])
		default:
			p.scratch = append(p.scratch, c)
		}
	}
	return dst, false
}
