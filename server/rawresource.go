package server

import (
	"net/http"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// rawSink writes the rows of a named query as a JSON array: of the assets' ids, or, in
// another view, of objects.
type rawSink struct {
	out   *answer
	page  *page
	json  *rows.JSON
	ids   bool
	begun bool
}

func newRawSink(out *answer, p *page) rows.Sink {
	return &rawSink{out: out, page: p, ids: p.Request.View == endpoint.DefaultView}
}

func (s *rawSink) Columns(columns []rows.Column) error {
	s.json = newJSON(s.page, columns)
	s.out.buffer = append(s.out.buffer, '[')
	return nil
}

func (s *rawSink) Row(values [][]byte) error {
	if s.begun {
		s.out.buffer = append(s.out.buffer, ',')
	}
	s.begun = true
	s.out.buffer = append(s.out.buffer, '\n')
	if s.ids {
		s.out.buffer = s.json.AppendValue(s.out.buffer, 0, values[0])
	} else {
		s.out.buffer = s.json.AppendRow(s.out.buffer, values)
	}
	return s.out.flush()
}

func (s *rawSink) end() error {
	s.out.buffer = append(s.out.buffer, "]\n"...)
	return nil
}

// crossOrigin answers browsers that ask whether a page of another site may read a named query.
func crossOrigin(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "Accept, Authorization, If-None-Match, Prefer, Range")
	w.WriteHeader(http.StatusOK)
}
