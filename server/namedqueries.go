package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"slashbatch/assets"
	"slashbatch/internal/problem"

	"github.com/google/uuid"
)

// queryBody is a named query as it is sent. Members that are not there are nil.
type queryBody struct {
	ID       json.RawMessage `json:"@id"`
	PlainID  json.RawMessage `json:"id"`
	Customer json.RawMessage `json:"customer"`
	Name     *string         `json:"name"`
	Template *string         `json:"template"`
	Global   json.RawMessage `json:"global"`
}

// readQuery reads and checks a named query. Its template has to be one that can be run.
func (s *Server) readQuery(w http.ResponseWriter, r *http.Request, create bool) (q assets.NamedQuery, global *bool, err error) {
	var body queryBody
	if err := s.readDocument(w, r, &body); err != nil {
		return q, nil, err
	}
	var problems problem.List
	for name, id := range map[string]json.RawMessage{"@id": body.ID, "id": body.PlainID} {
		if len(id) > 0 && string(id) != "null" {
			problems.Add(name, "DLCS must allocate named query id, but id %s was supplied", strings.Trim(string(id), `"`))
		}
	}
	if len(body.Customer) > 0 && string(body.Customer) != "null" && string(body.Customer) != "0" {
		problems.Add("customer", "Should not include customer: the path names it")
	}
	switch {
	case create && (body.Name == nil || strings.TrimSpace(*body.Name) == ""):
		problems.Add("name", "A name is required")
	case create && (len(*body.Name) > 200 || *body.Name == "." || *body.Name == ".." || strings.ContainsRune(*body.Name, 0)):
		problems.Add("name", "expected at most 200 bytes, and neither . nor ..")
	case create && "/"+*body.Name == s.BatchPath:
		problems.Add("name", "cannot be %s: a path that ends so is an export's", *body.Name)
	case create:
		q.Name = *body.Name
	case body.Name != nil:
		problems.Add("name", "You cannot change the name of a named query")
	}
	if body.Template == nil {
		body.Template = new(string)
	}
	q.Template = *body.Template
	if _, err := assets.ParseTemplate(q.Template); err != nil {
		wrong, _ := errors.AsType[*assets.TemplateError](err)
		for _, message := range wrong.Problems {
			problems.Add("template", "%s", message)
		}
	}
	switch strings.Trim(string(body.Global), `"`) { // older clients send it as a text
	case "", "null":
	case "true", "True":
		global = new(bool)
		*global = true
	case "false", "False":
		global = new(bool)
	default:
		problems.Add("global", "expected true or false")
	}
	if len(problems) > 0 {
		return q, nil, badParameters(problems)
	}
	q.Global = global != nil && *global
	return q, global, nil
}

func errNotGlobal() error {
	return &httpError{Status: http.StatusForbidden, Detail: "Only admin user may make a named query global, or change one that is."}
}

// mayChange refuses customers who would change what all others run.
func (s *Server) mayChange(r *http.Request, c assetCaller, customer int, id uuid.UUID) error {
	global, err := s.Assets.Store.IsGlobal(r.Context(), customer, id)
	if err == nil && global && !c.admin {
		return errNotGlobal()
	}
	return err
}

// createQuery stores a named query.
func (s *Server) createQuery(w http.ResponseWriter, r *http.Request) error {
	c, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	q, _, err := s.readQuery(w, r, true)
	if err != nil {
		return err
	}
	if q.Global && !c.admin {
		return errNotGlobal()
	}
	id, err := s.Assets.Store.CreateQuery(r.Context(), customer, q)
	if err != nil {
		return err
	}
	return s.written(w, r, http.StatusCreated, listQueries, customer, vars(customer), url.Values{"id": {id.String()}})
}

// pathQuery is the id in the path.
func pathQuery(r *http.Request) (uuid.UUID, error) {
	vars, err := pathVars(r)
	if err != nil {
		return uuid.UUID{}, err
	}
	id, err := uuid.Parse(vars["query"])
	if err != nil {
		return uuid.UUID{}, assets.ErrNotFound
	}
	return id, nil
}

// changeQuery gives a customer's own named query another template.
func (s *Server) changeQuery(w http.ResponseWriter, r *http.Request) error {
	c, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	id, err := pathQuery(r)
	if err != nil {
		return err
	}
	q, global, err := s.readQuery(w, r, false)
	if err != nil {
		return err
	}
	if err := s.mayChange(r, c, customer, id); err != nil {
		return err
	}
	if q.Global && !c.admin {
		return errNotGlobal()
	}
	if err := s.Assets.Store.ChangeQuery(r.Context(), customer, id, q.Template, global); err != nil {
		return err
	}
	return s.written(w, r, http.StatusOK, listQueries, customer, vars(customer), url.Values{"id": {id.String()}})
}

// deleteQuery removes a customer's own named query.
func (s *Server) deleteQuery(w http.ResponseWriter, r *http.Request) error {
	c, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	id, err := pathQuery(r)
	if err != nil {
		return err
	}
	if err := s.mayChange(r, c, customer, id); err != nil {
		return err
	}
	if err := s.Assets.Store.DeleteQuery(r.Context(), customer, id); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
