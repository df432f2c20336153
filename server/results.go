package server

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

// linkPath is what the paths of links begin with.
const linkPath = "/results/"

// Links to results. Who knows the name may read, without a key; who has the token may take
// the name away. Nothing is served for a link that a cache could keep longer than the link lives.
//
//	GET, HEAD  /results/{alias}[.extension]  the file, in the format that the extension names
//	DELETE     /results/{alias}              with the token as Authorization: Bearer
func (s *Server) linkRoutes(router *mux.Router) {
	router.Handle(linkPath+"{alias}", s.handle(s.linked)).Methods(http.MethodGet, http.MethodHead)
	router.Handle(linkPath+"{alias}", s.handle(s.dropLink)).Methods(http.MethodDelete)
}

// errNoLink does not tell a link that has expired, or was taken away, or whose file is gone,
// from one that never was.
var errNoLink = notFound("there is no such result: the link is not known here, or has ended")

// link is what the URL of a link asks for.
type link struct {
	name string
	file fileFormat
	endpoint.Control
}

// aliasName is what names may be made of; the catalogue is asked for no other.
var aliasName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,128}$`)

func linkOf(r *http.Request) (link, error) {
	vars, err := pathVars(r)
	if err != nil {
		return link{}, err
	}
	name, extension, given := strings.Cut(vars["alias"], ".")
	file, known := fileByWord(fileFormats, extension)
	switch {
	case !aliasName.MatchString(name):
		return link{}, errNoLink
	case !given:
		file = fileFormats[0]
	case !known:
		return link{}, notFound("links end in ." + strings.Join(fileWords(fileFormats), ", .") + ", or in none of them, which is ." + fileFormats[0].word)
	}
	return link{name: name, file: file}, nil
}

// control reads the parameters: the options of CSV, and _wait.
func (l *link) control(r *http.Request) error {
	params, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return badRequest("the query string is not well encoded")
	}
	control, problems := endpoint.ParseControl(params, append([]string{"_wait"}, csvOptions...)...)
	if problems = append(problems, l.file.refuse(control)...); len(problems) > 0 {
		return badParameters(problems)
	}
	l.Control = control
	return nil
}

func (l link) form() rows.Form { return l.file.form(l.Control) }

// linked serves the file that a link leads to. One that is not made yet is queued in the
// caller's list, and waited for.
func (s *Server) linked(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Referrer-Policy", "no-referrer") // the URL is the right to read
	w.Header().Set("X-Robots-Tag", "noindex")
	l, err := linkOf(r)
	if err == nil {
		err = l.control(r)
	}
	if err != nil {
		return err
	}
	// Twice: the first look may find a file that is gone, and can be made again.
	for range 2 {
		entry, err := s.Catalog.ByAlias(r.Context(), l.name)
		if errors.Is(err, cache.ErrNotFound) {
			return errNoLink
		}
		if err != nil {
			return err
		}
		status, err := s.linkedFile(r, l, entry)
		if err != nil {
			return err
		}
		if status.File == nil {
			return notMade(r, status)
		}
		err = s.download(w, r, served{
			entry: entry, file: *status.File, form: jobs.FormName(l.form()), packed: l.file.packed, of: "link", private: true,
		})
		if !isGone(err) {
			return err
		}
		if err := s.lost(r.Context(), err, *status.File); err != nil {
			return err
		}
	}
	return errNoLink
}

// linkHold is how long a request is held for a file that is being made, unless _wait says.
const linkHold = 25 * time.Second

// linkedFile finds the file of a result in the form that a link asks for, or has it made. HEAD
// and what pages embed only look.
func (s *Server) linkedFile(r *http.Request, l link, e cache.Entry) (jobs.Status, error) {
	c, err := s.caller(r)
	if err != nil {
		c = s.anonymous(r) // a link needs no key, and no key is wrong for it
	}
	request := jobs.FileRequest{Form: l.form(), User: c.list, Method: jobs.Get, RunningCap: c.limits.Running, QueuedCap: c.limits.Queued}
	if r.Method == http.MethodHead || embedded(r) {
		request.Method = jobs.Look
	}
	status, err := s.Jobs.SubmitFile(r.Context(), e, request)
	if err != nil || status.Word.Final() || request.Method == jobs.Look {
		return status, err
	}
	hold := linkHold
	if l.Waits {
		hold = min(l.Wait, s.MaxWait)
	}
	ctx, cancel := context.WithTimeout(r.Context(), hold)
	defer cancel()
	ended, err := s.follow(ctx, status)
	if err != nil || ended.Word != jobs.WordCompleted {
		return ended, err
	}
	return s.Jobs.SubmitFile(r.Context(), e, request)
}

// notMade is the answer to a link whose file is not there, or not yet.
func notMade(r *http.Request, status jobs.Status) error {
	switch {
	case r.Method == http.MethodHead:
		return errNoLink
	case status.Word == jobs.WordFailed:
		return &httpError{Status: http.StatusInternalServerError, Detail: "the file could not be made: " + status.Job.Error}
	case status.Word == jobs.WordCancelled:
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the making of this file was cancelled; try again in a while"}
	case status.Word == jobs.WordUnknown:
		return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "this file is not made yet, and a page's or a prefetcher's GET does not have it made"}
	}
	return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: retryAfter(status), Detail: "this file is being made; the same link leads to it in a moment"}
}

// dropLink takes a name away, and nothing else. One that is not there is as good as taken away.
func (s *Server) dropLink(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return &httpError{Status: http.StatusUnauthorized, Challenge: tokenChallenge, Detail: "a link is taken away by whoever shows its token: Authorization: Bearer <token>"}
	}
	l, err := linkOf(r)
	if err == nil {
		err = s.Catalog.DropAlias(r.Context(), l.name, sha256.Sum256([]byte(token)))
	}
	switch {
	case errors.Is(err, cache.ErrToken):
		return &httpError{Status: http.StatusForbidden, Detail: "this is not the token of this link; nothing was changed"}
	case err != nil && !errors.Is(err, errNoLink):
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
