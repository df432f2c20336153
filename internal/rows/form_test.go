package rows

import (
	"fmt"
	"strings"
	"testing"
)

func TestForm(t *testing.T) {
	for _, tt := range []struct {
		form                            Form
		options, contentType, extension string
		gzipped                         bool
	}{
		{Form{Format: "csv"}, "", "text/csv", "csv", true},
		{Form{Format: "csv", CSV: CSVOptions{Delimiter: ';', BOM: true, Safe: true}}, "bom,delimiter=semicolon,safe", "text/csv", "csv", true},
		{Form{Format: "csv", CSV: CSVOptions{Delimiter: '\t'}}, "delimiter=tab", "text/csv", "csv", true},
		{Form{Format: "csv", CSV: CSVOptions{Safe: true}}, "safe", "text/csv", "csv", true},
		{Form{Format: "ndjson"}, "", "application/x-ndjson", "ndjson", true},
		{Form{Format: "json"}, "", "application/json", "json", true},
		{Form{Format: "parquet"}, "", "application/vnd.apache.parquet", "parquet", false},
		{Form{Format: "xlsx"}, "", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx", false},
	} {
		f := tt.form
		if f.Options() != tt.options || f.ContentType() != tt.contentType || f.Extension() != tt.extension || f.Gzipped() != tt.gzipped {
			t.Errorf("%+v: %q, %q, %q, %v", f, f.Options(), f.ContentType(), f.Extension(), f.Gzipped())
		}
		if back, err := ParseForm(f.Format, tt.options); err != nil || back != f {
			t.Errorf("%+v came back as %+v, %v", f, back, err)
		}
	}
	// The comma is the default, said or not.
	if got := (Form{Format: "csv", CSV: CSVOptions{Delimiter: ','}}).Options(); got != "" {
		t.Errorf("the comma: %q", got)
	}
	if got := (Form{Format: "json", CSV: CSVOptions{BOM: true}}).Options(); got != "" {
		t.Errorf("options of json: %q", got)
	}
	for _, wrong := range [][2]string{
		{"", ""},
		{"CSV", ""},
		{"xls", ""},
		{"json", "bom"},
		{"csv", "safe,bom"},
		{"csv", "bom,bom"},
		{"csv", "bom,"},
		{"csv", "delimiter=comma"},
		{"csv", "delimiter=tab,delimiter=semicolon"},
		{"csv", "delimiter=|"},
		{"csv", " bom"},
	} {
		if f, err := ParseForm(wrong[0], wrong[1]); err == nil || f != (Form{}) {
			t.Errorf("%q became %+v, %v", wrong, f, err)
		}
	}
	_, err := Convert(t.Context(), strings.NewReader("a\n"), nil, Form{Format: "csv", CSV: CSVOptions{Delimiter: '|'}}, new(strings.Builder), nil)
	if want := "the delimiter '|'"; err == nil || !strings.Contains(fmt.Sprint(err), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
