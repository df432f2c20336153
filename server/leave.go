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
	if a.Control.Job != "" {
		id, err := s.jobToLeave(ctx, a)
		if err != nil {
			return jobs.Status{}, err
		}
		waiter, err := s.waiter(ctx, a, id)
		if err != nil {
			return jobs.Status{}, err
		}
		if waiter == "" {
			return jobs.Status{}, queue.ErrNotFound
		}
		left, err := s.Jobs.Leave(ctx, id, waiter)
		return s.afterwards(ctx, a, left, err)
	}
	if !a.caller.known() {
		return jobs.Status{}, badParameters(problem.List{{Path: "_job", Message: "without a key, the id of the job is needed: it is in the URL that the export's status page had at first"}})
	}
	left, err := s.Jobs.LeaveFile(ctx, a.Key(), a.form(), a.caller.list)
	return s.afterwards(ctx, a, left, err)
}

// jobToLeave is the id of the job that _job means: the run, or the job that makes the file
// of it. Once the run has ended its id stands for the file's, too: an anonymous caller
// knows no other.
func (s *Server) jobToLeave(ctx context.Context, a ask) (string, error) {
	shown := a.Control.Job
	status, err := s.Jobs.StatusOfJob(ctx, shown)
	if err != nil {
		return "", err
	}
	isRun := status.Key == a.Key()
	if isRun && !(status.Word.Final() && a.converted()) {
		return shown, nil
	}
	made, err := s.Jobs.FileJob(ctx, a.Key(), a.form())
	switch {
	case err == nil && (isRun || made.ID == shown):
		return made.ID, nil
	case isRun && errors.Is(err, queue.ErrNotFound):
		return shown, nil
	case err == nil:
		err = queue.ErrNotFound
	}
	return "", err
}

// waiter is in whose name the caller, who has shown an id, waits for a job; empty when in
// nobody's.
func (s *Server) waiter(ctx context.Context, a ask, id string) (string, error) {
	waits, err := s.Jobs.Waits(ctx, id, a.caller.list)
	if err != nil || waits {
		return a.caller.list, err
	}
	if a.caller.known() {
		return "", nil
	}
	// From another address than it was made from: the id is what counts.
	first, err := s.Jobs.FirstAsker(ctx, id)
	if err != nil || !Anonymous(first) {
		return "", err
	}
	return first, nil
}

// afterwards is how the request stands once the caller has left a job of it. Of a job that
// had made its file already, only the request tells where that is.
func (s *Server) afterwards(ctx context.Context, a ask, left jobs.Status, err error) (jobs.Status, error) {
	if err == nil && left.Word == jobs.WordCompleted && a.converted() {
		return s.Jobs.StatusOf(ctx, s.lookup(a, false, a.form()))
	}
	return left, err
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
