// Package server is slashbatch's HTTP side: routes, read endpoints, the batch
// façade, status pages. It knows the contracts (queue and catalogue through
// package jobs, cache.Store) and no backend, and is the only package that
// writes HTTP.
//
// A request passes, in this order: log and panic (health.go), trailing slash,
// route (route.go), handler, which first asks who calls (auth.go), and, when
// the handler returned an error, the one place that turns errors into answers
// (problem.go).
package server

import (
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

// Options set up a Server.
type Options struct {
	Specs []*endpoint.Spec
	// Registry has the endpoints that agree with their databases.
	Registry *Registry
	Jobs     *jobs.Service
	Hub      *jobs.Hub
	Catalog  cache.Catalog
	Store    cache.Store
	Sources  map[string]*rows.Source
	Log      *slog.Logger

	// PublicURL is the root as clients see it; empty takes it from the request.
	PublicURL      string
	TrustedProxies []netip.Prefix
	MaxBodyBytes   int64

	Users     []User
	Anonymous Limits
	// AnonymousEnabled lets callers without a key in, where an endpoint is public.
	AnonymousEnabled bool
	// UserFromHost finds a user's name in the Host header of a request about SQL jobs,
	// as its first group; nil does not look there.
	UserFromHost *regexp.Regexp
	// SQLEnabled offers SQL jobs. SQLResultAge is how long the rows of a job are kept.
	SQLEnabled   bool
	SQLResultAge time.Duration

	// BatchEnabled offers twins at all; BatchPath is their segment, "/batch".
	BatchEnabled bool
	BatchPath    string
	MaxWait      time.Duration
	// Redirect sends downloads to the store, with signed URLs that work for LinkTTL,
	// where that is possible; else files go through this server.
	Redirect bool
	LinkTTL  time.Duration
	// AliasTTL is how long a public name of a result works.
	AliasTTL time.Duration
	// What endpoints that do not say get.
	ResultAge, MinFresh time.Duration
	Retry               int
	QueryTimeout        time.Duration
	ResultBytes         int64

	// Assets are customers' batches.
	Assets AssetOptions

	// Closing ends when the service is to stop, for answers that would go on for ever.
	Closing <-chan struct{}

	// Checks are what /readyz asks, by the name it tells.
	Checks map[string]Check
}

// Server answers HTTP.
type Server struct {
	Options
	users       *users
	ready       readiness
	router      *mux.Router
	bodyTimeout time.Duration
}

// bodyTimeout is how long the body of a request may take to arrive.
const bodyTimeout = 30 * time.Second

// New returns a server; it is an http.Handler.
func New(o Options) *Server {
	s := &Server{Options: o, users: newUsers(o.Users), bodyTimeout: bodyTimeout}
	s.router = s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.logged(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			// Before it sends an answer net/http reads what is left of the body, and would wait
			// for ever for one that never comes. Who reads the body lifts this again.
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(s.bodyTimeout)) // a test's writer has none
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		s.router.ServeHTTP(w, withoutTrailingSlash(r))
	})).ServeHTTP(w, r)
}

// withoutTrailingSlash makes "/x/" the same request as "/x".
func withoutTrailingSlash(r *http.Request) *http.Request {
	path := r.URL.EscapedPath()
	trimmed := strings.TrimRight(path, "/")
	if trimmed == path || trimmed == "" {
		return r
	}
	decoded, err := url.PathUnescape(trimmed)
	if err != nil {
		return r // the router answers it as it is
	}
	shorter := *r.URL
	shorter.Path, shorter.RawPath = decoded, trimmed
	clone := r.WithContext(r.Context())
	clone.URL = &shorter
	return clone
}

// handler answers a request or says why it cannot.
type handler func(w http.ResponseWriter, r *http.Request) error

// handle adapts a handler: its error becomes the answer.
func (s *Server) handle(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			s.answerError(w, r, err)
		}
	})
}
