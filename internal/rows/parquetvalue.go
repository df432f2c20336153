package rows

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"

	"github.com/parquet-go/parquet-go"
)

// parquetValue turns a value of PostgreSQL's text into one of a column. Bytes that the
// result refers to are appended to arena. It returns why the value has no place in the
// column, or "".
type parquetValue func(arena, v []byte) (value parquet.Value, grown []byte, wrong string)

// fixedValue is for values that refer to no bytes.
func fixedValue(what string, value func(v []byte) (parquet.Value, bool)) parquetValue {
	return func(arena, v []byte) (parquet.Value, []byte, string) {
		out, ok := value(v)
		if !ok {
			return out, arena, "is no " + what
		}
		return out, arena, ""
	}
}

// bytesValue is for values that are bytes.
func bytesValue(what string, add func(arena, v []byte) ([]byte, bool)) parquetValue {
	return func(arena, v []byte) (parquet.Value, []byte, string) {
		from := len(arena)
		arena, ok := add(arena, v)
		if !ok {
			return parquet.Value{}, arena, "is no " + what
		}
		return parquet.ByteArrayValue(arena[from:len(arena):len(arena)]), arena, ""
	}
}

var boolValue = fixedValue("boolean", func(v []byte) (parquet.Value, bool) {
	return parquet.BooleanValue(v[0] == 't'), true // the reader has looked at it
})

func intValue(what string, bits int) parquetValue {
	return fixedValue(what, func(v []byte) (parquet.Value, bool) {
		n, err := strconv.ParseInt(string(v), 10, bits)
		if bits <= 32 {
			return parquet.Int32Value(int32(n)), err == nil
		}
		return parquet.Int64Value(n), err == nil
	})
}

func floatValue(what string, bits int) parquetValue {
	return fixedValue(what, func(v []byte) (parquet.Value, bool) {
		n, err := strconv.ParseFloat(string(v), bits) // knows NaN and Infinity
		if bits == 32 {
			return parquet.FloatValue(float32(n)), err == nil
		}
		return parquet.DoubleValue(n), err == nil
	})
}

// dateValue counts days from 1970. Infinity is the extreme of the integer, as PostgreSQL
// itself stores it; years before Christ are negative.
var dateValue = fixedValue("date", func(v []byte) (parquet.Value, bool) {
	c, ok := parseDate(v)
	day := c.day
	switch {
	case c.infinite > 0:
		day = 1<<31 - 1
	case c.infinite < 0:
		day = -1 << 31
	}
	return parquet.Int32Value(int32(day)), ok //nolint:gosec // seven digits of a year fit
})

// timeValue counts microseconds of the day. 24:00:00, which is a time to PostgreSQL, is
// 86,400,000,000.
var timeValue = fixedValue("time", func(v []byte) (parquet.Value, bool) {
	micros, ok := parseTime(v)
	return parquet.Int64Value(micros), ok
})

// timestampValue counts microseconds from 1970; infinity as in dateValue.
func timestampValue(zone bool) parquetValue {
	return func(arena, v []byte) (parquet.Value, []byte, string) {
		c, ok := parseTimestamp(v, zone)
		if !ok {
			return parquet.Value{}, arena, "is no timestamp"
		}
		micros, ok := c.unixMicros()
		if !ok {
			return parquet.Value{}, arena, "is later than a timestamp of parquet can be"
		}
		return parquet.Int64Value(micros), arena, ""
	}
}

var uuidValue parquetValue = func(arena, v []byte) (parquet.Value, []byte, string) {
	from := len(arena)
	ok := len(v) == 36 && v[8] == '-' && v[13] == '-' && v[18] == '-' && v[23] == '-'
	for _, part := range [...][2]int{{0, 8}, {9, 13}, {14, 18}, {19, 23}, {24, 36}} {
		if ok {
			var err error
			arena, err = hex.AppendDecode(arena, v[part[0]:part[1]])
			ok = err == nil
		}
	}
	if !ok {
		return parquet.Value{}, arena, "is no uuid"
	}
	return parquet.FixedLenByteArrayValue(arena[from:len(arena):len(arena)]), arena, ""
}

var textValue = bytesValue("text", func(arena, v []byte) ([]byte, bool) { return append(arena, v...), true })

var byteaValue = bytesValue(`bytea: want \x and hexadecimal digits`, func(arena, v []byte) ([]byte, bool) {
	if len(v) < 2 || v[0] != '\\' || v[1] != 'x' {
		return arena, false
	}
	arena, err := hex.AppendDecode(arena, v[2:])
	return arena, err == nil
})

// jsonValue is for json, and for arrays, which become JSON.
func jsonValue(c Column) parquetValue {
	return bytesValue("valid JSON", func(arena, v []byte) ([]byte, bool) {
		from := len(arena)
		arena = appendJSON(arena, v, kindOfColumn(c), c.OID)
		return arena, json.Valid(arena[from:])
	})
}

// decimalValue is for numeric(precision, scale). NaN has no place in a DECIMAL, and to put
// NULL there instead would be to say something else; so it is refused, and the file can be had
// in other formats.
func decimalValue(precision, scale int) parquetValue {
	return func(arena, v []byte) (parquet.Value, []byte, string) {
		hi, lo, ok := decimal(v, precision, scale)
		switch {
		case !ok:
			return parquet.Value{}, arena, fmt.Sprintf("has no place in a DECIMAL(%d,%d)", precision, scale)
		case precision <= 9:
			return parquet.Int32Value(int32(lo)), arena, "" //nolint:gosec // the low half of a small number
		case precision <= 18:
			return parquet.Int64Value(int64(lo)), arena, "" //nolint:gosec // likewise
		}
		from := len(arena)
		arena = binary.BigEndian.AppendUint64(arena, hi)
		arena = binary.BigEndian.AppendUint64(arena, lo)
		return parquet.FixedLenByteArrayValue(arena[from:len(arena):len(arena)]), arena, ""
	}
}

// decimal reads a number as an integer of units of 10^-scale, in 128 bits of two's complement.
func decimal(v []byte, precision, scale int) (hi, lo uint64, ok bool) {
	negative := len(v) > 0 && v[0] == '-'
	if negative {
		v = v[1:]
	}
	significant, fraction, point := 0, 0, false
	add := func(digit uint64) {
		if significant > 0 || digit > 0 {
			significant++
		}
		over, low := bits.Mul64(lo, 10)
		var carry uint64
		lo, carry = bits.Add64(low, digit, 0)
		hi = hi*10 + over + carry
	}
	for _, b := range v {
		switch {
		case b == '.' && !point:
			point = true
			continue
		case b < '0' || b > '9':
			return 0, 0, false
		case point && fraction == scale:
			if b != '0' {
				return 0, 0, false
			}
			continue
		case point:
			fraction++
		}
		if add(uint64(b - '0')); significant > precision {
			return 0, 0, false
		}
	}
	for ; fraction < scale; fraction++ {
		if add(0); significant > precision {
			return 0, 0, false
		}
	}
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	return hi, lo, len(v) > 0
}
