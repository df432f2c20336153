package server

import (
	"errors"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
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

// handleSQL adapts a handler whose errors are answered in CartoDB's form.
func (s *Server) handleSQL(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerSQLError(w, r, err)
		}
	})
}

func (s *Server) answerSQLError(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
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
		w.Header().Set("WWW-Authenticate", `Basic realm="slashbatch", charset="UTF-8"`)
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

// createJob checks in this order: host, body, size, key, definition.
func (s *Server) createJob(w http.ResponseWriter, r *http.Request) error {
	host, err := s.host(r)
	if err != nil {
		return err
	}
	fields, credentials, err := s.sqlFields(w, r)
	if err != nil {
		return err
	}
	definition, invalid := carto.Parse(fields)
	user, denied := s.sqlUser(host, credentials)
	if limit := s.payload(host, user); invalid == nil && definition.Size() > limit {
		return carto.TooLarge(definition.Size(), limit)
	}
	if denied != nil {
		return denied
	}
	if invalid != nil {
		return invalid
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

// payload is the longest definition of whom the request names, else of whose key came
// with it, else of anybody.
func (s *Server) payload(host, user *User) int {
	switch {
	case host != nil:
		return host.PayloadBytes
	case user != nil:
		return user.PayloadBytes
	}
	return s.PayloadBytes
}

func (s *Server) showJob(w http.ResponseWriter, r *http.Request) error {
	job, err := s.ownJob(r)
	if err != nil {
		return err
	}
	return writeSQLJob(w, r, http.StatusOK, job)
}

// ownJob is the job that the request names, if it is the caller's.
func (s *Server) ownJob(r *http.Request) (jobs.SQLJob, error) {
	user, id, err := s.sqlRequest(r)
	if err != nil {
		return jobs.SQLJob{}, err
	}
	return s.Jobs.SQLJob(r.Context(), id, user.Name)
}

func (s *Server) cancelJob(w http.ResponseWriter, r *http.Request) error {
	user, id, err := s.sqlRequest(r)
	if err != nil {
		return err
	}
	job, err := s.Jobs.CancelSQL(r.Context(), id, user.Name)
	if _, late := errors.AsType[*jobs.StepStateError](err); late && carto.Nested(job.Plan.Form) {
		return &sqlError{http.StatusBadRequest, "Cannot set status to cancelled"}
	}
	if err != nil {
		return err
	}
	return writeSQLJob(w, r, http.StatusOK, job)
}

// jobResult serves the rows of a job.
func (s *Server) jobResult(w http.ResponseWriter, r *http.Request) error {
	job, err := s.ownJob(r)
	if err != nil {
		return err
	}
	entry, err := s.Jobs.SQLResult(r.Context(), job.ID)
	if err == nil {
		w.Header().Add("Vary", "Authorization")
		err = s.download(w, r, entry, jobs.KindSQL, true)
		if isGone(err) {
			if lost := s.Jobs.Lost(r.Context(), entry); lost != nil {
				return lost
			}
		}
	}
	if !errors.Is(err, cache.ErrNotFound) {
		return err
	}
	switch {
	case job.Open():
		return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " is " + string(job.Status.Status) + "; it has no result yet"}
	case job.Status.ResultError != "":
		return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " has no result: " + job.Status.ResultError}
	}
	return &sqlError{http.StatusNotFound, "Job with id " + job.ID + " has no result"}
}

// Pages of the list.
const (
	pageSize, maxPage = 100, 1000
)

// listJobs tells the caller's jobs, newest first: ?status=, ?limit=, ?cursor= as the
// Link header of the page before has it, ?format=csv.
func (s *Server) listJobs(w http.ResponseWriter, r *http.Request) error {
	user, _, err := s.sqlRequest(r)
	if err != nil {
		return err
	}
	q := r.URL.Query()
	n, before := pageSize, int64(0)
	if text := q.Get("limit"); text != "" {
		if n, err = strconv.Atoi(text); err != nil || n < 1 || n > maxPage {
			return &sqlError{http.StatusBadRequest, "limit: expected a number from 1 to " + strconv.Itoa(maxPage)}
		}
	}
	if text := q.Get("cursor"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return &sqlError{http.StatusBadRequest, "cursor: expected the one of the Link header of the page before"}
		}
	}
	status := jobs.StepState(q.Get("status"))
	if status != "" && !slices.Contains(jobs.SQLStatuses, status) {
		return &sqlError{http.StatusBadRequest, "status: expected pending, running, done, failed or cancelled"}
	}
	list, more, err := s.Jobs.SQLJobs(r.Context(), user.Name, before, n, func(j jobs.SQLJob) bool {
		return status == "" || j.Status.Status == status
	})
	if err != nil {
		return err
	}
	if more {
		q.Set("cursor", strconv.FormatInt(list[len(list)-1].Order, 10))
		for _, secret := range keyParameters {
			q.Del(secret)
		}
		w.Header().Set("Link", "<"+s.base(r)+r.URL.EscapedPath()+"?"+q.Encode()+`>; rel="next"`)
	}
	return writeSQLJobs(w, r, list, wantsCSV(r))
}

// wantsCSV reports whether a list is to be CSV.
func wantsCSV(r *http.Request) bool {
	if format := r.URL.Query().Get("format"); format != "" {
		return format == "csv"
	}
	return explicit(r, "text/csv") && quality(r, "text/csv") > quality(r, "application/json")
}

// runningJobs tells the ids of the caller's running jobs, by user; to an admin those
// of all.
func (s *Server) runningJobs(w http.ResponseWriter, r *http.Request) error {
	user, _, err := s.sqlRequest(r)
	if err != nil {
		return err
	}
	whose := user.Name
	if user.Admin {
		whose = ""
	}
	running, err := s.Jobs.RunningSQL(r.Context(), whose)
	if err != nil {
		return err
	}
	return writeSQL(w, r, http.StatusOK, running)
}

// sqlRequest is who asks about a job, and about which.
func (s *Server) sqlRequest(r *http.Request) (user *User, id string, err error) {
	host, err := s.host(r)
	if err != nil {
		return nil, "", err
	}
	vars, err := pathVars(r)
	if err != nil {
		return nil, "", err
	}
	user, err = s.sqlUser(host, credentialOf(r, r.URL.Query()))
	return user, vars["id"], err
}

// keyParameters are the names under which a key may come.
var keyParameters = []string{"api_key", "map_key"}

// sqlFields are what defines a job, from the query string and the body, which wins,
// and the key that came with it.
func (s *Server) sqlFields(w http.ResponseWriter, r *http.Request) (map[string]any, credential, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, credential{}, &sqlError{http.StatusBadRequest, "the query string is not well encoded"}
	}
	body, form, err := s.sqlBody(w, r)
	if err != nil {
		return nil, credential{}, err
	}
	keys := url.Values{}
	for _, name := range keyParameters {
		if key, ok := body[name].(string); ok {
			keys.Set(name, key)
		}
		delete(body, name)
	}
	fields, err := carto.DecodeForm(query)
	if err != nil {
		return nil, credential{}, err
	}
	maps.Copy(fields, body)
	return fields, credentialOf(r, query, form, keys), nil
}

// sqlBody reads a body of any of the types that a job is sent in; one of another type
// counts as empty.
func (s *Server) sqlBody(w http.ResponseWriter, r *http.Request) (fields map[string]any, form url.Values, err error) {
	connection := http.NewResponseController(w)
	_ = connection.SetReadDeadline(time.Now().Add(s.bodyTimeout)) // a test's writer has none
	r.Body = http.MaxBytesReader(w, r.Body, s.MaxBodyBytes)
	mediaType, parameters, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch mediaType {
	case "application/json":
		fields, err = decodeObject(r.Body)
	case "application/x-www-form-urlencoded":
		var body []byte
		if body, err = io.ReadAll(r.Body); err == nil {
			if form, err = url.ParseQuery(string(body)); err != nil {
				err = &sqlError{http.StatusBadRequest, "the form is not well encoded"}
			}
		}
	case "multipart/form-data":
		form, err = multipartFields(r.Body, parameters["boundary"])
	default:
		_, err = io.Copy(io.Discard, r.Body)
	}
	if err != nil {
		if _, told := errors.AsType[*sqlError](err); told {
			return nil, nil, err
		}
		return nil, nil, unreadBody(w, err)
	}
	_ = connection.SetReadDeadline(time.Time{})
	if form != nil {
		fields, err = carto.DecodeForm(form)
	}
	if fields == nil {
		fields = map[string]any{}
	}
	return fields, form, err
}

// decodeObject reads a JSON object; an empty body is an empty one.
func decodeObject(body io.Reader) (map[string]any, error) {
	text, err := io.ReadAll(body)
	if err != nil || len(text) == 0 {
		return nil, err
	}
	var fields map[string]any
	if fields, err = carto.DecodeJSON(text); err != nil {
		return nil, &sqlError{http.StatusBadRequest, "the body is not a JSON object: " + err.Error()}
	}
	return fields, nil
}

// multipartFields reads the fields of a form; files are not among them.
func multipartFields(body io.Reader, boundary string) (url.Values, error) {
	form := url.Values{}
	for parts := multipart.NewReader(body, boundary); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return form, nil
		}
		if err != nil {
			return nil, err
		}
		if part.FileName() != "" {
			continue
		}
		value, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		form.Add(part.FormName(), string(value))
	}
}
