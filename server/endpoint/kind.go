package endpoint

import "fmt"

// Kind is what values of a column are like, in the words of a spec's types.
type Kind string

// The kinds. Float and Other are found in databases only; a spec says numeric
// and string for them.
const (
	Text        Kind = "string"
	Int         Kind = "int"
	Numeric     Kind = "numeric"
	Float       Kind = "float"
	Bool        Kind = "bool"
	Date        Kind = "date"
	Timestamp   Kind = "timestamp"
	TimestampTZ Kind = "timestamptz"
	UUID        Kind = "uuid"
	JSON        Kind = "json"
	Bytes       Kind = "bytes"
	// Other is every type not known here: enums, arrays, intervals, extensions'.
	// It is compared as its text.
	Other Kind = "other"
)

// The type words of specs; text is another word for string.
var (
	parameterTypes = []string{"string", "text", "int", "numeric", "bool", "date", "timestamp", "uuid"}
	propertyTypes  = append(parameterTypes[:len(parameterTypes):len(parameterTypes)], "json")
)

// kindOfWord returns the kind a spec's type word means.
func kindOfWord(word string) Kind {
	if word == "text" {
		return Text
	}
	return Kind(word)
}

// columnType is what this package knows about a PostgreSQL type.
type columnType struct {
	kind Kind
	// cast is the type a bound value is cast to, so that the comparison uses
	// the column's own type and index.
	cast string
	// bits is the width of ints and floats.
	bits int
	// ranged says whether min- and the like make sense.
	ranged bool
	// sortable says whether the type has an order.
	sortable bool
}

const (
	oidName     = 19
	oidVarchar  = 1043
	oidJSON     = 114
	oidTsvector = 3614
)

var columnTypes = map[uint32]columnType{
	16:         {kind: Bool, cast: "bool", sortable: true},
	17:         {kind: Bytes, sortable: true},
	oidName:    {kind: Text, cast: "text", ranged: true, sortable: true},
	20:         {kind: Int, cast: "int8", bits: 64, ranged: true, sortable: true},
	21:         {kind: Int, cast: "int2", bits: 16, ranged: true, sortable: true},
	23:         {kind: Int, cast: "int4", bits: 32, ranged: true, sortable: true},
	25:         {kind: Text, cast: "text", ranged: true, sortable: true},
	oidJSON:    {kind: JSON},
	700:        {kind: Float, cast: "float4", bits: 32, ranged: true, sortable: true},
	701:        {kind: Float, cast: "float8", bits: 64, ranged: true, sortable: true},
	1042:       {kind: Text, cast: "bpchar", ranged: true, sortable: true},
	oidVarchar: {kind: Text, cast: "text", ranged: true, sortable: true},
	1082:       {kind: Date, cast: "date", ranged: true, sortable: true},
	1114:       {kind: Timestamp, cast: "timestamp", ranged: true, sortable: true},
	1184:       {kind: TimestampTZ, cast: "timestamptz", ranged: true, sortable: true},
	1700:       {kind: Numeric, cast: "numeric", ranged: true, sortable: true},
	2950:       {kind: UUID, cast: "uuid", ranged: true, sortable: true},
	3802:       {kind: JSON, sortable: true},
}

// unordered are PostgreSQL's own types without a default order, and their
// arrays: xml, json[], the geometric ones, xid, cid, aclitem, refcursor,
// jsonpath, snapshots; ORDER BY would fail. And those whose order no page could
// be continued in: regclass and its like are ordered by numbers and written as
// names, and an anonymous record cannot be read back.
var unordered = map[uint32]bool{
	28: true, 29: true, 1011: true, 1012: true, 142: true, 143: true, 199: true,
	600: true, 601: true, 602: true, 603: true, 604: true, 628: true, 718: true,
	1017: true, 1018: true, 1019: true, 1020: true, 1027: true, 629: true, 719: true,
	1033: true, 1034: true, 1790: true, 2201: true, 2970: true, 2949: true,
	4072: true, 4073: true, 5038: true, 5039: true,
	24: true, 2202: true, 2203: true, 2204: true, 2205: true, 2206: true, 3734: true,
	3769: true, 4089: true, 4096: true, 4191: true, 2249: true, 2287: true,
}

// typeOf returns what is known about the type with that OID. A type that
// is not known compares as its text and has no range, since its text may
// be in another order than its values.
func typeOf(oid uint32) columnType {
	if t, ok := columnTypes[oid]; ok {
		return t
	}
	return columnType{kind: Other, cast: "text", sortable: !unordered[oid]}
}

// expected says what a value of this type looks like.
func (t columnType) expected() string {
	switch t.kind {
	case Int:
		lowest := int64(-1) << (t.bits - 1)
		return fmt.Sprintf("a whole number from %d to %d", lowest, -(lowest + 1))
	case Numeric:
		return fmt.Sprintf("a number of at most %d digits, like 12.5", mostDigits)
	case Float:
		return fmt.Sprintf("a number in the range of a %d-bit float, like 12.5", t.bits)
	case Bool:
		return "true or false"
	case Date:
		return "a date like 2026-01-31"
	case Timestamp, TimestampTZ:
		return "a time like 2026-01-31T12:00:00Z (RFC 3339), or a date"
	case UUID:
		return "a UUID like 123e4567-e89b-12d3-a456-426614174000"
	}
	return "text"
}

// declarable tells which kinds of column or parameter a declared type may
// stand for. Text and Other admit every declared scalar, because any such
// value is also a text.
func declarable(declared, actual Kind) bool {
	if declared == actual {
		return true
	}
	switch declared {
	case Text:
		return actual == Other || actual == Bytes
	case Int:
		return actual == Numeric || actual == Float
	case Numeric:
		return actual == Float
	case Date:
		return actual == Timestamp || actual == TimestampTZ
	case Timestamp:
		return actual == TimestampTZ
	}
	return false
}
