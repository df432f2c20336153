package server

import (
	"encoding/json"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// hydraSink writes rows as a Hydra collection. What it tells about all of them comes last.
type hydraSink struct {
	*memberSink
	out   *answer
	page  *page
	begun bool
}

// viewHydra is the view whose columns members are made of.
const viewHydra = "hydra"

// hydraList is how a collection over assets' tables is read: its rows with what their links
// need, and their number.
func (s *Server) hydraList(out *answer, p *page) (rows.Sink, rows.Read) {
	shown := *p.Request
	if p.Request.View == endpoint.DefaultView && p.Endpoint.HasView(viewHydra) {
		shown.View = viewHydra
	}
	p.count = &rows.Count{Statement: statement(shown.Count())}
	of := p.ask
	of.Request = &shown
	sink := &hydraSink{memberSink: &memberSink{}, out: out, page: p}
	sink.of(of)
	return sink, rows.Read{Statement: statement(shown.Interactive()), Count: p.count}
}

func (s *hydraSink) Columns(columns []rows.Column) error {
	s.out.buffer = append(s.out.buffer, `{"@context":"`+hydraContext+`","@type":"Collection","member":[`...)
	return s.memberSink.Columns(columns)
}

func (s *hydraSink) Row(values [][]byte) error {
	if s.begun {
		s.out.buffer = append(s.out.buffer, ',')
	}
	s.begun = true
	s.page.seen++
	s.out.buffer = s.append(append(s.out.buffer, '\n'), values)
	return s.out.flush()
}

func (s *hydraSink) end() error {
	p := s.page
	d := struct {
		ID          string     `json:"@id"`
		TotalItems  int64      `json:"totalItems"`
		PageSize    int64      `json:"pageSize"`
		View        any        `json:"view,omitempty"`
		Batch       string     `json:"batch,omitempty"`
		PrunedAt    *time.Time `json:"prunedAt,omitempty"`
		PrunedCount int64      `json:"prunedCount,omitempty"`
	}{ID: p.requestedURL(), TotalItems: p.count.Rows, PageSize: p.Limit(), Batch: p.batch, PrunedAt: p.assets.batch.PrunedAt, PrunedCount: p.assets.batch.Pruned}
	if view := p.assets.page.View(p.base+p.Path(), p.count.Rows, p.assets.params); view != nil {
		d.View = view
	}
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	s.out.buffer = append(append(s.out.buffer, "\n],"...), text[1:]...)
	s.out.buffer = append(s.out.buffer, '\n')
	return nil
}
