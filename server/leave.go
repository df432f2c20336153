package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"slashbatch/internal/problem"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/server/endpoint"
)

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
		if errors.Is(err, queue.ErrNotFound) && !a.caller.known() {
			// From another address than it was made from: the id is what counts.
			first, lookErr := s.Jobs.FirstAsker(ctx, id)
			if lookErr != nil {
				return jobs.Status{}, lookErr
			}
			if Anonymous(first) {
				return s.Jobs.Leave(ctx, id, first)
			}
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
