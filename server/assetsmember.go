package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"slashbatch/assets"
	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// member reads one member of a list, as the list writes it. vars are the path's variables,
// filters choose it. It is nil when there is none.
func (s *Server) member(r *http.Request, list string, customer int, vars map[string]string, filters url.Values) ([]byte, error) {
	sink := &memberSink{}
	err := s.readRows(r, list, endpoint.Input{Vars: vars, Own: endpoint.OwnInput{Filters: filters}}, customer, sink)
	return sink.body, err
}

// readRows reads a list's rows of a request that the service makes itself.
func (s *Server) readRows(r *http.Request, list string, in endpoint.Input, customer int, sink readsMembers) error {
	e, err := s.Registry.find(s.assetList(list))
	if err != nil {
		return err
	}
	request, problems := e.Parse(in)
	if len(problems) > 0 {
		return badParameters(problems)
	}
	if e.HasView(viewHydra) {
		request.View = viewHydra
	}
	sink.of(ask{Request: request, base: s.base(r), assets: &assetAsk{customer: customer}})
	_, err = s.Sources[ListAnswers].Stream(r.Context(), rows.Read{Statement: statement(request.Interactive())}, sink)
	return err
}

// ListAnswers is the data source that answers about single members are read from.
const ListAnswers = "slashbatch:answers"

// readsMembers takes the rows of a list.
type readsMembers interface {
	rows.Sink
	of(a ask)
}

// one answers one member of a list. by names, for each filter, the variable of the path that
// it has to equal.
func (s *Server) one(list string, by map[string]string) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		_, customer, err := s.actor(r)
		if err != nil {
			return err
		}
		vars, err := pathVars(r)
		if err != nil {
			return err
		}
		filters := url.Values{}
		for filter, name := range by {
			filters.Set(filter, vars[name])
		}
		body, err := s.member(r, list, customer, vars, filters)
		if e, ok := errors.AsType[*httpError](err); ok && e.Status == http.StatusBadRequest || err == nil && body == nil {
			return assets.ErrNotFound // a number too large is nobody's, either
		}
		if err != nil {
			return err
		}
		return writeMember(w, r, http.StatusOK, body)
	}
}

// written answers with a member that was made or changed a moment ago.
func (s *Server) written(w http.ResponseWriter, r *http.Request, status int, list string, customer int, vars map[string]string, filters url.Values) error {
	body, err := s.member(r, list, customer, vars, filters)
	if err == nil && body == nil {
		err = notFound("it has been removed again a moment ago")
	}
	if err != nil {
		return err
	}
	return writeMember(w, r, status, body)
}

// writeMember answers with a member; one that was made is found where it says itself.
func writeMember(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	var d struct {
		ID string `json:"@id"`
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return err
	}
	if status == http.StatusCreated {
		w.Header().Set("Location", d.ID)
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeBody(w, r, status, "application/json", append(body, '\n'))
}
