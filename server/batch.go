package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"slashbatch/internal/problem"
	"slashbatch/jobs"
	"slashbatch/queue"
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

// understandTwin is understand for the paths below a twin.
func (s *Server) understandTwin(w http.ResponseWriter, r *http.Request, spec *endpoint.Spec) (ask, error) {
	if !s.offersBatch(spec) {
		return ask{}, notFound("this endpoint has no batch twin")
	}
	a, err := s.understand(w, r, spec)
	if err != nil {
		return ask{}, err
	}
	if f := a.Control.Format; f != "" && f != "csv" {
		return ask{}, &httpError{Status: http.StatusNotAcceptable, Detail: "exports of this endpoint come as csv"}
	}
	return a, nil
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
		status, err := s.find(r, a, method)
		if err != nil {
			return err
		}
		if a.Control.Waits && !status.Word.Final() {
			if status, err = s.waitFor(r.Context(), a, status); err != nil {
				return err
			}
		}
		if status.Entry != nil {
			err := s.download(w, r, *status.Entry, a.Endpoint.Spec)
			if !isGone(err) {
				return err
			}
			if err := s.Jobs.Lost(r.Context(), *status.Entry); err != nil {
				return err
			}
			continue
		}
		if a.Control.Waits {
			return s.notYet(w, r, a, status)
		}
		return s.seeStatus(w, a, status)
	}
	return &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the file of this export is missing in the store"}
}

// find looks only, or submits.
func (s *Server) find(r *http.Request, a ask, method jobs.Method) (jobs.Status, error) {
	if method == jobs.Look {
		return s.Jobs.StatusOfKey(r.Context(), a.Key(), a.Control.Fresh)
	}
	return s.submit(r.Context(), a, method)
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
	spec := a.Endpoint.Spec
	st := statement(a.Batch())
	plan := jobs.Plan{
		Kind: jobs.KindExport, Key: a.Key(), URL: a.Path() + query(a.Values()), Endpoint: spec.Name,
		Owner: "shared", SpecDigest: a.Endpoint.Digest(),
		Source: spec.Batch.DataSource, StepsSource: spec.Batch.StepsDataSource,
		SQL: st.SQL, Args: st.Args, OnSuccess: spec.Batch.OnSuccess, OnError: spec.Batch.OnError,
		FileName: a.FileName("csv"), ContentType: "text/csv",
		Fresh: a.Control.Fresh, Retry: s.Retry, Timeout: s.QueryTimeout, ResultBytes: s.ResultBytes,
		MaxAge: s.ResultAge, MinFresh: s.MinFresh,
	}
	if user := a.User(); user != "" {
		plan.Owner = user
	}
	if spec.Batch.Retry != nil {
		plan.Retry = int(*spec.Batch.Retry)
	}
	if spec.Batch.MaxAge > 0 {
		plan.MaxAge = spec.Batch.MaxAge
	}
	return s.Jobs.Submit(ctx, jobs.Request{
		Plan: plan, User: a.caller.list, Method: method, Estimate: spec.Batch.Estimate,
		RunningCap: a.caller.limits.Running, QueuedCap: a.caller.limits.Queued,
	})
}

// seeStatus redirects to the status page. Who made the job gets its id in the
// URL: for an anonymous caller that is the only way to reach it.
func (s *Server) seeStatus(w http.ResponseWriter, a ask, status jobs.Status) error {
	job := ""
	if status.Job != nil && (status.Created || a.Control.Fresh && a.caller.known()) {
		job = status.Job.ID
	}
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Location", s.statusURL(a, job))
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// accept answers "Prefer: respond-async" on the plain endpoint.
func (s *Server) accept(w http.ResponseWriter, r *http.Request, a ask) error {
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
	status, err := s.Jobs.StatusOfKey(r.Context(), a.Key(), false)
	if err != nil {
		return err
	}
	if status.Entry == nil {
		return notFound("this export is not ready")
	}
	return s.download(w, r, *status.Entry, a.Endpoint.Spec)
}

// hop is how long one request of a _wait is held: shorter than the time-outs
// of the proxies on the way.
const hop = 45 * time.Second

// waitFor holds the request until the export has ended or the hop is over.
func (s *Server) waitFor(ctx context.Context, a ask, status jobs.Status) (jobs.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, min(a.Control.Wait, s.MaxWait, hop))
	defer cancel()
	changed, stop := s.Hub.Follow(status.Job.ID)
	defer stop()
	tick := time.NewTicker(time.Second) // events are hints, and may be lost
	defer tick.Stop()
	for {
		now, err := s.Jobs.StatusOfJob(ctx, status.Job.ID)
		switch {
		case ctx.Err() != nil:
			return status, nil
		case err != nil:
			return jobs.Status{}, err
		case now.Word.Final():
			return now, nil
		}
		status = now
		select {
		case <-ctx.Done():
			return status, nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// notYet ends a _wait without a file: on to the next hop, or an error that no
// program takes for rows.
func (s *Server) notYet(w http.ResponseWriter, r *http.Request, a ask, status jobs.Status) error {
	switch status.Word {
	case jobs.WordFailed:
		return &httpError{Status: http.StatusInternalServerError, Detail: "the export failed: " + status.Job.Error, StatusURL: s.statusURL(a, "")}
	case jobs.WordCancelled:
		return &httpError{Status: http.StatusServiceUnavailable, Detail: "the export was cancelled", RetryAfter: unavailableRetry, StatusURL: s.statusURL(a, "")}
	}
	rest := min(a.Control.Wait, s.MaxWait) - hop
	if rest > 0 && r.Context().Err() == nil {
		values := a.Values()
		values.Set("_wait", strconv.Itoa(int(rest.Seconds())))
		if a.Control.Fresh {
			values.Set("_fresh", "true") // else the next hop gets the older file
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", a.base+a.Path()+s.BatchPath+query(values))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return &httpError{
		Status: http.StatusServiceUnavailable, RetryAfter: retryAfter(status), StatusURL: s.statusURL(a, ""),
		Detail: "the export is not ready yet; it goes on, and the same request gets the file later",
	}
}

// leave stops the caller's waiting. A keyed caller is known by the key, an
// anonymous one by the job's id.
func (s *Server) leave(w http.ResponseWriter, r *http.Request, a ask) error {
	status, err := s.leaveJob(r.Context(), a)
	if err != nil {
		return err
	}
	return s.writeStatus(w, r, a, status, true)
}

func (s *Server) leaveJob(ctx context.Context, a ask) (jobs.Status, error) {
	if id := a.Control.Job; id != "" {
		status, err := s.Jobs.StatusOfJob(ctx, id)
		if err != nil {
			return jobs.Status{}, err
		}
		if status.Key != a.Key() {
			return jobs.Status{}, queue.ErrNotFound
		}
		left, err := s.Jobs.Leave(ctx, id, a.caller.list)
		if errors.Is(err, queue.ErrNotFound) && !a.caller.known() && anonymous(status.Job.User) {
			// From another address than it was made from: the id is what counts.
			return s.Jobs.Leave(ctx, id, status.Job.User)
		}
		return left, err
	}
	if !a.caller.known() {
		return jobs.Status{}, badParameters(problem.List{{Path: "_job", Message: "without a key, the id of the job is needed: it is in the URL that the export's status page had at first"}})
	}
	return s.Jobs.LeaveKey(ctx, a.Key(), a.caller.list)
}

// cancelForm is leave for the status page's form. Other sites' pages cannot
// use it in their visitors' names.
func (s *Server) cancelForm(spec *endpoint.Spec) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if !s.sameOrigin(r) {
			return &httpError{Status: http.StatusForbidden, Detail: "cancelling by form is for this service's own pages; programs send DELETE"}
		}
		a, err := s.understandTwin(w, r, spec)
		if err != nil {
			return err
		}
		if _, err := s.leaveJob(r.Context(), a); err != nil {
			return err
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", s.statusURL(a, a.Control.Job))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
}

// sameOrigin trusts what browsers say of where a form comes from.
func (s *Server) sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	a, errA := url.Parse(origin)
	b, errB := url.Parse(s.base(r))
	return errA == nil && errB == nil && a.Host == b.Host
}
