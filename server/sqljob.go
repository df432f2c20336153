package server

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"time"

	"slashbatch/cache"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/server/carto"

	"github.com/gorilla/mux"
)

// SQL jobs, as CartoDB's batch queries have them. Below /api/{version} and
// /user/{user}/api/{version}:
//
//	POST    /sql/job              send a job
//	GET     /sql/job              the caller's jobs
//	GET     /sql/job/{id}         one of them
//	DELETE  /sql/job/{id}         cancel it
//	GET     /sql/job/{id}/result  its rows
//	GET     /jobs-wip             what runs
func (s *Server) sqlRoutes(router *mux.Router) {
	get := []string{http.MethodGet, http.MethodHead}
	for _, prefix := range []string{"/api/{version}", "/user/{user}/api/{version}"} {
		router.Handle(prefix+"/sql/job", s.handleSQL(s.createJob)).Methods(http.MethodPost)
		router.Handle(prefix+"/sql/job", s.handleSQL(s.listJobs)).Methods(get...)
		router.Handle(prefix+"/sql/job/{id}", s.handleSQL(s.showJob)).Methods(get...)
		router.Handle(prefix+"/sql/job/{id}", s.handleSQL(s.cancelJob)).Methods(http.MethodDelete)
		router.Handle(prefix+"/sql/job/{id}/result", s.handleSQL(s.jobResult)).Methods(get...)
		router.Handle(prefix+"/jobs-wip", s.handleSQL(s.runningJobs)).Methods(get...)
		for _, path := range []string{"/sql/job", "/sql/job/{id}", "/sql/job/{id}/result", "/jobs-wip"} {
			router.Handle(prefix+path, s.handleSQL(func(w http.ResponseWriter, _ *http.Request) error {
				w.WriteHeader(http.StatusOK)
				return nil
			})).Methods(http.MethodOptions)
		}
	}
}

// sqlPath matches the paths of SQL jobs and all below them.
var sqlPath = regexp.MustCompile(`^(/user/[^/]+)?/api/[^/]+/(sql|jobs-wip)(/|$)`)

// handleSQL adapts a handler whose errors are answered in CartoDB's form.
func (s *Server) handleSQL(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerSQLError(w, r, err)
		}
	})
}

func (s *Server) answerSQLError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody is there to read it
	}
	known := sqlErrorOf(err, r)
	if known == nil {
		e := toHTTP(err)
		if e.Status >= http.StatusInternalServerError {
			s.Log.Error("request failed", "status", e.Status, "route", routeName(r), "error", err)
		}
		e.prepare(w)
		known = &sqlError{e.Status, e.Detail}
	}
	if known.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", keyChallenge)
	}
	_ = writeSQL(w, r, known.status, map[string][]string{"error": {known.text}})
}

// sqlErrorOf are the errors with words of their own; nil for any other.
func sqlErrorOf(err error, r *http.Request) *sqlError {
	if e, ok := errors.AsType[*sqlError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*carto.InvalidError](err); ok {
		return &sqlError{http.StatusBadRequest, e.Error()}
	}
	if e, ok := errors.AsType[*jobs.StepStateError](err); ok {
		return &sqlError{http.StatusBadRequest, e.Error()}
	}
	if e, ok := errors.AsType[*queue.FullError](err); ok {
		return &sqlError{http.StatusBadRequest, "Failed to create job. Max number of jobs (" + strconv.Itoa(e.Cap) + ") queued reached"}
	}
	if errors.Is(err, queue.ErrNotFound) {
		id, _ := url.PathUnescape(mux.Vars(r)["id"]) // it was looked for under its decoded name
		return &sqlError{http.StatusBadRequest, "Job with id " + id + " not found"}
	}
	return nil
}

// createJob checks in this order: host, key, size, definition. Each costs more than the
// one before it.
func (s *Server) createJob(w http.ResponseWriter, r *http.Request) error {
	q, err := s.sqlRequest(w, r)
	if err != nil {
		return err
	}
	user := q.user
	fields, invalid := q.definition()
	if size := carto.Size(fields); size > user.PayloadBytes {
		return carto.TooLarge(size, user.PayloadBytes)
	}
	if invalid != nil {
		return invalid
	}
	definition, err := carto.Parse(fields)
	if err != nil {
		return err
	}
	plan := definition.Plan()
	plan.Source, plan.Timeout, plan.ResultBytes, plan.MaxAge = user.Source, user.QueryTimeout, user.ResultBytes, s.SQLResultAge
	job, err := s.Jobs.SubmitSQL(r.Context(), jobs.SQLRequest{
		Plan: plan, User: user.Name, Estimate: sqlEstimate, RunningCap: user.SQLLimits.Running, QueuedCap: user.SQLLimits.Queued,
	})
	if err != nil {
		return err
	}
	w.Header().Set("Location", s.base(r)+r.URL.EscapedPath()+"/"+job.ID)
	status, err := jobs.SQLStatusOf(job, plan)
	if err != nil {
		return err
	}
	return writeSQLJob(w, r, http.StatusCreated, jobs.SQLJob{Job: job, Plan: plan, Status: status})
}

// sqlEstimate is how long a SQL job is thought to take; nobody knows.
const sqlEstimate = time.Minute

func (s *Server) showJob(w http.ResponseWriter, r *http.Request) error {
	job, err := s.ownJob(w, r)
	if err != nil {
		return err
	}
	return writeSQLJob(w, r, http.StatusOK, job)
}

// ownJob is the job that the request names, if it is the caller's.
func (s *Server) ownJob(w http.ResponseWriter, r *http.Request) (jobs.SQLJob, error) {
	q, err := s.sqlRequest(w, r)
	if err != nil {
		return jobs.SQLJob{}, err
	}
	return s.Jobs.SQLJob(r.Context(), q.id, q.user.Name)
}

func (s *Server) cancelJob(w http.ResponseWriter, r *http.Request) error {
	q, err := s.sqlRequest(w, r)
	if err != nil {
		return err
	}
	job, err := s.Jobs.CancelSQL(r.Context(), q.id, q.user.Name)
	if _, late := errors.AsType[*jobs.StepStateError](err); late && carto.Nested(job.Plan.Form) {
		return &sqlError{http.StatusBadRequest, "Cannot set status to cancelled"}
	}
	if err != nil {
		return err
	}
	return writeSQLJob(w, r, http.StatusOK, job)
}

// jobResult serves the rows of a job that is done. Of one that was cancelled while they
// were being published the catalogue may know some, too.
func (s *Server) jobResult(w http.ResponseWriter, r *http.Request) error {
	job, err := s.ownJob(w, r)
	if err != nil {
		return err
	}
	if job.Status.Status == jobs.StepDone {
		entry, err := s.Jobs.SQLResult(r.Context(), job.ID)
		if err == nil {
			w.Header().Add("Vary", "Authorization")
			err = s.download(w, r, served{entry: entry, file: entry.File, form: cache.FormCSV, of: jobs.KindSQL, private: true})
			if isGone(err) {
				if lost := s.lost(r.Context(), err, entry.File); lost != nil {
					return lost
				}
			}
		}
		if !errors.Is(err, cache.ErrNotFound) {
			return err
		}
	}
	switch {
	case !job.Status.Status.Final():
		return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " is " + string(job.Status.Status) + "; it has no result yet"}
	case job.Status.ResultError != "":
		return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " has no result: " + job.Status.ResultError}
	}
	return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " has no result"}
}

// Pages of the list.
const (
	pageSize, maxPage = 100, 1000
	// pageBytes is the longest page of more than one job: a job has no size of its own.
	pageBytes = 4 << 20
)

// listJobs tells the caller's jobs, newest first: ?status=, ?limit=, ?cursor= as the
// Link header of the page before has it, ?format=csv.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) error {
	q, err := s.sqlRequest(w, r)
	if err != nil {
		return err
	}
	n, before := pageSize, int64(0)
	if text := q.query.Get("limit"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxPage {
			return &sqlError{http.StatusBadRequest, "limit: expected a number from 1 to " + strconv.Itoa(maxPage)}
		}
	}
	if text := q.query.Get("cursor"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return &sqlError{http.StatusBadRequest, "cursor: expected the one of the Link header of the page before"}
		}
	}
	status := jobs.StepState(q.query.Get("status"))
	if status != "" && !slices.Contains(jobs.SQLStatuses, status) {
		return &sqlError{http.StatusBadRequest, "status: expected pending, running, done, failed or cancelled"}
	}
	page, more := newSQLPage(wantsCSV(r, q.query)), false
	for job, err := range s.Jobs.SQLJobs(r.Context(), q.user.Name, before) {
		if err != nil {
			return err
		}
		if status != "" && job.Status.Status != status {
			continue
		}
		// The one after the last is only looked at: it tells that there are more.
		if more = page.jobs == n; !more {
			added, err := page.add(job)
			if err != nil {
				return err
			}
			more = !added
		}
		if more {
			break
		}
	}
	if more {
		q.query.Set("cursor", strconv.FormatInt(page.last, 10))
		for _, secret := range carto.KeyFields {
			q.query.Del(secret)
		}
		w.Header().Set("Link", "<"+s.base(r)+r.URL.EscapedPath()+"?"+q.query.Encode()+`>; rel="next"`)
	}
	return page.write(w, r)
}

// wantsCSV reports whether a list is to be CSV.
func wantsCSV(r *http.Request, query url.Values) bool {
	if format := query.Get("format"); format != "" {
		return format == "csv"
	}
	return explicit(r, "text/csv") && quality(r, "text/csv") > quality(r, "application/json")
}

// runningJobs tells the ids of the caller's running jobs, by user; to an admin those
// of all.
func (s *Server) runningJobs(w http.ResponseWriter, r *http.Request) error {
	q, err := s.sqlRequest(w, r)
	if err != nil {
		return err
	}
	whose := q.user.Name
	if q.user.Admin {
		whose = ""
	}
	running, err := s.Jobs.RunningSQL(r.Context(), whose)
	if err != nil {
		return err
	}
	return writeSQL(w, r, http.StatusOK, running)
}
