package server

import (
	"net/http"
	"sync"

	"slashbatch/server/endpoint"
)

// Registry holds the endpoints that agree with their databases. One whose
// database has not been reached yet is missing, and answers 503 until then.
type Registry struct {
	mu        sync.RWMutex
	endpoints map[string]*endpoint.Endpoint
	refused   map[string]bool
}

// NewRegistry returns an empty registry.
func NewRegistry() *Registry {
	return &Registry{endpoints: map[string]*endpoint.Endpoint{}, refused: map[string]bool{}}
}

// Put makes an endpoint available.
func (r *Registry) Put(e *endpoint.Endpoint) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.endpoints[e.Spec.Name] = e
}

// Refuse notes that the database has refused the endpoint: it was away at
// start, and came back with tables that the endpoint does not fit.
func (r *Registry) Refuse(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused[name] = true
}

// Missing returns the names of the specs whose database has not answered yet.
func (r *Registry) Missing(specs []*endpoint.Spec) []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	var names []string
	for _, s := range specs {
		if r.endpoints[s.Name] == nil && !r.refused[s.Name] {
			names = append(names, s.Name)
		}
	}
	return names
}

// find returns the endpoint of a spec.
func (r *Registry) find(s *endpoint.Spec) (*endpoint.Endpoint, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if e := r.endpoints[s.Name]; e != nil {
		return e, nil
	}
	if r.refused[s.Name] {
		return nil, &httpError{Status: http.StatusInternalServerError, Detail: "this endpoint does not fit its database; the log says how"}
	}
	return nil, &httpError{Status: http.StatusServiceUnavailable, RetryAfter: unavailableRetry, Detail: "the database of this endpoint has not been reached yet; try again in a moment"}
}
