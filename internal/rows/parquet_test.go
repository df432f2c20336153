package rows

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"
)

func bigInt(digits string) *big.Int {
	n, ok := new(big.Int).SetString(digits, 10)
	if !ok {
		panic(digits)
	}
	return n
}

func sha256of(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// parquetRows reads all rows of a file.
func parquetRows(t *testing.T, f *parquet.File) (all []parquet.Row) {
	t.Helper()
	for _, group := range f.RowGroups() {
		rows := group.Rows()
		buffer := make([]parquet.Row, 100)
		for {
			n, err := rows.ReadRows(buffer)
			for _, row := range buffer[:n] {
				all = append(all, row.Clone())
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		rows.Close()
	}
	return all
}

func opened(t *testing.T, text []byte) *parquet.File {
	t.Helper()
	f, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Columns come in the order of the query, under names that differ, whatever these are.
func TestParquetNames(t *testing.T) {
	var columns []Column
	var want []string
	for _, name := range [][2]string{
		{"z", "z"},
		{"a", "a"},
		{"a", "a_3"},
		{"a_2", "a_2"},
		{"a", "a_4"},
		{"a_2", "a_2_2"},
		{"x,y", "x,y"},
		{"A", "A"},
		{"", ""},
		{"", "_2"},
		{"p.q", "p.q"},
		{"list", "list"},
		{`"ž"`, `"ž"`},
		{"0", "0"},
	} {
		columns, want = append(columns, Column{Name: name[0], OID: OIDInt4}), append(want, name[1])
	}
	c := NewCSV(columns, CSVOptions{})
	text := c.AppendHeader(nil, columns)
	row := make([][]byte, len(columns))
	for i := range row {
		row[i] = fmt.Append(nil, i)
	}
	f := opened(t, made(t, bytes.NewReader(c.AppendRow(text, row)), columns, Form{Format: FormatParquet}))
	for i, got := range f.Root().Columns() {
		if got.Name() != want[i] {
			t.Errorf("column %d is %q, want %q", i, got.Name(), want[i])
		}
	}
	for i, v := range parquetRows(t, f)[0] {
		if v.Int32() != int32(i) {
			t.Errorf("column %d has %v", i, v)
		}
	}
}

// What has no place in a column is told, with its row, and what would do instead.
func TestParquetRefuses(t *testing.T) {
	money := Column{OID: OIDNumeric, Mod: 10<<16 + 2 + 4}
	for _, tt := range []struct {
		column      Column
		value, want string
	}{
		{money, "NaN", "has no place in a DECIMAL(10,2)"},
		{money, "Infinity", "has no place in a DECIMAL(10,2)"},
		{money, "123456789.00", "has no place in a DECIMAL(10,2)"},
		{money, "0.001", "has no place in a DECIMAL(10,2)"},
		{money, "1e3", "has no place in a DECIMAL(10,2)"},
		{Column{OID: OIDInt2}, "32768", "is no smallint"},
		{Column{OID: OIDInt4}, "2147483648", "is no integer"},
		{Column{OID: OIDInt4}, "1.5", "is no integer"},
		{Column{OID: OIDInt8}, "NaN", "is no bigint"},
		{Column{OID: OIDFloat4}, "1e39", "is no real"},
		{Column{OID: OIDFloat8}, "1e309", "is no double precision"},
		{Column{OID: OIDUUID}, "018f3c2a-0000-7000-8000-0000000000fg", "is no uuid"},
		{Column{OID: OIDUUID}, "018f3c2a00007000800000000000000ff-00", "is no uuid"},
		{Column{OID: OIDDate}, "2026-02-29", "is no date"},
		{Column{OID: OIDDate}, "2026-01-02 BC BC", "is no date"},
		{Column{OID: OIDTime}, "24:00:00.000001", "is no time"},
		{Column{OID: OIDTimestamp}, "2026-01-02", "is no timestamp"},
		{Column{OID: OIDTimestamp}, "294276-12-31 23:59:59.999999", "is later than a timestamp of parquet can be"},
		{Column{OID: OIDTimestamptz}, "2026-01-02 03:04:05+02", "is no timestamp"},
		{Column{OID: OIDBytea}, `\x0`, "is no bytea"},
		{Column{OID: OIDBytea}, `hi`, "is no bytea"},
	} {
		tt.column.Name = "v"
		_, err := Convert(t.Context(), strings.NewReader("v\r\n\r\n"+tt.value+"\r\n"), []Column{tt.column}, Form{Format: FormatParquet}, io.Discard, nil)
		want := fmt.Sprintf("row 2: column \"v\": %q %s", tt.value, tt.want)
		if _, ok := errors.AsType[*FormError](err); !ok || !strings.HasPrefix(err.Error(), want) || !strings.HasSuffix(err.Error(), "; other formats can have it") {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// The digits of a decimal are those of the number, however many there are.
func TestParquetDecimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		precision := rapid.IntRange(1, 38).Draw(t, "precision")
		scale := rapid.IntRange(0, precision).Draw(t, "scale")
		limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(precision)), nil)
		n := new(big.Int).SetBytes(rapid.SliceOfN(rapid.Byte(), 0, 17).Draw(t, "digits"))
		n.Mod(n, limit)
		if rapid.Bool().Draw(t, "the largest") {
			n.Sub(limit, big.NewInt(1))
		}
		text := n.String()
		if len(text) <= scale {
			text = strings.Repeat("0", scale-len(text)+1) + text
		}
		if scale > 0 {
			text = text[:len(text)-scale] + "." + text[len(text)-scale:]
		}
		if rapid.Bool().Draw(t, "negative") {
			n.Neg(n)
			text = "-" + text
		}
		v, _, wrong := decimalValue(precision, scale)(nil, []byte(text))
		got := new(big.Int)
		switch {
		case wrong != "":
			t.Fatalf("%s %s", text, wrong)
		case precision <= 9:
			got.SetInt64(int64(v.Int32()))
		case precision <= 18:
			got.SetInt64(v.Int64())
		default:
			if got = bigInt("0").SetBytes(v.ByteArray()); v.ByteArray()[0] >= 0x80 {
				got.Sub(got, bigInt("340282366920938463463374607431768211456"))
			}
		}
		if got.Cmp(n) != 0 {
			t.Fatalf("%s became %v, want %v", text, got, n)
		}
		if _, _, wrong := decimalValue(precision, scale)(nil, []byte("1"+strings.Repeat("0", precision-scale))); wrong == "" {
			t.Fatalf("a digit too many fits DECIMAL(%d,%d)", precision, scale)
		}
	})
}

// A long file has several row groups, each bounded; no page index, which the library gets wrong;
// and bounds only where they are right and short.
func TestParquetGroups(t *testing.T) {
	columns := []Column{{Name: "id", OID: OIDInt8}, {Name: "ref", OID: OIDUUID}, {Name: "sum", OID: OIDNumeric, Mod: 30<<16 + 4}, {Name: "text", OID: OIDText}, {Name: "ok", OID: OIDBool}}
	const rows = 28_000 // two groups and a little
	c := NewCSV(columns, CSVOptions{})
	text := c.AppendHeader(nil, columns)
	var random rand.PCG
	raw := make([]byte, 500)
	for i := range rows {
		for j := range raw {
			raw[j] = byte(random.Uint64())
		}
		row := [][]byte{fmt.Append(nil, i-10), nil, []byte("-5"), hex.AppendEncode(nil, raw), []byte("t")}
		if i%2 == 1 {
			row[2] = []byte("7")
		}
		if i >= rows/2 { // before, whole pages are NULL
			row[1] = fmt.Appendf(nil, "%08x-0000-0000-0000-000000000000", i)
		}
		text = c.AppendRow(text, row)
	}
	f := opened(t, made(t, bytes.NewReader(text), columns, Form{Format: FormatParquet}))
	groups := f.Metadata().RowGroups
	if len(groups) < 2 {
		t.Fatalf("%d row groups", len(groups))
	}
	first := int64(-10)
	for _, g := range groups {
		if g.TotalCompressedSize > groupSize {
			t.Errorf("a row group of %d bytes", g.TotalCompressedSize)
		}
		for i, column := range g.Columns {
			if column.ColumnIndexOffset != 0 || column.OffsetIndexOffset != 0 {
				t.Errorf("%s has a page index", columns[i].Name)
			}
			s := column.MetaData.Statistics
			if bounded := s.MinValue != nil || s.MaxValue != nil; bounded != (i == 0 || i == 4 || i == 1 && s.NullCount < g.NumRows) {
				t.Errorf("%s has bounds: %v", columns[i].Name, bounded)
			}
		}
		id := g.Columns[0].MetaData.Statistics
		if least, most := int64(binary.LittleEndian.Uint64(id.MinValue)), int64(binary.LittleEndian.Uint64(id.MaxValue)); least != first || most != first+g.NumRows-1 {
			t.Errorf("ids from %d to %d, want from %d to %d", least, most, first, first+g.NumRows-1)
		}
		first += g.NumRows
	}
	got := parquetRows(t, f)
	if len(got) != rows || f.NumRows() != rows {
		t.Fatalf("%d rows, %d announced", len(got), f.NumRows())
	}
	for i, row := range got {
		if row[0].Int64() != int64(i-10) || row[1].IsNull() != (i < rows/2) || !row[1].IsNull() && int(binary.BigEndian.Uint32(row[1].ByteArray())) != i || len(row[3].ByteArray()) != 2*len(raw) || !row[4].Boolean() {
			t.Fatalf("row %d is %v", i, row)
		}
	}
}

// A value may be as long as a row, and a table as wide as PostgreSQL can have it.
func TestParquetLarge(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", (longestMessage-100)/16)
	f := opened(t, made(t, strings.NewReader("a\n"+long+"\nx\n"+long+"\n"), oneColumn, Form{Format: FormatParquet}))
	if rows := parquetRows(t, f); len(rows) != 3 || string(rows[0][0].ByteArray()) != long || rows[1][0].String() != "x" || len(rows[2][0].ByteArray()) != len(long) {
		t.Errorf("%d rows", len(rows))
	}
	columns := make([]Column, 1600)
	for i := range columns {
		columns[i] = Column{Name: fmt.Sprint(i), OID: OIDText}
	}
	c := NewCSV(columns, CSVOptions{})
	text := c.AppendHeader(nil, columns)
	row := make([][]byte, len(columns))
	for n := range 100 {
		for i := range row {
			row[i] = fmt.Append(nil, n*i)
		}
		text = c.AppendRow(text, row)
	}
	rows := parquetRows(t, opened(t, made(t, bytes.NewReader(text), columns, Form{Format: FormatParquet})))
	if len(rows) != 100 || rows[99][1599].String() != fmt.Sprint(99*1599) {
		t.Errorf("%d rows", len(rows))
	}
}
