package rows

import (
	"encoding/json"
	"strings"
	"testing"
)

func values(texts ...string) [][]byte {
	out := make([][]byte, len(texts))
	for i, t := range texts {
		if t != "NULL" {
			out[i] = []byte(t)
		}
	}
	return out
}

func TestCSVRow(t *testing.T) {
	for _, tt := range []struct {
		name string
		oids []uint32
		in   [][]byte
		want string
	}{
		{"numbers as they are", []uint32{OIDInt8, OIDNumeric, OIDFloat8}, values("-9223372036854775808", "1.50", "1e-300"), "-9223372036854775808,1.50,1e-300"},
		{"NaN and infinities", []uint32{OIDFloat8, OIDNumeric}, values("NaN", "-Infinity"), "NaN,-Infinity"},
		{"NULL is empty, the empty string is quoted", []uint32{OIDText, OIDText}, values("NULL", ""), `,""`},
		{"delimiter, quote and line ends are quoted", []uint32{OIDText, OIDText, OIDText, OIDText}, values("a,b", `say "hi"`, "a\nb", "a\rb"), "\"a,b\",\"say \"\"hi\"\"\",\"a\nb\",\"a\rb\""},
		{"a special byte in every place of a word", []uint32{OIDText, OIDText}, values("1234567,", "12345678\""), `"1234567,","12345678"""`},
		{"high bytes are not special", []uint32{OIDText, OIDText}, values("žluťoučký kůň", "日本語テキスト"), "žluťoučký kůň,日本語テキスト"},
		{"spaces and tabs are not special", []uint32{OIDText}, values(" a\tb "), " a\tb "},
		{"a lone end-of-data mark", []uint32{OIDText}, values(`\.`), `"\."`},
		{"the mark beside another column", []uint32{OIDText, OIDText}, values(`\.`, "x"), `\.,x`},
		{"booleans", []uint32{OIDBool, OIDBool, OIDBool}, values("t", "f", "NULL"), "true,false,"},
		{"timestamptz", []uint32{OIDTimestamptz, OIDTimestamptz}, values("2026-01-02 03:04:05+00", "2026-01-02 03:04:05.678901+00"), "2026-01-02T03:04:05Z,2026-01-02T03:04:05.678901Z"},
		{"timestamp", []uint32{OIDTimestamp, OIDTimestamp}, values("2026-01-02 03:04:05", "2026-01-02 03:04:05.5"), "2026-01-02T03:04:05,2026-01-02T03:04:05.5"},
		{"times without such a form", []uint32{OIDTimestamptz, OIDTimestamp, OIDTimestamptz, OIDTimestamp}, values("infinity", "-infinity", "0044-03-15 00:00:00+00 BC", "10000-01-01 00:00:00"), "infinity,-infinity,0044-03-15 00:00:00+00 BC,10000-01-01 00:00:00"},
		{"json and arrays are quoted text", []uint32{OIDJSONB, 1007}, values(`{"a": 1}`, "{1,2}"), `"{""a"": 1}","{1,2}"`},
		{"bytea", []uint32{OIDBytea}, values(`\x6869`), `\x6869`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			columns := make([]Column, len(tt.oids))
			for i, oid := range tt.oids {
				columns[i] = Column{Name: "c", OID: oid}
			}
			if got := string(NewCSV(columns, CSVOptions{}).AppendRow(nil, tt.in)); got != tt.want+"\r\n" {
				t.Errorf("got  %q\nwant %q", got, tt.want+"\r\n")
			}
		})
	}
}

// Every byte in every place of a word and of the rest is judged as by the
// plain rule.
func TestCSVQuoting(t *testing.T) {
	c := NewCSV([]Column{{OID: OIDText}, {OID: OIDText}}, CSVOptions{})
	for b := range 256 {
		for length := 1; length <= 17; length++ {
			for at := range length {
				v := []byte(strings.Repeat("x", length))
				v[at] = byte(b)
				want := strings.ContainsRune(",\"\n\r", rune(b)) && b < 128
				if got := c.quoted(v); got != want {
					t.Fatalf("byte %#x at %d of %d: quoted %v, want %v", b, at, length, got, want)
				}
			}
		}
	}
}

// What readers want otherwise: another delimiter is what needs quotes then, and only texts
// are kept from being run.
func TestCSVOptions(t *testing.T) {
	enum := uint32(70000)
	columns := []Column{{Name: "a", OID: OIDText}, {Name: "b;", OID: enum}, {Name: "c", OID: OIDInt4}, {Name: "d", OID: OIDNumeric}, {Name: "e", OID: 1186}, {Name: "f", OID: 1043}}
	row := values("=SUM(A1:A9)", "@x", "-5", "-0.5", "-1 days", "+;\t")
	for name, tt := range map[string]struct {
		options CSVOptions
		want    string
	}{
		"none":      {CSVOptions{}, "a,b;,c,d,e,f\r\n=SUM(A1:A9),@x,-5,-0.5,-1 days,+;\t\r\n"},
		"semicolon": {CSVOptions{Delimiter: ';'}, "a;\"b;\";c;d;e;f\r\n=SUM(A1:A9);@x;-5;-0.5;-1 days;\"+;\t\"\r\n"},
		"tab":       {CSVOptions{Delimiter: '\t'}, "a\tb;\tc\td\te\tf\r\n=SUM(A1:A9)\t@x\t-5\t-0.5\t-1 days\t\"+;\t\"\r\n"},
		"bom":       {CSVOptions{BOM: true}, "\xef\xbb\xbfa,b;,c,d,e,f\r\n=SUM(A1:A9),@x,-5,-0.5,-1 days,+;\t\r\n"},
		"safe":      {CSVOptions{Safe: true}, "a,b;,c,d,e,f\r\n'=SUM(A1:A9),'@x,-5,-0.5,-1 days,'+;\t\r\n"},
	} {
		c := NewCSV(columns, tt.options)
		if got := string(c.AppendRow(c.AppendHeader(nil, columns), row)); got != tt.want {
			t.Errorf("%s:\n got %q\nwant %q", name, got, tt.want)
		}
	}
}

func TestCSVAllocatesNothing(t *testing.T) {
	columns := []Column{{Name: "id", OID: OIDInt8}, {Name: "label", OID: OIDText}, {Name: "at", OID: OIDTimestamptz}, {Name: "ok", OID: OIDBool}}
	row := values("42", `a "quoted", text`, "2026-01-02 03:04:05+00", "t")
	c, buffer := NewCSV(columns, CSVOptions{}), make([]byte, 0, 4096)
	if n := testing.AllocsPerRun(100, func() { buffer = c.AppendRow(buffer[:0], row) }); n != 0 {
		t.Errorf("%v allocations per row, want 0", n)
	}
}

func TestJSONRow(t *testing.T) {
	for _, tt := range []struct {
		name string
		oid  uint32
		in   string
		want string
	}{
		{"null", OIDText, "NULL", `null`},
		{"text", OIDText, "a \"b\" \\ \n\t\x01 é", `"a \"b\" \\ \n\t\u0001 é"`},
		{"numeric keeps its digits", OIDNumeric, "1234567890123456789012345678901234567890.50", `1234567890123456789012345678901234567890.50`},
		{"NaN", OIDFloat8, "NaN", `"NaN"`},
		{"infinity", OIDFloat8, "-Infinity", `"-Infinity"`},
		{"exponent", OIDFloat8, "1e+20", `1e+20`},
		{"bool", OIDBool, "f", `false`},
		{"timestamptz", OIDTimestamptz, "2026-01-02 03:04:05+00", `"2026-01-02T03:04:05Z"`},
		{"jsonb as it is", OIDJSONB, `{"a": [1, null]}`, `{"a": [1, null]}`},
		{"bytea", OIDBytea, `\x6869`, `"aGk="`},
		{"int array", 1007, "{1,NULL,-3}", `[1,null,-3]`},
		{"empty array", 1009, "{}", `[]`},
		{"text array", 1009, `{a,"b c","NULL","q\"\\"}`, `["a","b c","NULL","q\"\\"]`},
		{"nested array", 1007, "{{1,2},{3,4}}", `[[1,2],[3,4]]`},
		{"array with bounds stays text", 1007, "[2:3]={1,2}", `"[2:3]={1,2}"`},
		{"bool array", 1000, "{t,f}", `[true,false]`},
		{"timestamptz array", 1185, `{"2026-01-02 03:04:05+00"}`, `["2026-01-02T03:04:05Z"]`},
		{"unknown type", 99999, "whatever", `"whatever"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := string(NewJSON([]Column{{Name: `n"`, OID: tt.oid}}).AppendRow(nil, values(tt.in)))
			if want := `{"n\"":` + tt.want + `}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid([]byte(got)) {
				t.Errorf("not JSON: %s", got)
			}
		})
	}
}

func FuzzArray(f *testing.F) {
	f.Add(`{a,"b c",{NULL}}`)
	f.Add(`{"\`)
	f.Fuzz(func(t *testing.T, in string) {
		out := appendJSON(nil, []byte(strings.ToValidUTF8(in, "")), kindArray, 1009)
		if !json.Valid(out) {
			t.Errorf("%q became %q, which is not JSON", in, out)
		}
	})
}
