package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// table writes rows in aligned columns, the first of them their headings.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	return t.Flush()
}

// clean makes one line of a text, without what a terminal would take for orders.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
}

// printJSON writes a document for scripts.
func printJSON(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// stamp is a time in JSON and CSV; empty, or left out, when there is none.
type stamp time.Time

func (s stamp) IsZero() bool { return time.Time(s).IsZero() }

// MarshalText writes ISO 8601 in UTC, to the millisecond.
func (s stamp) MarshalText() ([]byte, error) {
	if s.IsZero() {
		return nil, nil
	}
	return time.Time(s).UTC().AppendFormat(nil, "2006-01-02T15:04:05.000Z"), nil
}

// String is the time as tables show it.
func (s stamp) String() string { return moment(time.Time(s)) }

// moment is a time in a table.
func moment(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05")
}

// dash stands where there is nothing, so that columns stay apart.
func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
