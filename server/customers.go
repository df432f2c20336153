package server

import (
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"slashbatch/assets"
	"slashbatch/internal/problem"
)

// plainCustomer is a name that can stand in a path, and is not taken for a number.
var plainCustomer = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,63}$`)

// createCustomer makes a customer, for admins, and tells its key: now, and never again.
func (s *Server) createCustomer(w http.ResponseWriter, r *http.Request) error {
	c, err := s.assetCaller(r)
	if err != nil {
		return err
	}
	if !c.admin {
		return unauthorized("Only admin user may create customers.")
	}
	var body struct {
		Name, DisplayName string
		Retention, Key    json.RawMessage
	}
	if err := s.readDocument(w, r, &body); err != nil {
		return err
	}
	n := assets.NewCustomer{Name: body.Name, DisplayName: body.DisplayName}
	var problems problem.List
	if !plainCustomer.MatchString(n.Name) {
		problems.Add("name", "expected a letter, then letters, digits and . _ -, at most 64")
	}
	if len(n.DisplayName) > 500 {
		problems.Add("displayName", "is longer than 500 bytes")
	}
	if len(body.Key) > 0 {
		problems.Add("key", "is made here, and told in the answer")
	}
	if len(body.Retention) > 0 {
		var wrong problem.List
		n.Retention, wrong = assets.ParseRetention(body.Retention, "retention")
		problems = append(problems, wrong...)
	}
	if len(problems) > 0 {
		return badParameters(problems)
	}
	id, key, err := s.Assets.Store.CreateCustomer(r.Context(), n)
	if err != nil {
		return err
	}
	s.Log.Info("customer created", "customer", id, "name", n.Name, "by", c.name)
	made, err := s.member(r, listCustomers, id, map[string]string{"customer": strconv.Itoa(id)}, nil)
	if err != nil {
		return err
	}
	if made == nil {
		return assets.ErrNotFound
	}
	return writeMember(w, r, http.StatusCreated, append(appendText(append(made[:len(made)-1], ','), "key", key), '}'))
}

// createSpace makes a space.
func (s *Server) createSpace(w http.ResponseWriter, r *http.Request) error {
	_, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	var body struct{ Name string }
	if err := s.readDocument(w, r, &body); err != nil {
		return err
	}
	if strings.TrimSpace(body.Name) == "" || len(body.Name) > 500 || strings.ContainsFunc(body.Name, unicode.IsControl) {
		return badParameters(problem.List{{Path: "name", Message: "A name is required, of at most 500 bytes, without control characters"}})
	}
	id, err := s.Assets.Store.CreateSpace(r.Context(), customer, body.Name)
	if err != nil {
		return err
	}
	return s.written(w, r, http.StatusCreated, listSpaces, customer, vars(customer), url.Values{"id": {strconv.Itoa(id)}})
}

// vars are the path's variables of a list that has the customer's only.
func vars(customer int) map[string]string {
	return map[string]string{"customer": strconv.Itoa(customer)}
}
