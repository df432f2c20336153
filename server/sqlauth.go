package server

import (
	"crypto/sha256"
	"net/http"
	"net/url"
	"strings"
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

// credentialOf finds a key in the Authorization header, else among the parameters.
func credentialOf(r *http.Request, parameters ...url.Values) credential {
	if name, key, ok := r.BasicAuth(); ok {
		return credential{key, name, true}
	}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		return credential{key: strings.TrimSpace(token)}
	}
	for _, values := range parameters {
		for _, name := range []string{"api_key", "map_key"} {
			if key := values.Get(name); key != "" {
				return credential{key: key}
			}
		}
	}
	return credential{}
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
