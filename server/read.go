package server

import (
	"cmp"
	"fmt"
	"net/http"

	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// read answers the rows of an endpoint now, never more than the hard limit. extension is
// the format that the path ends in, "" for none.
func (s *Server) read(spec *endpoint.Spec, extension string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.understand(w, r, spec)
		if err != nil {
			return err
		}
		// Links to other pages are by _format: the canonical path has no extension.
		a.Control.Format = cmp.Or(a.Control.Format, extension)
		if s.offersBatch(spec) && prefersAsync(r) {
			return s.accept(w, r, a)
		}
		format, err := chooseFormat(r, a.Request)
		if err != nil {
			return err
		}
		header := w.Header()
		header.Add("Vary", "Accept")
		cache := fmt.Sprintf("max-age=%d", int(spec.MaxAge.Seconds()))
		if cacheScope(w, spec) {
			cache = "private, " + cache
		}
		header.Set("Cache-Control", cache)
		if header.Set("Content-Type", format.contentType); format.word == "html" {
			pageHeaders(header)
		}

		out := &answer{w: patient(w), r: r}
		p := &page{ask: a}
		if s.offersBatch(spec) {
			p.batch = s.twinURL(a)
		}
		sink, read := s.reading(format, out, p)
		source, err := s.source(a, spec.DataSource)
		if err != nil {
			return err
		}
		sum, err := s.Sources[source].Stream(r.Context(), read, sink)
		if err == nil && sum.Rows == 0 && spec.Name == listQuery && s.Assets.EmptyIs404 && a.Offset() == 0 && a.Limit() > 0 {
			return notFound("no asset matches")
		}
		if err == nil {
			err = out.end(sink)
		}
		if err == nil {
			return nil
		}
		if out.sent {
			panic(http.ErrAbortHandler) // half an answer must not look whole
		}
		if rows.KindOf(err) == rows.Timeout && s.offersBatch(spec) {
			e := toHTTP(err)
			e.BatchURL = s.twinURL(a)
			return e
		}
		return err
	}
}

// reading is what is read, and what writes it.
func (s *Server) reading(format readFormat, out *answer, p *page) (rows.Sink, rows.Read) {
	own := p.Endpoint.Spec.Own != nil && format.word == "json"
	switch {
	case own && p.Endpoint.Spec.Path == s.assetList(listQuery).Path:
		return newRawSink(out, p), rows.Read{Statement: statement(p.Interactive())}
	case own:
		return s.hydraList(out, p)
	case format.paged:
		return &pageSink{Sink: format.sink(out, p), page: p}, rows.Read{Statement: statement(p.Page()), Count: p.counted()}
	}
	return format.sink(out, p), rows.Read{Statement: statement(p.Interactive())}
}

// source is the name of the data source that a spec means: of "user", the caller's own.
func (s *Server) source(a ask, named string) (string, error) {
	if named != endpoint.UserSource {
		return named, nil
	}
	if user := s.users.byName[a.User()]; user != nil && user.Source != "" {
		return user.Source, nil
	}
	return "", &httpError{Status: http.StatusForbidden, Detail: "this endpoint reads with the login of its caller, and you have no data source"}
}

func statement(st endpoint.Statement) rows.Statement {
	args := make([]rows.Arg, len(st.Args))
	for i, a := range st.Args {
		args[i] = rows.Arg(a)
	}
	return rows.Statement{SQL: st.SQL, Args: args}
}
