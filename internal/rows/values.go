package rows

import "strings"

// Column is one column of a described query.
type Column struct {
	Name string
	// OID is the column's type; Type its name as format_type gives it, when known.
	OID  uint32
	Type string
	// Mod is the type's modifier as PostgreSQL has it (atttypmod), 0 for none: what
	// numeric(10,2) has in its parentheses.
	Mod int32
}

// modifier is a Column's Mod of PostgreSQL's own, for which -1 is none.
func modifier(atttypmod int32) int32 { return max(atttypmod, 0) }

// kind is what an encoder must know of a column's type.
type kind uint8

const (
	kindText        kind = iota // anything: escape as needed
	kindPlain                   // text that never needs quoting: uuid, date, time
	kindNumber                  // integers and numeric: digits, sign, point, or NaN and Infinity
	kindFloat                   // floats: the same with exponents
	kindBool                    // t or f
	kindTimestamp               // 2006-01-02 15:04:05.999999
	kindTimestamptz             // the same with a zone, always +00 here
	kindJSON                    // json and jsonb
	kindBytea                   // \x…
	kindArray                   // {…}, of elements of another kind
)

// Object identifiers of PostgreSQL's built-in types, from pg_type.dat.
const (
	OIDBool        = 16
	OIDBytea       = 17
	OIDInt8        = 20
	OIDInt2        = 21
	OIDInt4        = 23
	OIDText        = 25
	OIDOid         = 26
	OIDJSON        = 114
	OIDFloat4      = 700
	OIDFloat8      = 701
	OIDDate        = 1082
	OIDTime        = 1083
	OIDTimestamp   = 1114
	OIDTimestamptz = 1184
	OIDNumeric     = 1700
	OIDUUID        = 2950
	OIDJSONB       = 3802
)

// FirstOwnType is the first id of a type that is not PostgreSQL's own.
const FirstOwnType = 16384

// arrays maps array types to the types of their elements; "bounds" like
// [2:3]={…} and user-defined arrays stay text.
var arrays = map[uint32]uint32{
	1000: OIDBool, 1005: OIDInt2, 1007: OIDInt4, 1016: OIDInt8, 1009: OIDText, 1015: OIDText, 1014: OIDText,
	1021: OIDFloat4, 1022: OIDFloat8, 1231: OIDNumeric, 2951: OIDUUID, 1182: OIDDate,
	1115: OIDTimestamp, 1185: OIDTimestamptz, 199: OIDJSON, 3807: OIDJSONB, 1001: OIDBytea, 1028: OIDOid, 1183: OIDTime,
}

// kindOfColumn is kindOf, and knows an array of any other type where the column says so:
// its elements are text.
func kindOfColumn(c Column) kind {
	k := kindOf(c.OID)
	if k == kindText && strings.HasSuffix(c.Type, "[]") {
		return kindArray
	}
	return k
}

func kindOf(oid uint32) kind {
	switch oid {
	case OIDInt2, OIDInt4, OIDInt8, OIDOid, OIDNumeric:
		return kindNumber
	case OIDFloat4, OIDFloat8:
		return kindFloat
	case OIDUUID, OIDDate, OIDTime:
		return kindPlain
	case OIDBool:
		return kindBool
	case OIDTimestamp:
		return kindTimestamp
	case OIDTimestamptz:
		return kindTimestamptz
	case OIDJSON, OIDJSONB:
		return kindJSON
	case OIDBytea:
		return kindBytea
	}
	if _, ok := arrays[oid]; ok {
		return kindArray
	}
	return kindText
}

// IsNumber reports whether values of a type are numbers.
func IsNumber(oid uint32) bool { return kindOf(oid) == kindNumber || kindOf(oid) == kindFloat }

// textual reports whether values of a type are words of people: PostgreSQL's own text
// types, and all types that are not PostgreSQL's own, as enums.
func textual(oid uint32) bool {
	const char, name, xml, bpchar, varchar = 18, 19, 142, 1042, 1043
	switch oid {
	case char, name, OIDText, xml, bpchar, varchar:
		return true
	}
	return oid >= FirstOwnType
}

// appendTimestamp turns PostgreSQL's ISO text into RFC 3339: a T between date
// and time and, for a timestamptz, Z for +00. What has no such form stays as
// it is: infinity, years before Christ, years of five and more digits. The
// session's time zone is UTC, so no other offset appears; one with seconds, as
// some zones had before 1900, cannot.
func appendTimestamp(dst, v []byte, zone bool) []byte {
	const date = len("2006-01-02")
	if len(v) < len("2006-01-02 15:04:05") || v[4] != '-' || v[date] != ' ' || v[len(v)-1] == 'C' {
		return append(dst, v...)
	}
	if !zone {
		dst = append(dst, v[:date]...)
		dst = append(dst, 'T')
		return append(dst, v[date+1:]...)
	}
	end := len(v) - len("+00")
	if v[end] != '+' || v[end+1] != '0' || v[end+2] != '0' {
		return append(dst, v...)
	}
	dst = append(dst, v[:date]...)
	dst = append(dst, 'T')
	dst = append(dst, v[date+1:end]...)
	return append(dst, 'Z')
}
