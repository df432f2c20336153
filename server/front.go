package server

import (
	"net/http"
	"sync/atomic"
)

// Front answers 503 until there is a server to pass requests to: the listener
// is open before the queue and the catalogue have been reached.
type Front struct{ server atomic.Pointer[Server] }

// NewFront returns a Front without a server.
func NewFront() *Front { return &Front{} }

// Set passes all further requests to s.
func (f *Front) Set(s *Server) { f.server.Store(s) }

// ServeHTTP implements http.Handler.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if s := f.server.Load(); s != nil {
		s.ServeHTTP(w, r)
		return
	}
	s := &Server{}
	if r.URL.Path == "/healthz" {
		_ = s.healthz(w, r) // a write to a client that has gone
		return
	}
	e := &httpError{
		Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry,
		Detail: "the service is starting: its queue or its catalogue has not been reached yet",
	}
	e.write(w, r)
}

// Health serves /healthz and /readyz only, for a listener of its own.
func (f *Front) Health() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/healthz", "/readyz":
			f.ServeHTTP(w, r)
		default:
			(&httpError{Status: http.StatusNotFound, Detail: "here are /healthz and /readyz only"}).write(w, r)
		}
	})
}
