package rows

import (
	"reflect"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// parquetKind is how a column is written.
type parquetKind struct {
	node  parquet.Node
	value parquetValue
	// unbounded: no smallest and largest values are kept. The library keeps those of bytes at
	// their full length, up to the end of the file, and compares long decimals as if they
	// had no sign.
	unbounded bool
}

// parquetKindOf chooses by a column's type. What parquet has no type for is text.
func parquetKindOf(c Column) parquetKind {
	switch c.OID {
	case OIDBool:
		return parquetKind{node: parquet.Leaf(parquet.BooleanType), value: boolValue}
	case OIDInt2:
		return parquetKind{node: parquet.Leaf(parquet.Int32Type), value: intValue("smallint", 16)}
	case OIDInt4:
		return parquetKind{node: parquet.Leaf(parquet.Int32Type), value: intValue("integer", 32)}
	case OIDInt8, OIDOid:
		return parquetKind{node: parquet.Leaf(parquet.Int64Type), value: intValue("bigint", 64)}
	case OIDFloat4:
		return parquetKind{node: parquet.Leaf(parquet.FloatType), value: floatValue("real", 32)}
	case OIDFloat8:
		return parquetKind{node: parquet.Leaf(parquet.DoubleType), value: floatValue("double precision", 64)}
	case OIDNumeric:
		if precision, scale, ok := c.numeric(); ok {
			return decimalKind(precision, scale)
		}
	case OIDUUID:
		return parquetKind{node: parquet.UUID(), value: uuidValue}
	case OIDDate:
		return parquetKind{node: parquet.Date(), value: dateValue}
	case OIDTime:
		return parquetKind{node: parquet.TimeAdjusted(parquet.Microsecond, false), value: timeValue}
	case OIDTimestamp:
		return parquetKind{node: parquet.TimestampAdjusted(parquet.Microsecond, false), value: timestampValue(false)}
	case OIDTimestamptz:
		return parquetKind{node: parquet.TimestampAdjusted(parquet.Microsecond, true), value: timestampValue(true)}
	case OIDBytea:
		return parquetKind{node: parquet.Leaf(parquet.ByteArrayType), value: byteaValue, unbounded: true}
	}
	if k := kindOfColumn(c); k == kindJSON || k == kindArray {
		return parquetKind{node: parquet.JSON(), value: jsonValue(c), unbounded: true}
	}
	return parquetKind{node: parquet.String(), value: textValue, unbounded: true}
}

// numeric returns the digits of a numeric(precision, scale) as a DECIMAL has them: at most
// 38, and from none to all of them behind the point. ok is false for a numeric that has more
// or any number of them.
func (c Column) numeric() (precision, scale int, ok bool) {
	const header = 4 // bytes that PostgreSQL adds to most modifiers
	if c.Mod < header {
		return 0, 0, false
	}
	precision = int(c.Mod-header) >> 16
	scale = int(c.Mod-header)&0x7ff ^ 1024 - 1024 // eleven bits with a sign
	if scale < 0 {                                // zeros before the point
		precision, scale = precision-scale, 0
	}
	precision = max(precision, scale) // zeros behind the point
	return precision, scale, precision <= 38
}

func decimalKind(precision, scale int) parquetKind {
	physical, long := parquet.Int32Type, false
	switch {
	case precision > 18:
		physical, long = parquet.FixedLenByteArrayType(16), true
	case precision > 9:
		physical = parquet.Int64Type
	}
	return parquetKind{node: parquet.Decimal(scale, precision, physical), value: decimalValue(precision, scale), unbounded: long}
}

// uniqueNames returns the columns' names, of which no two are equal: of those that are, the
// second becomes name_2, unless a column has that name already.
func uniqueNames(columns []Column) []string {
	taken := map[string]bool{}
	for _, c := range columns {
		taken[c.Name] = true
	}
	seen := map[string]int{}
	names := make([]string, len(columns))
	for i, c := range columns {
		seen[c.Name]++
		names[i] = c.Name
		if seen[c.Name] == 1 {
			continue
		}
		for ; taken[names[i]]; seen[c.Name]++ {
			names[i] = c.Name + "_" + strconv.Itoa(seen[c.Name])
		}
		seen[c.Name]--
		taken[names[i]] = true
	}
	return names
}

// ordered is the root of a schema. That of the library, a map, sorts its fields.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

// GoType would be a struct, which cannot have all names, and which nobody asks for.
func (o ordered) GoType() reflect.Type { return reflect.TypeFor[map[string]any]() }

// field is a named column of a schema. Nobody asks it for a value of a Go type.
type field struct {
	parquet.Node
	name string
}

func (f field) Name() string                           { return f.name }
func (f field) Value(base reflect.Value) reflect.Value { return base }
