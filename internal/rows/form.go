package rows

import (
	"fmt"
	"slices"
	"strings"
)

// Form is one form of a result's file. A result is stored as the CSV that Export writes;
// every other form is made from that by Convert.
type Form struct {
	// Format is one of the formats below.
	Format string
	// CSV are the options of FormatCSV; no other format has any.
	CSV CSVOptions
}

// The formats of a file.
const (
	FormatCSV     = "csv"
	FormatNDJSON  = "ndjson"  // a JSON object per line
	FormatJSON    = "json"    // one JSON array of objects
	FormatParquet = "parquet" // columns of types
	FormatXLSX    = "xlsx"    // one sheet of a spreadsheet
)

// formats are the formats of files, with their media types.
var formats = []struct{ name, contentType string }{
	{FormatCSV, "text/csv"},
	{FormatNDJSON, "application/x-ndjson"},
	{FormatJSON, "application/json"},
	{FormatParquet, "application/vnd.apache.parquet"},
	{FormatXLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
}

// delimiters are the words of the delimiters that a Form can have.
var delimiters = []struct {
	word string
	char byte
}{{"semicolon", ';'}, {"tab", '\t'}}

// ContentType is the media type of the plain file, empty for an unknown format.
func (f Form) ContentType() string {
	for _, known := range formats {
		if known.name == f.Format {
			return known.contentType
		}
	}
	return ""
}

// Extension is what the name of the plain file ends in, without a dot.
func (f Form) Extension() string { return f.Format }

// Gzipped reports whether the file is stored as gzip, by a BlockWriter. Others are
// compressed inside, and stored as they are.
func (f Form) Gzipped() bool {
	return f.Format == FormatCSV || f.Format == FormatNDJSON || f.Format == FormatJSON
}

// Options are the options that differ from the default, in the one text that ParseForm
// takes: "" for none, or words in the order bom, delimiter, safe, as
// "bom,delimiter=semicolon,safe".
func (f Form) Options() string {
	if f.Format != FormatCSV {
		return ""
	}
	var words []string
	if f.CSV.BOM {
		words = append(words, "bom")
	}
	for _, d := range delimiters {
		if d.char == f.CSV.Delimiter {
			words = append(words, "delimiter="+d.word)
		}
	}
	if f.CSV.Safe {
		words = append(words, "safe")
	}
	return strings.Join(words, ",")
}

// ParseForm returns the form of a format and the text that Options gives.
func ParseForm(format, options string) (Form, error) {
	f := Form{Format: format}
	if f.ContentType() == "" {
		var names []string
		for _, known := range formats {
			names = append(names, known.name)
		}
		return Form{}, fmt.Errorf("no format %q: want one of %s", format, strings.Join(names, ", "))
	}
	words := strings.Split(options, ",")
	f.CSV.BOM = slices.Contains(words, "bom")
	f.CSV.Safe = slices.Contains(words, "safe")
	for _, d := range delimiters {
		if slices.Contains(words, "delimiter="+d.word) {
			f.CSV.Delimiter = d.char
		}
	}
	// What was not understood, is given twice or out of order is not in the text again.
	if f.Options() != options {
		return Form{}, fmt.Errorf("no options %q of %s: want words of bom,delimiter=semicolon,safe or bom,delimiter=tab,safe, in this order, for csv, and none for others", options, format)
	}
	return f, nil
}

// check reports what a form that was put together by hand asks for and cannot have.
func (f Form) check() error {
	back, err := ParseForm(f.Format, f.Options())
	if d := f.CSV.Delimiter; err == nil && f.Format == FormatCSV && d != ',' && d != back.CSV.Delimiter {
		return fmt.Errorf("no form has the delimiter %q: want comma, semicolon or tab", d)
	}
	return err
}

// FormError says why rows do not fit a form. It is for the person who asked for it:
// nothing but another form, or other rows, will help.
type FormError struct {
	Reason string
}

func (e *FormError) Error() string { return e.Reason }

// misfit is a FormError about the n-th row, from 0.
func misfit(n int64, format string, args ...any) error {
	return &FormError{Reason: fmt.Sprintf("row %d: ", n+1) + fmt.Sprintf(format, args...)}
}
