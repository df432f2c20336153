package rows

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/xuri/excelize/v2"
	"pgregory.net/rapid"
)

func openBook(t interface {
	Helper()
	Fatal(args ...any)
}, text []byte,
) *excelize.File {
	t.Helper()
	f, err := excelize.OpenReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// The largest sheet is one, and what is larger is told before and while it is made.
func TestXLSXFits(t *testing.T) {
	for _, tt := range []struct {
		rows    int64
		columns int
		want    string
	}{
		{1_048_575, 16_384, ""},
		{1_048_576, 1, "1048576 rows do not fit a sheet, which holds 1048575"},
		{1, 16_385, "16385 columns do not fit a sheet, which holds 16384"},
	} {
		if err := FitsXLSX(tt.rows, tt.columns); tt.want == "" && err != nil || tt.want != "" && !strings.HasPrefix(fmt.Sprint(err), tt.want) {
			t.Errorf("%d, %d: %v, want %s", tt.rows, tt.columns, err, tt.want)
		}
	}
	for _, tt := range []struct{ name, plain, want string }{
		{"rows", "a\n" + strings.Repeat("\n", 1_048_576), "1048576 rows do not fit a sheet"},
		{"columns", strings.Repeat(",", 16_384) + "\n", "16385 columns do not fit a sheet"},
		{"a text", "a\nx\n" + strings.Repeat("😀", 16_384) + "\n", `row 2: column "a" has a text of 32768 characters, and a cell of a sheet holds 32767`},
		{"a name", strings.Repeat("a", 32_768) + "\n", "the name of column 1 is longer than"},
	} {
		_, err := Convert(t.Context(), strings.NewReader(tt.plain), nil, Form{Format: FormatXLSX}, io.Discard, nil)
		if _, ok := errors.AsType[*FormError](err); !ok || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
	long := strings.Repeat("ž", 32_767)
	book := openBook(t, made(t, strings.NewReader("a\n"+long+"\n"), nil, Form{Format: FormatXLSX}))
	if got, err := book.GetCellValue(sheetName, "A2"); err != nil || got != long {
		t.Errorf("the longest text: %d bytes, %v", len(got), err)
	}
	if raceDetector {
		return // one sheet of a million rows is enough
	}
	m, err := Convert(t.Context(), strings.NewReader("a\n"+strings.Repeat("\n", xlsxRows)), nil, Form{Format: FormatXLSX}, io.Discard, nil)
	if err != nil || m.Rows != xlsxRows {
		t.Errorf("the longest sheet: %+v, %v", m, err)
	}
}

// A sheet that would pass 4 GiB is refused, since Excel would call the file broken.
func TestXLSXSize(t *testing.T) {
	m, err := newXLSX(oneColumn, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	x := m.(*xlsxFile)
	x.size = xlsxSheet - int64(len(x.buffer)) - int64(len(x.end))
	row := func() error {
		if err := x.row(values("x")); err != nil {
			return err
		}
		return x.flush()
	}
	err = row()
	if _, ok := errors.AsType[*FormError](err); !ok || !strings.Contains(err.Error(), "4 GiB") {
		t.Error(err)
	}
}

// Any text comes back from a cell and from a header as it was.
func TestXLSXText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"_x0041_", "_x005F_", "_x005f_x0041_", "_", "x", "_xD83D_", "_x000a_", "\uFFFE", "\uFFFF", "\uFFFD", "￾", "\r\n", "\r", "\n", "\t", " ", "<", "&amp;", "]]>", "=1+1", "\x01", "\x1f", "\x7f", "\u0085", "\u2028", "😀", "\uFEFF"})
		text := strings.Join(rapid.SliceOfN(part, 0, 8).Draw(t, "parts"), "") + rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 })).Draw(t, "text")
		columns := []Column{{Name: text + "n", OID: OIDText}}
		c := NewCSV(columns, CSVOptions{})
		var out bytes.Buffer
		if _, err := Convert(t.Context(), bytes.NewReader(c.AppendRow(c.AppendHeader(nil, columns), values(text))), columns, Form{Format: FormatXLSX}, &out, nil); err != nil {
			t.Fatal(err)
		}
		f := openBook(t, out.Bytes())
		defer f.Close()
		for cell, want := range map[string]string{"A1": text + "n", "A2": text} {
			if got, err := f.GetCellValue(sheetName, cell); err != nil || got != want {
				t.Fatalf("%s: %q, %v, want %q", cell, got, err, want)
			}
		}
	})
}

// Times are shown as they are in the database, in columns that are wide enough; the header is
// bold and stays in view.
func TestXLSXLooks(t *testing.T) {
	columns := []Column{{Name: "d", OID: OIDDate}, {Name: "at", OID: OIDTimestamp}, {Name: "z", OID: OIDTimestamptz}}
	plain := "d,at,z\n2026-02-28,2026-01-02T23:59:59,2026-01-02T03:04:05.007Z\n"
	f := openBook(t, made(t, strings.NewReader(plain), columns, Form{Format: FormatXLSX}))
	defer f.Close()
	style := func(cell string) *excelize.Style {
		index, err := f.GetCellStyle(sheetName, cell)
		if err != nil {
			t.Fatal(err)
		}
		style, err := f.GetStyle(index)
		if err != nil {
			t.Fatal(err)
		}
		return style
	}
	for cell, want := range map[string]string{"A2": "yyyy-mm-dd", "B2": "yyyy-mm-dd hh:mm:ss", "C2": "yyyy-mm-dd hh:mm:ss.000"} {
		if got := style(cell).CustomNumFmt; got == nil || *got != want {
			t.Errorf("%s is shown as %v, want %s", cell, got, want)
		}
		if width, err := f.GetColWidth(sheetName, cell[:1]); err != nil || width < float64(len(want)) {
			t.Errorf("column %s is %v wide, %v", cell[:1], width, err)
		}
	}
	if font := style("B1").Font; font == nil || !font.Bold {
		t.Errorf("the header is not bold: %+v", font)
	}
	if panes, err := f.GetPanes(sheetName); err != nil || !panes.Freeze || panes.YSplit != 1 {
		t.Errorf("the header is not frozen: %+v, %v", panes, err)
	}
}

// Every millisecond has a number of its own.
func TestXLSXMoments(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, last := time.Date(1900, 3, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999e6, time.UTC)
		want := time.UnixMilli(rapid.Int64Range(first.UnixMilli(), last.UnixMilli()).Draw(t, "milliseconds")).UTC()
		x := newXLSXCells([]Column{{OID: OIDTimestamp}}, xlsxStyles{seconds: 1, millis: 2})
		cell, ok := x.typed(nil, 0, 2, []byte(want.Format("2006-01-02 15:04:05.999")))
		var style int
		var days float64
		if _, err := fmt.Sscanf(string(cell), `<c r="A2" s="%d"><v>%f</v></c>`, &style, &days); err != nil || !ok {
			t.Fatalf("%s, %v", cell, err)
		}
		whole, part := math.Modf(days)
		got := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC).AddDate(0, 0, int(whole)).Add(time.Duration(math.Round(part*24*60*60*1000)) * time.Millisecond)
		if !got.Equal(want) || (style == 2) != (want.Nanosecond() != 0) {
			t.Fatalf("%s became %s", want, cell)
		}
	})
}

// Numbers are numbers as long as a sheet does not change them.
func TestXLSXNumbers(t *testing.T) {
	for text, want := range map[string]bool{
		"0": true, "-0.00": true, "123456789012345": true, "1234567890123456": false, "1234567890123450": true, "-0.00000000000000123456789012345": true,
		"100000000000000.1": false, "10000000000000.1": true, "1.0000000000000000": true, "NaN": false, "Infinity": false, "-Infinity": false,
		"1" + strings.Repeat("0", 307): true, "1" + strings.Repeat("0", 308): false, "0." + strings.Repeat("0", 306) + "1": true, "0." + strings.Repeat("0", 308) + "1": false,
	} {
		if got := exact([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	for text, want := range map[string]bool{"0.30000000000000004": true, "-1e-300": true, "1e-310": false, "9e307": true, "1e308": false, "NaN": false, "-Infinity": false, "-0": true} {
		if got := inRange([]byte(text)); got != want {
			t.Errorf("float %s: %v, want %v", text, got, want)
		}
	}
}

// The file is a zip archive of parts that are well-formed and stand once.
func TestXLSXParts(t *testing.T) {
	text := made(t, strings.NewReader("a\n1\n"), oneColumn, Form{Format: FormatXLSX})
	in, err := zip.NewReader(bytes.NewReader(text), int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, part := range in.File {
		r, err := part.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(r); err != nil || seen[part.Name] {
			t.Errorf("%s: %v, twice: %v", part.Name, err, seen[part.Name])
		}
		seen[part.Name] = true
	}
	for _, name := range []string{"[Content_Types].xml", "_rels/.rels", "xl/workbook.xml", "xl/styles.xml", sheetPart} {
		if !seen[name] {
			t.Errorf("no %s", name)
		}
	}
}

func TestColumnName(t *testing.T) {
	for i := range xlsxColumns {
		if want, err := excelize.ColumnNumberToName(i + 1); err != nil || columnName(i) != want {
			t.Fatalf("column %d is %s, want %s, %v", i, columnName(i), want, err)
		}
	}
}
