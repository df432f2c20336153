package server

import "slashbatch/internal/rows"

// csvSink writes a header and a line for each row.
type csvSink struct {
	out     *answer
	csv     *rows.CSV
	options rows.CSVOptions
}

func newCSVSink(out *answer, p *page) rows.Sink {
	return &csvSink{out: out, options: rows.CSVOptions{Delimiter: p.Control.Delimiter, BOM: p.Control.BOM, Safe: p.Control.Safe}}
}

func (s *csvSink) Columns(columns []rows.Column) error {
	s.csv = rows.NewCSV(columns, s.options)
	s.out.buffer = s.csv.AppendHeader(s.out.buffer, columns)
	return nil
}

func (s *csvSink) Row(values [][]byte) error {
	s.out.buffer = s.csv.AppendRow(s.out.buffer, values)
	return s.out.flush()
}

// ndjsonSink writes one object per line.
type ndjsonSink struct {
	out  *answer
	page *page
	json *rows.JSON
}

func newNDJSONSink(out *answer, p *page) rows.Sink { return &ndjsonSink{out: out, page: p} }

func (s *ndjsonSink) Columns(columns []rows.Column) error {
	s.json = newJSON(s.page, columns)
	return nil
}

func (s *ndjsonSink) Row(values [][]byte) error {
	s.out.buffer = append(s.json.AppendRow(s.out.buffer, values), '\n')
	return s.out.flush()
}
