package server

import (
	"context"
	"net/http"
	"strings"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/server/endpoint"
)

// batch is the twin of an endpoint: the same request as an export.
//
//	GET     the file when it is ready, else queue it and 303 to its status
//	POST    queue it if needed, 303 to its status, never the file
//	HEAD    as GET, but never queues: 404 when it is not ready
//	DELETE  stop waiting for it
func (s *Server) batch(spec *endpoint.Spec) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.understandTwin(w, r, spec)
		if err != nil {
			return err
		}
		switch r.Method {
		case http.MethodPost:
			status, err := s.submit(r.Context(), a, jobs.Post)
			if err != nil {
				return err
			}
			return s.seeStatus(w, a, status)
		case http.MethodDelete:
			return s.leave(w, r, a)
		case http.MethodHead:
			return s.head(w, r, a)
		}
		return s.get(w, r, a)
	}
}

// maxURL is the longest URL that is handed out: this server reads twice of it,
// whatever the headers beside it.
const maxURL = 128 << 10

// understandTwin is understand for the paths below a twin.
func (s *Server) understandTwin(w http.ResponseWriter, r *http.Request, spec *endpoint.Spec) (ask, error) {
	if !s.offersBatch(spec) {
		return ask{}, notFound("this endpoint has no batch twin")
	}
	a, err := s.understand(w, r, spec)
	if err != nil {
		return ask{}, err
	}
	if len(s.statusURL(a, "")) > maxURL {
		return ask{}, &httpError{Status: http.StatusRequestEntityTooLarge, Detail: "the request has too many parameters: nobody could ask for its status or its file, since their URLs would be longer than servers take"}
	}
	return a, a.checkFile()
}

func (s *Server) offersBatch(spec *endpoint.Spec) bool { return s.BatchEnabled && spec.Batch.Enabled }

// get serves the file, or sees to it that there will be one.
func (s *Server) get(w http.ResponseWriter, r *http.Request, a ask) error {
	// Twice: the first look may find an entry whose file is gone.
	for range 2 {
		method := jobs.Get
		if embedded(r) {
			method = jobs.Look
		}
		status, err := s.find(r.Context(), a, method)
		if err != nil {
			return err
		}
		if a.Control.Waits && !status.Word.Final() {
			if status, err = s.waitFor(r.Context(), a, status, method); err != nil {
				return err
			}
		}
		if status.Entry != nil {
			err := s.download(w, r, s.served(w, a, status))
			if !isGone(err) {
				return err
			}
			if err := s.lost(r.Context(), err, *status.File); err != nil {
				return err
			}
			continue
		}
		if a.Control.Waits && status.Word == jobs.WordUnknown && method == jobs.Look {
			return notFound("this export was not requested, and a page's or a prefetcher's GET does not request it")
		}
		if a.Control.Waits {
			return s.notYet(w, r, a, status)
		}
		return s.seeStatus(w, a, status)
	}
	return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the file of this export is missing in the store"}
}

// find looks only, or submits.
func (s *Server) find(ctx context.Context, a ask, method jobs.Method) (jobs.Status, error) {
	if method == jobs.Look {
		return s.Jobs.StatusOf(ctx, s.lookup(a, a.Control.Fresh, a.form()))
	}
	return s.submit(ctx, a, method)
}

// lookup is the question how the request stands.
func (s *Server) lookup(a ask, fresh bool, form rows.Form) jobs.Lookup {
	return jobs.Lookup{Key: a.Key(), Fresh: fresh, Form: form, Guard: a.guard(), Source: a.Endpoint.Spec.Batch.DataSource, MinFresh: s.MinFresh}
}

// guard is what the request's result depends on, nil for most.
func (a ask) guard() *rows.Statement {
	g := a.Guard()
	if g == nil {
		return nil
	}
	st := statement(*g)
	return &st
}

// embedded reports whether the request was made for a page or a prefetcher
// rather than for a person or a program: such a GET queues nothing.
func embedded(r *http.Request) bool {
	if strings.Contains(r.Header.Get("Sec-Purpose"), "prefetch") || strings.Contains(r.Header.Get("Purpose"), "prefetch") {
		return true
	}
	return r.Header.Get("Sec-Fetch-Site") == "cross-site" && r.Header.Get("Sec-Fetch-Dest") != "document"
}

// submit hands the request on as a plan.
func (s *Server) submit(ctx context.Context, a ask, method jobs.Method) (jobs.Status, error) {
	spec := a.Endpoint.Spec // of the same path as the one that was asked for, perhaps another
	st := statement(a.Batch())
	source, err := s.source(a, spec.Batch.DataSource)
	if err != nil {
		return jobs.Status{}, err
	}
	steps, err := s.source(a, spec.Batch.StepsDataSource)
	if err != nil {
		return jobs.Status{}, err
	}
	plan := jobs.Plan{
		Kind: jobs.KindExport, Key: a.Key(), URL: a.Path() + query(a.Values()), Endpoint: spec.Name,
		Owner: cache.OwnerShared, SpecDigest: a.Endpoint.Digest(),
		Source: source, StepsSource: steps,
		SQL: st.SQL, Args: st.Args, Guard: a.guard(), OnSuccess: spec.Batch.OnSuccess, OnError: spec.Batch.OnError,
		ResultURL: a.base + a.Path() + s.BatchPath + query(a.Values()),
		FileName:  a.FileName("csv"), ContentType: "text/csv",
		Fresh: a.Control.Fresh, Retry: s.Retry, Timeout: s.QueryTimeout, ResultBytes: s.ResultBytes,
		MaxAge: s.ResultAge, MinFresh: s.MinFresh,
	}
	if user := a.User(); user != "" {
		plan.Owner = cache.OwnerUser(user)
	}
	if a.assets != nil {
		plan.Owner = cache.OwnerCustomer(a.assets.customer)
	}
	for _, c := range a.Columns() {
		if c.OID >= rows.FirstOwnType && strings.HasSuffix(c.TypeName, "[]") {
			plan.Arrays = append(plan.Arrays, c.Name)
		}
	}
	if spec.Batch.Retry != nil {
		plan.Retry = int(*spec.Batch.Retry)
	}
	if spec.Batch.MaxAge > 0 {
		plan.MaxAge = spec.Batch.MaxAge
	}
	return s.Jobs.Submit(ctx, jobs.Request{
		Plan: plan, Form: a.form(), User: a.caller.list, Method: method, Estimate: spec.Batch.Estimate,
		RunningCap: a.caller.limits.Running, QueuedCap: a.caller.limits.Queued,
	})
}

// seeStatus redirects to the status page. Who made the job gets its id in the
// URL: for an anonymous caller that is the only way to reach it.
func (s *Server) seeStatus(w http.ResponseWriter, a ask, status jobs.Status) error {
	job := ""
	if status.Created {
		job = status.Job.ID
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", s.statusURL(a, job))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// accept answers "Prefer: respond-async" on the plain endpoint.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, a ask) error {
	if err := a.checkFile(); err != nil {
		return err
	}
	status, err := s.submit(r.Context(), a, jobs.Post)
	if err != nil {
		return err
	}
	w.Header().Set("Preference-Applied", "respond-async")
	w.Header().Set("Vary", "Prefer")
	if err := s.seeStatus(&statusOverride{w, http.StatusAccepted}, a, status); err != nil {
		return err
	}
	return nil
}

// statusOverride answers with another status code.
type statusOverride struct {
	http.ResponseWriter
	code int
}

func (w *statusOverride) WriteHeader(int) { w.ResponseWriter.WriteHeader(w.code) }

func prefersAsync(r *http.Request) bool {
	for part := range strings.SplitSeq(strings.Join(r.Header.Values("Prefer"), ","), ",") {
		name, _, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "respond-async") {
			return r.Method == http.MethodGet
		}
	}
	return false
}

// head tells of a ready file, and queues nothing.
func (s *Server) head(w http.ResponseWriter, r *http.Request, a ask) error {
	status, err := s.Jobs.StatusOf(r.Context(), s.lookup(a, false, a.form()))
	if err != nil {
		return err
	}
	if status.Entry == nil {
		return notFound("this export is not ready")
	}
	return s.download(w, r, s.served(w, a, status))
}

// served is the file that answers a request.
func (s *Server) served(w http.ResponseWriter, a ask, status jobs.Status) served {
	return served{
		entry: *status.Entry, file: *status.File, form: jobs.FormName(a.form()), packed: a.file().packed,
		of: a.Endpoint.Spec.Name, private: cacheScope(w, a.Endpoint.Spec),
	}
}
