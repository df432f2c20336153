package server

import (
	"crypto/sha256"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"slashbatch/server/endpoint"
)

// User is somebody with keys.
type User struct {
	Name   string
	Keys   []Key
	Limits Limits
	// Admin may see what is everybody's.
	Admin bool
	// Customer is the one whose assets the user manages; 0: none.
	Customer int

	// SQL lets the user send SQL jobs, which run on the data source Source: the
	// user's own login.
	SQL       bool
	Source    string
	SQLLimits Limits
	// PayloadBytes is the longest definition of a job, QueryTimeout how long one of
	// its steps may take, ResultBytes the most plain CSV of its rows; 0: no bound.
	PayloadBytes int
	QueryTimeout time.Duration
	ResultBytes  int64
}

// Key is one of a user's keys.
type Key struct {
	// Digest is the SHA-256 of the key.
	Digest [sha256.Size]byte
	// SQL: it is good for SQL jobs, too.
	SQL bool
}

// Limits are a user's in one lane.
type Limits struct {
	Running, Queued int
}

// caller is who sent a request.
type caller struct {
	// name is the user's; empty for an anonymous caller.
	name string
	// list is the name of the caller's list in the queue. Anonymous callers
	// share one per address group: an address is for limits and fairness, never
	// an identity. No user's name has an @.
	list   string
	limits Limits
}

func (c caller) known() bool { return c.name != "" }

const anonymousList = "anonymous@"

// Anonymous reports whether a list of the queue is of anonymous callers.
func Anonymous(list string) bool { return strings.HasPrefix(list, anonymousList) }

// users finds a user by the digest of a key, or by name. Looking a digest up takes a
// time that says nothing about the keys.
type users struct {
	byKey  map[[sha256.Size]byte]ownedKey
	byName map[string]*User
}

// ownedKey is a key and whose it is; user is nil for a key that is nobody's.
type ownedKey struct {
	user *User
	sql  bool
}

func newUsers(list []User) *users {
	u := &users{byKey: map[[sha256.Size]byte]ownedKey{}, byName: map[string]*User{}}
	for i := range list {
		user := &list[i]
		u.byName[user.Name] = user
		for _, key := range user.Keys {
			u.byKey[key.Digest] = ownedKey{user, key.SQL}
		}
	}
	return u
}

func unauthorized(detail string) error {
	return &httpError{Status: http.StatusUnauthorized, Detail: detail, Challenge: keyChallenge}
}

// caller identifies who sent the request: by a key as Bearer token or as the
// password of Basic, else as one of an address group.
func (s *Server) caller(r *http.Request) (caller, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return s.anonymous(r), nil
	}
	name, key, basic := r.BasicAuth()
	if !basic {
		scheme, token, _ := strings.Cut(header, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return caller{}, unauthorized("Authorization is neither Basic nor Bearer")
		}
		key = strings.TrimSpace(token)
	}
	user := s.users.byKey[sha256.Sum256([]byte(key))].user
	if user == nil || basic && name != user.Name {
		return caller{}, unauthorized("the key is not known")
	}
	return caller{name: user.Name, list: user.Name, limits: user.Limits}, nil
}

// anonymous is the caller as one of an address group.
func (s *Server) anonymous(r *http.Request) caller {
	return caller{list: anonymousList + s.addressGroup(r), limits: s.Anonymous}
}

// admit identifies the caller and checks that the endpoint is for them. The customer is the
// one whose assets an endpoint over their tables is about.
func (s *Server) admit(r *http.Request, spec *endpoint.Spec) (c caller, customer int, err error) {
	if spec.Access.Customer {
		return s.admitCustomer(r, spec)
	}
	c, err = s.admitUser(r, spec)
	return c, 0, err
}

func (s *Server) admitUser(r *http.Request, spec *endpoint.Spec) (caller, error) {
	c, err := s.caller(r)
	if err != nil {
		return caller{}, err
	}
	switch {
	case c.known() && !spec.Access.Admits(c.name):
		return caller{}, &httpError{Status: http.StatusForbidden, Detail: "this endpoint is not for your key"}
	case !c.known() && (!s.AnonymousEnabled || !spec.Access.Admits("")):
		return caller{}, unauthorized("this endpoint needs a key")
	}
	return c, nil
}

// addressGroup is the client's address, of IPv6 the /64 that one site has.
func (s *Server) addressGroup(r *http.Request) string {
	address := s.clientAddress(r)
	if !address.IsValid() {
		return "unknown"
	}
	if address.Is4() {
		return address.String()
	}
	prefix, err := address.Prefix(64)
	if err != nil {
		return "unknown"
	}
	return prefix.Masked().String()
}

// clientAddress is the peer's address, or what trusted proxies say: the last
// address in X-Forwarded-For that is not a trusted proxy's own.
func (s *Server) clientAddress(r *http.Request) netip.Addr {
	address := peer(r)
	if !s.trusted(address) {
		return address
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		if address = hop.Unmap(); !s.trusted(address) {
			break
		}
	}
	return address
}

func peer(r *http.Request) netip.Addr {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}

func (s *Server) trusted(address netip.Addr) bool {
	for _, network := range s.TrustedProxies {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// base is the root of this server as the client sees it, without a slash at its end.
func (s *Server) base(r *http.Request) string {
	if s.PublicURL != "" {
		return strings.TrimRight(s.PublicURL, "/")
	}
	scheme, host := "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if s.trusted(peer(r)) {
		// What the nearest proxy says stands last; before it may stand what the
		// client made up.
		if proto := lastOf(r.Header.Get("X-Forwarded-Proto")); proto == "https" || proto == "http" {
			scheme = proto
		}
		if forwarded := lastOf(r.Header.Get("X-Forwarded-Host")); hostPort.MatchString(forwarded) {
			host = forwarded
		}
	}
	return scheme + "://" + host
}

var hostPort = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?$`)

func lastOf(list string) string {
	return strings.TrimSpace(list[strings.LastIndexByte(list, ',')+1:])
}
