package server

import (
	"bytes"
	"html"
	"strings"

	"slashbatch/internal/rows"
)

// tableSink writes a page with a plain table, row by row.
type tableSink struct {
	out   *answer
	page  *page
	csv   *rows.CSV
	cells [][]byte // how a cell of each column begins
	plain []byte   // a value, before it is escaped
}

func newTableSink(out *answer, p *page) rows.Sink { return &tableSink{out: out, page: p} }

// tableView is what the page says around the rows.
type tableView struct {
	Title, Description string
	Columns            []tableColumn
	Formats            []formatLink
	Batch              string
	Rows, Offset       int64
	Count              *int64
	CountIs            string
	Capped             bool
	Limit              int64
	Next               string
}

type tableColumn struct {
	Name, Type string
	// Number puts the values of the column to the right.
	Number bool
}

func (s *tableSink) Columns(columns []rows.Column) error {
	s.csv = rows.NewCSV(columns, rows.CSVOptions{})
	spec := s.page.Endpoint.Spec
	view := tableView{Title: spec.Name, Description: spec.Description, Formats: s.page.formats(), Batch: s.page.batch}
	s.cells = nil
	for i, c := range s.page.Columns() {
		number, cell := rows.IsNumber(columns[i].OID), "<td>"
		switch {
		case number:
			cell = `<td class="n">`
		case unbroken(c.TypeName):
			cell = `<td class="u">`
		}
		s.cells = append(s.cells, []byte(cell))
		view.Columns = append(view.Columns, tableColumn{c.Name, c.TypeName, number})
	}
	return s.write("table.html", view)
}

// unbroken tells of types whose values are short, and are read worse on two lines.
func unbroken(typeName string) bool {
	for _, prefix := range []string{"timestamp", "date", "time", "uuid", "boolean"} {
		if strings.HasPrefix(typeName, prefix) {
			return true
		}
	}
	return false
}

func (s *tableSink) Row(values [][]byte) error {
	b := append(s.out.buffer, "<tr>"...)
	for i, v := range values {
		if v == nil {
			b = append(b, `<td class="null"></td>`...)
			continue
		}
		s.plain = s.csv.AppendValue(s.plain[:0], i, v)
		b = append(b, s.cells[i]...)
		b = append(b, html.EscapeString(string(s.plain))...)
		b = append(b, "</td>"...)
	}
	s.out.buffer = append(b, "</tr>\n"...)
	return s.out.flush()
}

func (s *tableSink) end() error {
	p := s.page
	view := tableView{Rows: p.seen, Offset: p.Offset(), Capped: p.Capped, Limit: p.Limit(), Next: p.next(), Batch: p.batch}
	if p.count != nil {
		view.Count, view.CountIs = &p.count.Rows, p.Control.Count
	}
	return s.write("table-end.html", view)
}

func (s *tableSink) write(name string, view tableView) error {
	var text bytes.Buffer
	if err := pages.ExecuteTemplate(&text, name, view); err != nil {
		return err
	}
	s.out.buffer = append(s.out.buffer, text.Bytes()...)
	return nil
}
