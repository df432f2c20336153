package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// Check asks one dependency whether it answers.
type Check func(ctx context.Context) error

const checkTimeout = 2 * time.Second

// healthz tells that the process is alive.
func (s *Server) healthz(w http.ResponseWriter, r *http.Request) error {
	return writeJSON(w, r, http.StatusOK, map[string]string{"status": "ok"})
}

// readyz tells which dependency is down. The details are in the log only:
// anybody may ask here.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) error {
	answers, ok := s.ready.get(s.check)
	status := http.StatusOK
	if !ok {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	return writeJSON(w, r, status, answers)
}

// readiness keeps the last answer for a moment: however many ask, the
// dependencies are asked once.
type readiness struct {
	mu      sync.Mutex
	asked   time.Time
	answers map[string]string
	ok      bool
}

const readinessAge = time.Second

func (c *readiness) get(check func() (map[string]string, bool)) (map[string]string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.answers == nil || time.Since(c.asked) > readinessAge {
		c.answers, c.ok = check()
		c.asked = time.Now()
	}
	return c.answers, c.ok
}

// check asks every dependency at once.
func (s *Server) check() (answers map[string]string, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), checkTimeout)
	defer cancel()
	var mu sync.Mutex
	var wg sync.WaitGroup
	answers, ok = map[string]string{}, true
	for name, check := range s.Checks {
		wg.Go(func() {
			err := check(ctx)
			mu.Lock()
			defer mu.Unlock()
			answers[name] = "ok"
			if err != nil {
				answers[name], ok = "down", false
				s.Log.Warn("dependency is down", "dependency", name, "error", err)
			}
		})
	}
	wg.Wait()
	if n := len(s.Registry.Missing(s.Specs)); n > 0 {
		answers["endpoints"], ok = fmt.Sprintf("%d wait for their database", n), false
	}
	return answers, ok
}

// logged writes one line per request, and keeps a panic from taking the
// process with it. Query strings and path values may be sensitive: neither is logged.
func (s *Server) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		recorder := &recorder{ResponseWriter: w}
		defer func() {
			p := recover()
			cause, _ := p.(error)
			if p != nil && !errors.Is(cause, http.ErrAbortHandler) {
				s.Log.Error("panic", "panic", p, "stack", string(debug.Stack()))
				if recorder.status == 0 {
					s.answerError(recorder, r, &httpError{Status: http.StatusInternalServerError, Detail: "something went wrong here, and was written to the log"})
				}
			}
			s.Log.Debug("request", "method", r.Method, "status", recorder.status, "bytes", recorder.bytes, "took", time.Since(start))
			if p != nil && recorder.status != 0 {
				panic(http.ErrAbortHandler) // the client must see that the answer is not whole
			}
		}()
		next.ServeHTTP(recorder, r)
	})
}

// recorder remembers what was answered.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what is below.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
