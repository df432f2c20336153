package server

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"slashbatch/assets"
	"slashbatch/server/endpoint"
)

// A customer's key stands for the customer below /customers/{customer} and for its named
// queries, and nowhere else. So do the keys of users of the configuration who are customers,
// and those of admins for all.

// assetCaller is a caller of paths about assets.
type assetCaller struct {
	caller
	// customer is the one that the caller's key stands for, 0 for none.
	customer int
	admin    bool
}

// mayAct reports whether the caller may act for a customer.
func (c assetCaller) mayAct(customer int) bool {
	return c.admin || c.customer != 0 && c.customer == customer
}

// customerList is the list in the queue of a customer. No user's name has a colon.
func customerList(id int) string { return fmt.Sprintf("customer:%d", id) }

// assetCaller identifies who sent the request.
func (s *Server) assetCaller(r *http.Request) (assetCaller, error) {
	c, err := s.caller(r)
	if err == nil {
		user := s.users.byName[c.name]
		if user == nil {
			return assetCaller{caller: c}, nil
		}
		return assetCaller{c, user.Customer, user.Admin}, nil
	}
	key, name := shownKey(r)
	if key == "" {
		return assetCaller{}, err
	}
	customer, notKnown := s.Assets.Store.CustomerByKey(r.Context(), sha256.Sum256([]byte(key)))
	switch {
	case errors.Is(notKnown, assets.ErrNotFound):
		return assetCaller{}, err
	case notKnown != nil:
		return assetCaller{}, notKnown
	case name != "" && name != customer.Name && name != strconv.Itoa(customer.ID):
		return assetCaller{}, err
	}
	list := customerList(customer.ID)
	return assetCaller{caller{name: list, list: list, limits: s.Assets.Limits}, customer.ID, false}, nil
}

// shownKey is the key that a request shows, as Bearer token, or as the password of Basic
// beside a name.
func shownKey(r *http.Request) (key, name string) {
	if name, key, basic := r.BasicAuth(); basic {
		return key, name
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", ""
	}
	return strings.TrimSpace(token), ""
}

// errNotYours is the same for every key that does not fit, and for none.
func errNotYours() error {
	return unauthorized("Only admin user may access this customer's resource.")
}

// actor identifies the caller of a path below /customers/{customer}, and the customer.
func (s *Server) actor(r *http.Request) (assetCaller, int, error) {
	c, err := s.assetCaller(r)
	if err != nil {
		return assetCaller{}, 0, err
	}
	customer, err := customerNumber(r)
	switch {
	case err != nil && c.admin:
		return assetCaller{}, 0, assets.ErrNotFound
	case err != nil || !c.mayAct(customer):
		return assetCaller{}, 0, errNotYours()
	}
	return c, customer, nil
}

func customerNumber(r *http.Request) (int, error) {
	vars, err := pathVars(r)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(vars["customer"], 10, 32)
	return int(n), err
}

// admitCustomer is admit for endpoints over assets' tables; it also finds the customer.
func (s *Server) admitCustomer(r *http.Request, spec *endpoint.Spec) (caller, int, error) {
	if spec.Name != listQuery {
		c, customer, err := s.actor(r)
		return c.caller, customer, err
	}
	c, err := s.assetCaller(r)
	if err != nil {
		return caller{}, 0, err
	}
	public := s.Assets.PublicQueries && (s.AnonymousEnabled || c.known())
	if !c.known() && !public {
		return caller{}, 0, unauthorized("this needs the customer's key")
	}
	customer, err := s.customerOf(r, c)
	switch {
	case errors.Is(err, assets.ErrNotFound) && (c.admin || public):
		return caller{}, 0, notFound("there is no such customer")
	case errors.Is(err, assets.ErrNotFound), err == nil && !public && !c.mayAct(customer):
		return caller{}, 0, errNotYours()
	}
	return c.caller, customer, err
}

// customerOf is the customer that a path names, by number or name. The caller's own is there,
// and needs no look.
func (s *Server) customerOf(r *http.Request, c assetCaller) (int, error) {
	vars, err := pathVars(r)
	if err != nil {
		return 0, err
	}
	named := vars["customer"]
	var customer assets.Customer
	if n, parseErr := strconv.ParseInt(named, 10, 32); parseErr == nil {
		if int(n) == c.customer {
			return c.customer, nil
		}
		customer, err = s.Assets.Store.CustomerByID(r.Context(), int(n))
	} else {
		customer, err = s.Assets.Store.CustomerByName(r.Context(), named)
	}
	return customer.ID, err
}
