package server

import (
	"bytes"
	"encoding/json"

	"slashbatch/internal/rows"
)

// jsonSink writes {"meta": …, "items": […]}. Only the last row tells whether there is a
// next page, so in an answer that is longer than its buffer the items come first.
type jsonSink struct {
	out   *answer
	page  *page
	json  *rows.JSON
	begun bool
}

const itemsHead = `{"items":[`

func newJSONSink(out *answer, p *page) rows.Sink { return &jsonSink{out: out, page: p} }

// newJSON knows the columns' types by name as well: an array of any type is an array.
func newJSON(p *page, columns []rows.Column) *rows.JSON {
	for i, c := range p.Columns() {
		columns[i].Type = c.TypeName
	}
	return rows.NewJSON(columns)
}

func (s *jsonSink) Columns(columns []rows.Column) error {
	s.json = newJSON(s.page, columns)
	s.out.buffer = append(s.out.buffer, itemsHead...)
	return nil
}

func (s *jsonSink) Row(values [][]byte) error {
	if s.begun {
		s.out.buffer = append(s.out.buffer, ',')
	}
	s.begun = true
	s.out.buffer = append(s.out.buffer, '\n')
	s.out.buffer = s.json.AppendRow(s.out.buffer, values)
	return s.out.flush()
}

func (s *jsonSink) end() error {
	var meta bytes.Buffer
	encoder := json.NewEncoder(&meta)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(s.page.meta()); err != nil {
		return err
	}
	text := bytes.TrimSpace(meta.Bytes())
	if s.out.long {
		s.out.buffer = append(s.out.buffer, "\n],\"meta\":"...)
		s.out.buffer = append(append(s.out.buffer, text...), "}\n"...)
		return nil
	}
	items := s.out.buffer[len(itemsHead):]
	whole := make([]byte, 0, len(items)+len(text)+32)
	whole = append(append(append(whole, `{"meta":`...), text...), `,"items":[`...)
	s.out.buffer = append(append(whole, items...), "\n]}\n"...)
	return nil
}

// meta is what JSON answers tell about themselves.
type meta struct {
	ID     string `json:"@id"`
	Limit  int64  `json:"limit"`
	Offset int64  `json:"offset"`
	// Capped: more rows were asked for than the hard limit.
	Capped bool `json:"capped,omitempty"`
	// Count is the number of rows without limit, as far as CountIs says.
	Count     *int64   `json:"count,omitempty"`
	CountIs   string   `json:"countIs,omitempty"`
	Next      string   `json:"next,omitempty"`
	HasFormat []string `json:"hasFormat"`
	Batch     string   `json:"batch,omitempty"`
}

func (p *page) meta() meta {
	m := meta{
		ID: p.plainURL(), Limit: p.Limit(), Offset: p.Offset(), Capped: p.Capped,
		Next: p.next(), Batch: p.batch,
	}
	if p.count != nil {
		m.Count, m.CountIs = &p.count.Rows, p.Control.Count
	}
	for _, f := range p.formats() {
		m.HasFormat = append(m.HasFormat, f.URL)
	}
	return m
}
