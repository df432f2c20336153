package rows

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/xuri/excelize/v2"
)

// A value of each type in each form. Text in Parquet and in a cell stands for itself; nil for NULL.
type everyType struct {
	sql string // its column is called by its place, "c" and a number
	// parquet is the node of the schema, and the value.
	node, parquet string
	// xlsx is the type of the cell, one letter, and its raw value; json is what JSON has.
	xlsx, json string
}

const weird = "a,\"b\"\r\n\tž日😀 _x0041_ \x01\x1f\x7f <&> "

var everyTypes = []everyType{
	{`'-2147483648'::int4`, "optional int32 (INT(32,true))", "-2147483648", "n-2147483648", `-2147483648`},
	{`2147483647`, "optional int32 (INT(32,true))", "2147483647", "n2147483647", `2147483647`},
	{`'-32768'::int2`, "optional int32 (INT(32,true))", "-32768", "n-32768", `-32768`},
	{`'-9223372036854775808'::int8`, "optional int64 (INT(64,true))", "-9223372036854775808", "s-9223372036854775808", `-9223372036854775808`},
	{`9223372036854775807`, "optional int64 (INT(64,true))", "9223372036854775807", "s9223372036854775807", `9223372036854775807`},
	{`999999999999999`, "optional int64 (INT(64,true))", "999999999999999", "n999999999999999", `999999999999999`},
	{`1000000000000001`, "optional int64 (INT(64,true))", "1000000000000001", "s1000000000000001", `1000000000000001`},
	{`4294967295::oid`, "optional int64 (INT(64,true))", "4294967295", "n4294967295", `4294967295`},
	{`1234567890123456789012345678901234567890.5`, "optional binary (STRING)", "1234567890123456789012345678901234567890.5", "s1234567890123456789012345678901234567890.5", `1234567890123456789012345678901234567890.5`},
	{`'NaN'::numeric`, "optional binary (STRING)", "NaN", "sNaN", `"NaN"`},
	{`'-Infinity'::numeric`, "optional binary (STRING)", "-Infinity", "s-Infinity", `"-Infinity"`},
	{`1.50::numeric`, "optional binary (STRING)", "1.50", "n1.50", `1.50`},
	{`'-12345678.90'::numeric(10,2)`, "optional int64 (DECIMAL(10,2))", "-1234567890", "n-12345678.90", `-12345678.90`},
	{`'-1.5'::numeric(9,2)`, "optional int32 (DECIMAL(9,2))", "-150", "n-1.50", `-1.50`},
	{`'-1234567890123456789012345678.0123456789'::numeric(38,10)`, "optional fixed_len_byte_array(16) (DECIMAL(38,10))", twosComplement("-12345678901234567890123456780123456789"), "s-1234567890123456789012345678.0123456789", `-1234567890123456789012345678.0123456789`},
	{`99999999999999999999::numeric(20)`, "optional fixed_len_byte_array(16) (DECIMAL(20,0))", twosComplement("99999999999999999999"), "s99999999999999999999", `99999999999999999999`},
	{`1::numeric(39)`, "optional binary (STRING)", "1", "n1", `1`},
	{`(-12300)::numeric(3,-2)`, "optional int32 (DECIMAL(5,0))", "-12300", "n-12300", `-12300`},
	{`0.00012::numeric(2,5)`, "optional int32 (DECIMAL(5,5))", "12", "n0.00012", `0.00012`},
	{`'0.1'::float4`, "optional float", "0.1", "n0.1", `0.1`},
	{`'NaN'::float4`, "optional float", "NaN", "sNaN", `"NaN"`},
	{`'1.7976931348623157e+308'::float8`, "optional double", "1.7976931348623157e+308", "s1.7976931348623157e+308", `1.7976931348623157e+308`},
	{`'0.30000000000000004'::float8`, "optional double", "0.30000000000000004", "n0.30000000000000004", `0.30000000000000004`},
	{`'5e-324'::float8`, "optional double", "5e-324", "s5e-324", `5e-324`},
	{`'-Infinity'::float8`, "optional double", "-Inf", "s-Infinity", `"-Infinity"`},
	{`true`, "optional boolean", "true", "b1", `true`},
	{`false`, "optional boolean", "false", "b0", `false`},
	{literal(weird), "optional binary (STRING)", weird, "s" + weird, asJSON(weird)},
	{`''`, "optional binary (STRING)", "", "s", `""`},
	{`'=1+1'`, "optional binary (STRING)", "=1+1", "s=1+1", `"=1+1"`},
	{`'0012'`, "optional binary (STRING)", "0012", "s0012", `"0012"`},
	{`' x '::char(5)`, "optional binary (STRING)", " x   ", "s x   ", `" x   "`},
	{`'018f3c2a-0000-7000-8000-0000000000ff'::uuid`, "optional fixed_len_byte_array(16) (UUID)", "\x01\x8f\x3c\x2a\x00\x00\x70\x00\x80\x00\x00\x00\x00\x00\x00\xff", "s018f3c2a-0000-7000-8000-0000000000ff", `"018f3c2a-0000-7000-8000-0000000000ff"`},
	{`'2026-02-28'::date`, "optional int32 (DATE)", "20512", "n46081", `"2026-02-28"`},
	{`'1900-03-01'::date`, "optional int32 (DATE)", "-25508", "n61", `"1900-03-01"`},
	{`'1900-02-28'::date`, "optional int32 (DATE)", "-25509", "s1900-02-28", `"1900-02-28"`},
	{`'9999-12-31'::date`, "optional int32 (DATE)", "2932896", "n2958465", `"9999-12-31"`},
	{`'10000-01-01'::date`, "optional int32 (DATE)", "2932897", "s10000-01-01", `"10000-01-01"`},
	{`'0044-03-15 BC'::date`, "optional int32 (DATE)", "-735160", "s0044-03-15 BC", `"0044-03-15 BC"`},
	{`'infinity'::date`, "optional int32 (DATE)", "2147483647", "sinfinity", `"infinity"`},
	{`'-infinity'::date`, "optional int32 (DATE)", "-2147483648", "s-infinity", `"-infinity"`},
	{`'23:59:59.999999'::time`, "optional int64 (TIME(isAdjustedToUTC=false,unit=MICROS))", "86399999999", "s23:59:59.999999", `"23:59:59.999999"`},
	{`'24:00'::time`, "optional int64 (TIME(isAdjustedToUTC=false,unit=MICROS))", "86400000000", "s24:00:00", `"24:00:00"`},
	{`'2026-01-02 03:04:05'::timestamp`, "optional int64 (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS))", "1767323045000000", "n46024.12783564815", `"2026-01-02T03:04:05"`},
	{`'1969-12-31 23:59:59.999999'::timestamp`, "optional int64 (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS))", "-1", "s1969-12-31T23:59:59.999999", `"1969-12-31T23:59:59.999999"`},
	{`'infinity'::timestamp`, "optional int64 (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS))", "9223372036854775807", "sinfinity", `"infinity"`},
	{`'0044-03-15 12:00 BC'::timestamp`, "optional int64 (TIMESTAMP(isAdjustedToUTC=false,unit=MICROS))", "-63517780800000000", "s0044-03-15 12:00:00 BC", `"0044-03-15 12:00:00 BC"`},
	{`'2026-01-02 03:04:05.678+00'::timestamptz`, "optional int64 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))", "1767323045678000", "n46024.12784349537", `"2026-01-02T03:04:05.678Z"`},
	{`'2026-01-02 03:04:05.678901+00'::timestamptz`, "optional int64 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))", "1767323045678901", "s2026-01-02T03:04:05.678901Z", `"2026-01-02T03:04:05.678901Z"`},
	{`'-infinity'::timestamptz`, "optional int64 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))", "-9223372036854775808", "s-infinity", `"-infinity"`},
	{`'4714-11-24 00:00:00+00 BC'::timestamptz`, "optional int64 (TIMESTAMP(isAdjustedToUTC=true,unit=MICROS))", "-210866803200000000", "s4714-11-24 00:00:00+00 BC", `"4714-11-24 00:00:00+00 BC"`},
	{`'1 year 2 days 03:04:05.6'::interval`, "optional binary (STRING)", "1 year 2 days 03:04:05.6", "s1 year 2 days 03:04:05.6", `"1 year 2 days 03:04:05.6"`},
	{`'{1,NULL,-3}'::int4[]`, "optional binary (JSON)", "[1,null,-3]", "s{1,NULL,-3}", `[1,null,-3]`},
	{`'{{"a b",NULL},{"","\"q\""}}'::text[]`, "optional binary (JSON)", `[["a b",null],["","\"q\""]]`, `s{{"a b",NULL},{"","\"q\""}}`, `[["a b",null],["","\"q\""]]`},
	{`'[2:3]={1,2}'::int4[]`, "optional binary (JSON)", `"[2:3]={1,2}"`, "s[2:3]={1,2}", `"[2:3]={1,2}"`},
	{`E'{"a":\n [1, 2.50]}'::json`, "optional binary (JSON)", `{"a":  [1, 2.50]}`, "s{\"a\":\n [1, 2.50]}", `{"a":  [1, 2.50]}`},
	{`'{"b": "ž"}'::jsonb`, "optional binary (JSON)", `{"b": "ž"}`, `s{"b": "ž"}`, `{"b": "ž"}`},
	{`'null'::jsonb`, "optional binary (JSON)", `null`, `snull`, `null`},
	{`'\x00ff68'::bytea`, "optional binary", "\x00\xff\x68", `s\x00ff68`, `"AP9o"`},
	{`''::bytea`, "optional binary", "", `s\x`, `""`},
	{`'so, so'::mood`, "optional binary (STRING)", "so, so", "sso, so", `"so, so"`},
	{`'10.0.0.1/8'::inet`, "optional binary (STRING)", "10.0.0.1/8", "s10.0.0.1/8", `"10.0.0.1/8"`},
	{`'[1,5)'::int4range`, "optional binary (STRING)", "[1,5)", "s[1,5)", `"[1,5)"`},
}

// twosComplement is a number of 128 bits, big end first.
func twosComplement(digits string) string {
	n := bigInt(digits)
	if n.Sign() < 0 {
		n.Add(n, bigInt("340282366920938463463374607431768211456"))
	}
	return string(n.FillBytes(make([]byte, 16)))
}

func asJSON(text string) string { return string(appendJSONString(nil, []byte(text))) }

// kept is a sink that keeps everything, and passes it on to another one.
type kept struct {
	Sink
	columns []Column
	rows    [][][]byte
}

func (k *kept) Columns(columns []Column) error {
	k.columns = columns
	return k.Sink.Columns(columns)
}

func (k *kept) Row(values [][]byte) error {
	k.rows = append(k.rows, cloneRow(values))
	return k.Sink.Row(values)
}

// everything exports a row of all types and one of NULL, and returns the plain file with what
// PostgreSQL gave for it.
func everything(t *testing.T) (plain []byte, got kept) {
	p := open(t)
	if _, err := p.watch.Exec(t.Context(), "CREATE TYPE mood AS ENUM ('sad', 'so, so')"); err != nil {
		t.Fatal(err)
	}
	var exprs []string
	for i, c := range everyTypes {
		exprs = append(exprs, fmt.Sprintf("%s AS c%d", c.sql, i))
	}
	// The columns of the first SELECT give the types their modifiers; so a VALUES would not do.
	sql := "WITH q AS (SELECT " + strings.Join(exprs, ", ") + ") SELECT q.* FROM (VALUES (1), (2)) v (n) LEFT JOIN q ON v.n = 1 ORDER BY v.n"
	var out bytes.Buffer
	e := NewExport(t.Context(), &out, 0)
	got.Sink = e
	if _, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: sql}}, &got); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Close(); err != nil {
		t.Fatal(err)
	}
	return inflate(t, out.Bytes()), got
}

// made converts, and checks what is said of the file.
func made(t *testing.T, plain io.Reader, columns []Column, form Form) []byte {
	t.Helper()
	var out bytes.Buffer
	m, err := Convert(t.Context(), plain, columns, form, &out, nil)
	if err != nil {
		t.Fatalf("%+v: %v", form, err)
	}
	text := out.Bytes()
	if form.Gzipped() {
		text = inflate(t, text)
		if len(m.Blocks) == 0 {
			t.Errorf("%+v: no blocks", form)
		}
	} else if m.Blocks != nil {
		t.Errorf("%+v: blocks", form)
	}
	if m.Stored != int64(out.Len()) || m.Plain != int64(len(text)) || m.SHA256 != sha256of(text) {
		t.Errorf("%+v: %d stored, %d plain, another digest, or not what is told: %+v", form, out.Len(), len(text), m)
	}
	return text
}

// Every type goes from PostgreSQL through the stored CSV into every form, and means there what
// it meant.
func TestConvertTypes(t *testing.T) {
	plain, source := everything(t)
	if columns, rows, err := readAll(NewCSVReader(bytes.NewReader(plain), source.columns)); err != nil || !slices.EqualFunc(rows, source.rows, sameRow) || !slices.Equal(columns, source.columns) {
		t.Fatalf("%v\n got %s\nwant %s", err, shownRows(rows), shownRows(source.rows))
	}
	form := func(f Form) []byte { return made(t, bytes.NewReader(plain), source.columns, f) }

	t.Run("csv", func(t *testing.T) {
		if got := form(Form{Format: FormatCSV}); !bytes.Equal(got, plain) {
			t.Errorf("without options it is another file:\n%q\n%q", got, plain)
		}
		options := CSVOptions{BOM: true, Delimiter: ';', Safe: true}
		c := NewCSV(source.columns, options)
		want := c.AppendHeader(nil, source.columns)
		for _, row := range source.rows {
			want = c.AppendRow(want, row)
		}
		if got := form(Form{Format: FormatCSV, CSV: options}); !bytes.Equal(got, want) || !bytes.Contains(got, []byte(";'=1+1;")) {
			t.Errorf(" got %q\nwant %q", got, want)
		}
	})
	t.Run("ndjson", func(t *testing.T) {
		lines := strings.Split(string(form(Form{Format: FormatNDJSON})), "\n")
		if len(lines) != 3 || lines[2] != "" {
			t.Fatalf("%d lines", len(lines))
		}
		checkJSON(t, []byte("["+lines[0]+","+lines[1]+"]"))
	})
	t.Run("json", func(t *testing.T) { checkJSON(t, form(Form{Format: FormatJSON})) })
	t.Run("parquet", func(t *testing.T) { checkParquet(t, form(Form{Format: FormatParquet})) })
	t.Run("xlsx", func(t *testing.T) { checkXLSX(t, form(Form{Format: FormatXLSX})) })
}

func checkJSON(t *testing.T, text []byte) {
	var rows []map[string]any
	if err := decodeNumbers(text, &rows); err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, c := range everyTypes {
		var want any
		if err := decodeNumbers([]byte(c.json), &want); err != nil {
			t.Fatal(err)
		}
		name := fmt.Sprintf("c%d", i)
		if got := rows[0][name]; !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, want %#v", c.sql, got, want)
		}
		if null, there := rows[1][name]; null != nil || !there {
			t.Errorf("%s: NULL is %v", c.sql, null)
		}
	}
}

func decodeNumbers(text []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something behind the end")
	}
	return nil
}

func checkParquet(t *testing.T, text []byte) {
	f, err := parquet.OpenFile(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	rows := parquetRows(t, f)
	if len(rows) != 2 || f.NumRows() != 2 {
		t.Fatalf("%d rows, %d announced", len(rows), f.NumRows())
	}
	columns := f.Root().Columns()
	if len(columns) != len(everyTypes) {
		t.Fatalf("%d columns", len(columns))
	}
	for i, c := range everyTypes {
		name := fmt.Sprintf("c%d", i)
		if columns[i].Name() != name {
			t.Fatalf("column %d is %s", i, columns[i].Name())
		}
		node := strings.TrimSuffix(strings.TrimPrefix(columns[i].String(), "schema."+name+": "), ";")
		if got := rows[0][i].String(); node != c.node || got != c.parquet {
			t.Errorf("%s: %s %q\nwant %s %q", c.sql, node, got, c.node, c.parquet)
		}
		if !rows[1][i].IsNull() || rows[0][i].IsNull() {
			t.Errorf("%s: NULL is %v", c.sql, rows[1][i])
		}
	}
}

func checkXLSX(t *testing.T, text []byte) {
	f, err := excelize.OpenReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	letters := map[excelize.CellType]string{excelize.CellTypeBool: "b", excelize.CellTypeInlineString: "s", excelize.CellTypeUnset: "n"}
	for i, c := range everyTypes {
		at := func(row int) string { return columnName(i) + fmt.Sprint(row) }
		raw := func(row int) string {
			kind, err := f.GetCellType("Sheet1", at(row))
			if err != nil {
				t.Fatal(err)
			}
			value, err := f.GetCellValue("Sheet1", at(row), excelize.Options{RawCellValue: true})
			if err != nil {
				t.Fatal(err)
			}
			if formula, _ := f.GetCellFormula("Sheet1", at(row)); formula != "" {
				t.Errorf("%s: a formula", c.sql)
			}
			return letters[kind] + value
		}
		if name := raw(1); name != fmt.Sprintf("sc%d", i) {
			t.Errorf("column %d is %q", i, name)
		}
		if got := raw(2); got != c.xlsx {
			t.Errorf("%s: %q, want %q", c.sql, got, c.xlsx)
		}
		if got := raw(3); got != "n" { // no cell at all
			t.Errorf("%s: NULL is %q", c.sql, got)
		}
	}
}
