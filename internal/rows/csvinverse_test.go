package rows

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// drawn returns a value of a type as PostgreSQL writes it.
func drawn(t *rapid.T, oid uint32) []byte {
	if rapid.IntRange(0, 5).Draw(t, "null") == 0 {
		return nil
	}
	from := func(texts ...string) []byte { return []byte(rapid.SampledFrom(texts).Draw(t, "value")) }
	switch oid {
	case OIDBool:
		return from("t", "f")
	case OIDInt8:
		return fmt.Append(nil, rapid.Int64().Draw(t, "int"))
	case OIDNumeric:
		return from("0", "-1.50", "1234567890123456789012345678901234567890.0000000001", "NaN", "Infinity", "-Infinity", "0.00")
	case OIDFloat8:
		return from("0", "-0", "1e-300", "-1.7976931348623157e+308", "NaN", "Infinity", "-Infinity", "0.30000000000000004")
	case OIDDate:
		return from("2026-01-02", "infinity", "-infinity", "0044-03-15 BC", "5874897-12-31")
	case OIDTime:
		return from("00:00:00", "23:59:59.999999", "24:00:00")
	case OIDUUID:
		return from("00000000-0000-0000-0000-0000000000ff")
	case OIDTimestamp:
		return from("2026-01-02 03:04:05", "2026-01-02 03:04:05.678901", "infinity", "-infinity", "0044-03-15 00:00:00 BC", "294276-12-31 23:59:59.999999")
	case OIDTimestamptz:
		return from("2026-01-02 03:04:05+00", "2026-01-02 03:04:05.6+00", "infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "294276-12-31 23:59:59.999999+00")
	case OIDBytea:
		return from(`\x`, `\x00ff`)
	case OIDJSONB:
		return from(`{"a": [1, "x,\"y\""]}`, `null`, `""`)
	case 1009:
		return from(`{}`, `{a,NULL,"b,\"c\""}`, "{{1,2},{3,4}}")
	}
	return []byte(rapid.StringOf(rapid.OneOf(rapid.SampledFrom([]rune(",\"\r\n\\. ;=\uFEFFé日😀'")), rapid.Rune().Filter(func(r rune) bool { return r != 0 }))).Draw(t, "text"))
}

// Whatever is written is read as it was, in whatever pieces it comes.
func TestCSVReaderIsInverse(t *testing.T) {
	oids := []uint32{OIDBool, OIDInt8, OIDNumeric, OIDFloat8, OIDDate, OIDTime, OIDUUID, OIDTimestamp, OIDTimestamptz, OIDBytea, OIDJSONB, 1009, OIDText, 70000}
	rapid.Check(t, func(t *rapid.T) {
		columns := make([]Column, rapid.IntRange(1, 6).Draw(t, "columns"))
		for i := range columns {
			columns[i].OID = rapid.SampledFrom(oids).Draw(t, "type")
			if columns[i].Name = string(drawn(t, OIDText)); columns[i].Name == "" {
				columns[i].Name = "n"
			}
		}
		c := NewCSV(columns, CSVOptions{BOM: rapid.Bool().Draw(t, "mark")})
		text := c.AppendHeader(nil, columns)
		var want [][][]byte
		for range rapid.IntRange(0, 8).Draw(t, "rows") {
			row := make([][]byte, len(columns))
			for i := range row {
				row[i] = drawn(t, columns[i].OID)
			}
			text = c.AppendRow(text, row)
			want = append(want, row)
		}
		in := &chunks{bytes.Clone(text), rapid.SliceOfN(rapid.IntRange(1, 60), 1, 9).Draw(t, "reads")}
		r := NewCSVReader(in, columns)
		r.buf = make([]byte, rapid.IntRange(3, 40).Draw(t, "buffer")) // so that it has to move and grow
		_, got, err := readAll(r)
		if err != nil || !slices.EqualFunc(got, want, sameRow) {
			t.Fatalf("%v\n got %s\nwant %s\nfrom %q", err, shownRows(got), shownRows(want), text)
		}
	})
}

func TestCSVReaderAllocatesNothing(t *testing.T) {
	g := newGenerated(3000)
	text, err := io.ReadAll(g)
	if err != nil {
		t.Fatal(err)
	}
	r := NewCSVReader(bytes.NewReader(text), generatedColumns)
	if _, err := r.ReadHeader(); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(2000, func() {
		if _, err := r.Read(); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per row, want 0", n)
	}
}

// Nothing makes the reader panic, and what it takes it takes again from the encoder.
func FuzzCSVReader(f *testing.F) {
	f.Add([]byte("a,b\r\n1,\"x\"\"y\"\r\n,\"\"\r\n"), uint16(0))
	f.Add([]byte("\uFEFF\uFEFFa\n\n\"\r\n\""), uint16(0))
	f.Add([]byte("a,b,c\ntrue,2026-01-02T03:04:05Z,-1.5e+7\n"), uint16(0x0241))
	f.Add([]byte("a\n\"2026-01-02T03:04:05C\"\n"), uint16(3))
	oids := []uint32{OIDText, OIDBool, OIDNumeric, OIDTimestamp, OIDTimestamptz, OIDDate, OIDFloat8, 1009}
	f.Fuzz(func(t *testing.T, text []byte, types uint16) {
		columns, rows, err := readAll(NewCSVReader(bytes.NewReader(text), nil))
		if err != nil {
			return
		}
		for i := range columns {
			columns[i].OID = oids[types>>(3*(i%5))%8]
		}
		if types != 0 {
			if columns, rows, err = readAll(NewCSVReader(bytes.NewReader(text), columns)); err != nil {
				return
			}
		}
		c := NewCSV(columns, CSVOptions{})
		again := c.AppendHeader(nil, columns)
		for _, row := range rows {
			again = c.AppendRow(again, row)
		}
		_, got, err := readAll(NewCSVReader(bytes.NewReader(again), columns))
		if err != nil || !slices.EqualFunc(got, rows, sameRow) {
			t.Fatalf("%v\n got %s\nwant %s\nfrom %q\n by %q", err, shownRows(got), shownRows(rows), again, text)
		}
	})
}
