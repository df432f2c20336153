package server

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"

	"slashbatch/server/carto"
)

// sqlError is an answer of the SQL façade that is an error, in CartoDB's form.
type sqlError struct {
	status int
	text   string
}

func (e *sqlError) Error() string { return e.text }

var (
	errNoSQLRight = &sqlError{http.StatusForbidden, "permission denied"}
	errUnknownKey = &sqlError{http.StatusUnauthorized, "Unauthorized"}
)

// host is the user that the request's path or Host header names, nil when neither
// does. An unknown one is an error of its own, whatever key comes with it.
func (s *Server) host(r *http.Request) (*User, error) {
	vars, err := pathVars(r)
	if err != nil {
		return nil, err
	}
	name, given := vars["user"]
	if !given && s.UserFromHost != nil {
		if m := s.UserFromHost.FindStringSubmatch(r.Host); len(m) > 1 && m[1] != "" {
			name, given = m[1], true
		}
	}
	if !given {
		return nil, nil
	}
	if user := s.users.byName[name]; user != nil {
		return user, nil
	}
	return nil, &sqlError{http.StatusNotFound, "Sorry, we can't find CARTO user '" + name + "'. Please check that you have entered the correct domain."}
}

// credential is a key, and the name that came with it.
type credential struct {
	key, name string
	named     bool
}

// credentialOf finds a key in the Authorization header, else among the parameters; given
// tells whether there is one at all, good or not.
func credentialOf(r *http.Request, parameters url.Values) (c credential, given bool) {
	if name, key, ok := r.BasicAuth(); ok {
		return credential{key, name, true}, true
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return credential{key: strings.TrimSpace(token)}, true
	}
	for _, name := range carto.KeyFields {
		if key := parameters.Get(name); key != "" {
			return credential{key: key}, true
		}
	}
	return credential{}, false
}

// sqlUser is who may send and see SQL jobs with this key. Without a host the key's
// owner is meant.
func (s *Server) sqlUser(host *User, c credential) (*User, error) {
	if c.key == "" || c.named && host != nil && c.name != host.Name {
		return nil, errNoSQLRight
	}
	key, known := s.users.byKey[sha256.Sum256([]byte(c.key))]
	if !known || host != nil && key.user != host || c.named && c.name != key.user.Name {
		return nil, errUnknownKey
	}
	if !key.sql || !key.user.SQL {
		return nil, errNoSQLRight
	}
	return key.user, nil
}

// sqlRequest is a request about SQL jobs of somebody who may send it.
type sqlRequest struct {
	user  *User
	id    string // of the job that the path names
	query url.Values
	body  sqlBody // of POST; empty where nobody needs it
}

// sqlRequest finds out who sends a request, before anything else is made of it: a body
// may come from anybody. Only where no key stands before it, it is searched for one.
func (s *Server) sqlRequest(w http.ResponseWriter, r *http.Request) (q sqlRequest, err error) {
	host, err := s.host(r)
	if err != nil {
		return q, err
	}
	vars, err := pathVars(r)
	if err != nil {
		return q, err
	}
	q.id = vars["id"]
	if q.query, err = carto.ParseForm(r.URL.RawQuery); err != nil {
		return q, &sqlError{http.StatusBadRequest, "the query string is not well encoded"}
	}
	c, given := credentialOf(r, q.query)
	if given {
		if q.user, err = s.sqlUser(host, c); err != nil {
			return q, err
		}
	}
	if r.Method == http.MethodPost || r.Method == http.MethodDelete && !given {
		if q.body, err = s.readSQLBody(w, r); err != nil {
			return q, err
		}
	}
	if !given {
		keys, err := q.body.keys()
		if err != nil {
			return q, err
		}
		c, _ = credentialOf(r, keys)
		if q.user, err = s.sqlUser(host, c); err != nil {
			return q, err
		}
	}
	return q, nil
}
