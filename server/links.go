package server

import (
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/server/endpoint"
)

// linkDocument is the answer to who mints a link.
type linkDocument struct {
	URL     string `json:"url"`
	Expires string `json:"expires"`
	// Token is the secret that takes the link away. It is told here and never again: only its
	// digest is kept.
	Token string    `json:"token"`
	Links linkLinks `json:"links"`
}

// linkLinks are the link in each format, by its word.
type linkLinks struct {
	Formats map[string]string `json:"formats"`
}

// mintLink gives the result of a request a public name, by which anybody who knows it may
// read it, in the format that was asked for or any other. Who may read the request may do
// that; nothing is queued for it.
func (s *Server) mintLink(spec *endpoint.Spec) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if s.foreignPage(r) {
			return &httpError{Status: http.StatusForbidden, Detail: "links are not for other sites' pages to make; programs send neither Origin nor Sec-Fetch-Site"}
		}
		a, err := s.understandTwin(w, r, spec)
		if err != nil {
			return err
		}
		if !spec.Batch.Links {
			return notFound("this endpoint gives out no links to its results")
		}
		entry, err := s.readyResult(r, a)
		if err != nil {
			return err
		}
		alias, token := newAlias(a, entry, s.AliasTTL)
		err = s.Catalog.Mint(r.Context(), alias)
		if err == nil {
			// Read back: it is told only if it works, and until when by the catalogue's clock.
			entry, err = s.Catalog.ByAlias(r.Context(), alias.Name)
		}
		if errors.Is(err, cache.ErrNotFound) {
			return s.notReady(a)
		}
		if err != nil {
			return err
		}
		s.Log.Info("link minted", "key", a.Key(), "endpoint", spec.Name, "user", a.caller.list, "expires", entry.Expires)
		d := a.linkDocument(alias.Name, entry.Expires)
		d.Token = token
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", d.URL)
		return writeJSON(w, r, http.StatusCreated, d)
	}
}

// readyResult is the result that answers the request now.
func (s *Server) readyResult(r *http.Request, a ask) (cache.Entry, error) {
	status, err := s.Jobs.StatusOf(r.Context(), s.lookup(a, false, rows.Form{}))
	if err != nil {
		return cache.Entry{}, err
	}
	if status.Entry == nil {
		return cache.Entry{}, s.notReady(a)
	}
	// A link to a file that can never be made is refused now rather than to who opens it.
	_, err = s.Jobs.SubmitFile(r.Context(), *status.Entry, jobs.FileRequest{Form: a.form(), Method: jobs.Look})
	return *status.Entry, err
}

func (s *Server) notReady(a ask) error {
	return &httpError{
		Status: http.StatusConflict, StatusURL: s.statusURL(a, ""),
		Detail: "there is no result to link to: a link is made once the export is complete",
	}
}

// newAlias is a name that nobody can guess, of 130 bits, and the secret that goes with it,
// of 260.
func newAlias(a ask, e cache.Entry, ttl time.Duration) (alias cache.Alias, token string) {
	token = rand.Text() + rand.Text()
	return cache.Alias{
		Name: strings.ToLower(rand.Text()), Result: e.Result, Token: sha256.Sum256([]byte(token)),
		Owner: a.caller.list, FileName: e.File.FileName, Generated: e.Generated, TTL: ttl,
	}, token
}

// linkDocument tells of a link to the result of the request, but for its token.
func (a ask) linkDocument(name string, expires time.Time) linkDocument {
	d := linkDocument{
		URL: a.linkURL(name, a.file()), Expires: expires.UTC().Format(time.RFC3339),
		Links: linkLinks{Formats: map[string]string{}},
	}
	for _, f := range offeredFiles(a.Endpoint.Spec) {
		d.Links.Formats[f.word] = a.linkURL(name, f)
	}
	return d
}

// linkURL is the URL of a link in one format.
func (a ask) linkURL(name string, f fileFormat) string {
	return a.base + linkPath + name + "." + f.word + query(f.options(a.Control))
}

// foreignPage reports whether a page of another site sends the request, by what browsers say:
// programs say nothing of the kind.
func (s *Server) foreignPage(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site != "same-origin" && site != "none"
	}
	return r.Header.Get("Origin") != "" && !s.sameOrigin(r)
}
