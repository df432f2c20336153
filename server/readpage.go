package server

import (
	"net/url"
	"strconv"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// page is what an answer tells about its rows. It becomes whole with the last of them.
type page struct {
	ask
	// batch is the URL of the twin, "" where there is none.
	batch string
	count *rows.Count
	// last are the values of the last row's order terms; more tells that another row
	// comes after it.
	last [][]byte
	more bool
	seen int64
}

// requestedURL is that of the page, as it was asked for.
func (p *page) requestedURL() string { return p.base + p.Path() + query(p.assets.params) }

// counted is the question of _count, nil when it was not asked.
func (p *page) counted() *rows.Count {
	switch p.Control.Count {
	case endpoint.CountExact:
		p.count = &rows.Count{Statement: statement(p.Count())}
	case endpoint.CountEstimated:
		p.count = &rows.Count{Statement: statement(p.Rows()), Estimated: true}
	}
	return p.count
}

// next is the URL of the rows after the last one, "" when there are none. Where the last
// row makes no cursor, as one too long for a URL, an offset has to do.
func (p *page) next() string {
	if !p.more || p.last == nil {
		return ""
	}
	values, ok := p.Next(p.last)
	if !ok {
		values = p.Values()
		values.Set("_offset", strconv.FormatInt(p.Offset()+p.seen, 10))
	}
	return p.link(values, nil)
}

// link is the URL of the request with these values, with how its rows are written and
// counted, and with more of that.
func (p *page) link(values, more url.Values) string {
	for _, control := range []url.Values{p.Control.Values(), more} {
		for name, value := range control {
			values[name] = value
		}
	}
	return p.base + p.Path() + query(values)
}

// formatLink is the same request in another format.
type formatLink struct{ Word, URL string }

func (p *page) formats() (out []formatLink) {
	for _, f := range offered(p.Endpoint.Spec) {
		out = append(out, formatLink{f.word, p.link(p.Values(), url.Values{"_format": {f.word}})})
	}
	return out
}

// pageSink passes the rows of endpoint.Request.Page on, without the columns and the row
// that are there to tell what comes next.
type pageSink struct {
	rows.Sink
	page  *page
	shown int
}

// Columns implements rows.Sink.
func (s *pageSink) Columns(columns []rows.Column) error {
	s.shown = len(columns) - s.page.OrderTerms()
	s.page.last = nil
	return s.Sink.Columns(columns[:s.shown])
}

// Row implements rows.Sink.
func (s *pageSink) Row(values [][]byte) error {
	p := s.page
	if p.seen == p.Limit() {
		p.more = true
		return nil
	}
	p.seen++
	if p.last == nil {
		p.last = make([][]byte, len(values)-s.shown)
	}
	for i, v := range values[s.shown:] {
		if v == nil {
			p.last[i] = nil
		} else {
			p.last[i] = append(append(p.last[i][:0], v...), 0)[:len(v)] // never nil, which is NULL
		}
	}
	return s.Sink.Row(values[:s.shown])
}

func (s *pageSink) end() error {
	if ender, ok := s.Sink.(ender); ok {
		return ender.end()
	}
	return nil
}
