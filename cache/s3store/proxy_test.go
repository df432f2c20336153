package s3store

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// proxy stands between the store and the service, counts, and breaks what it is
// told to.
type proxy struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // names of operations, in the order they came in
	fault    func(op string, nth int) fault
}

// fault is what becomes of a request.
type fault int

const (
	none       fault = iota
	refuse           // 503, the service does not hear of it
	lose             // the service does it, the answer is lost
	halve            // the body of the answer ends in the middle
	stall            // the body of the answer stops in the middle, the connection stays
	loseBefore       // the connection breaks before the service hears of it
)

// newProxy starts a proxy in front of the service of u, and returns the URL
// through it.
func newProxy(t *testing.T, u *url.URL, f func(op string, nth int) fault) (*proxy, *url.URL) {
	t.Helper()
	service, err := url.Parse(u.Query().Get("endpoint"))
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{fault: f}
	closing := make(chan struct{})
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := p.decide(r)
		switch fault {
		case refuse:
			io.Copy(io.Discard, r.Body)
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		case loseBefore:
			panic(http.ErrAbortHandler)
		}
		reverse := httputil.ReverseProxy{
			Rewrite: func(pr *httputil.ProxyRequest) {
				pr.SetURL(service)
				pr.Out.Host = pr.In.Host // It is signed.
			},
			ModifyResponse: func(resp *http.Response) error {
				switch fault {
				case lose:
					io.Copy(io.Discard, resp.Body)
					panic(http.ErrAbortHandler)
				case halve:
					resp.Body = io.NopCloser(io.LimitReader(resp.Body, resp.ContentLength/2))
				case stall:
					resp.Body = io.NopCloser(io.MultiReader(io.LimitReader(resp.Body, resp.ContentLength/2), hang(closing)))
				}
				return nil
			},
			FlushInterval: -1,
			ErrorLog:      log.New(io.Discard, "", 0),
			ErrorHandler:  func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		}
		reverse.ServeHTTP(w, r)
	}))
	p.Start()
	t.Cleanup(p.Close)
	t.Cleanup(func() { close(closing) })
	return p, through(u, p.URL)
}

// hang is a reader that waits until it is told to stop.
type hang <-chan struct{}

func (h hang) Read([]byte) (int, error) {
	<-h
	return 0, io.ErrUnexpectedEOF
}

func (p *proxy) decide(r *http.Request) fault {
	op := operation(r)
	p.mu.Lock()
	defer p.mu.Unlock()
	nth := 1
	for _, before := range p.requests {
		if before == op {
			nth++
		}
	}
	p.requests = append(p.requests, op)
	if p.fault == nil {
		return none
	}
	return p.fault(op, nth)
}

// seen returns the operations so far, sorted.
func (p *proxy) seen() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Sorted(slices.Values(p.requests))
}

func operation(r *http.Request) string {
	q := r.URL.Query()
	switch {
	case r.Method == http.MethodPost && q.Has("uploads"):
		return "create"
	case r.Method == http.MethodPut && q.Has("partNumber"):
		return "part"
	case r.Method == http.MethodPost && q.Has("uploadId"):
		return "complete"
	case r.Method == http.MethodDelete && q.Has("uploadId"):
		return "abort"
	default:
		return strings.ToLower(r.Method)
	}
}
