package server

import (
	"net/http"
	"net/url"
	"strings"

	"slashbatch/server/endpoint"

	"github.com/gorilla/mux"
)

// Routes:
//
//	GET, HEAD        <endpoint path>                 readers           rows now             read.go
//	GET, HEAD, POST, DELETE  <endpoint path>/batch   analysts, clients the export           batch.go
//	GET, HEAD        <endpoint path>/batch/status    pages, pollers    how it stands        status.go
//	POST             <endpoint path>/batch/cancel    the status page   stop waiting         leave.go
//	POST             <endpoint path>/batch/links     analysts, clients a public name        links.go
//	GET, HEAD, DELETE  /results/{alias}              who was given it  the result of a link results.go
//	                 /api/{version}/sql/job, …       CARTO's clients   SQL jobs             sqljob.go
//	                 /customers/…, /queue            customers         assets, batches          assets.go
//	GET, HEAD        /raw-resource/{customer}/{name}/…  readers        a named query            rawresource.go
//	GET, HEAD        /                               people, programs  the endpoints        home.go
//	GET, HEAD        /openapi.json                   programs          OpenAPI 3.1          openapi.go
//	GET              /healthz, /readyz               operators         alive, dependencies  health.go
//	GET              /robots.txt                     crawlers          twins and links are not for them
//
// Routing is on the escaped path: %2F in a segment is part of a value. Façade
// paths are matched first, so no value of a path parameter can hide them.
func (s *Server) routes() *mux.Router {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.NotFoundHandler = s.handleUnrouted(func(http.ResponseWriter, *http.Request) error {
		return notFound("there is nothing at this path")
	})
	router.MethodNotAllowedHandler = s.handleUnrouted(func(w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", strings.Join(s.allowed(r), ", "))
		return &httpError{Status: http.StatusMethodNotAllowed, Detail: "this path does not take " + r.Method}
	})
	router.Handle("/healthz", s.handle(s.healthz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/readyz", s.handle(s.readyz)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/", s.handle(s.home)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/openapi.json", s.handle(s.openapi)).Methods(http.MethodGet, http.MethodHead)
	router.Handle("/robots.txt", s.handle(s.robots)).Methods(http.MethodGet, http.MethodHead)

	if s.SQLEnabled {
		s.sqlRoutes(router)
	}
	s.linkRoutes(router)
	specs := append([]*endpoint.Spec(nil), s.Specs...)
	if s.Assets.Store != nil {
		specs = append(specs, s.routedLists()...)
	}
	endpoint.Sort(specs)
	for _, spec := range specs {
		twin := spec.Template() + s.BatchPath
		s.twinRoute(router, twin, "/status", s.status(spec), http.MethodGet, http.MethodHead)
		s.twinRoute(router, twin, "/cancel", s.cancelForm(spec), http.MethodPost)
		s.twinRoute(router, twin, "/links", s.mintLink(spec), http.MethodPost)
		s.twinRoute(router, twin, "", s.batch(spec), http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete)
	}
	if s.Assets.Store != nil {
		s.assetRoutes(router)
	}
	for _, spec := range specs {
		router.Handle(spec.Template(), s.handleRead(spec, s.read(spec, ""))).Methods(http.MethodGet, http.MethodHead).MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool {
			return !s.likeFacade(r.URL.EscapedPath())
		})
	}
	// After all paths as they are declared: one of them may end like an extension.
	for _, spec := range specs {
		for _, format := range readFormats {
			if spec.LiteralEnd() {
				router.Handle(spec.Path+"."+format.word, s.handleRead(spec, s.read(spec, format.word))).Methods(http.MethodGet, http.MethodHead)
			}
		}
	}
	return router
}

// handleRead adapts the handler of an endpoint's rows. Collections of assets have errors of
// their own.
func (s *Server) handleRead(spec *endpoint.Spec, h handler) http.Handler {
	if spec.Own != nil && spec.Name != listQuery {
		return s.handleHydra(h)
	}
	return s.handle(h)
}

// handleUnrouted adapts a handler of requests that no route takes. The error is told in
// the form that the clients of the routes beside it know.
func (s *Server) handleUnrouted(h handler) http.Handler {
	sql, other := s.handleSQL(h), s.handle(h)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.SQLEnabled && sqlPath.MatchString(r.URL.EscapedPath()) {
			sql.ServeHTTP(w, r)
			return
		}
		other.ServeHTTP(w, r)
	})
}

// twinRoute adds a path of the façade. What is before it is the path of a plain
// request, and none that ends like a façade is one.
func (s *Server) twinRoute(router *mux.Router, twin, tail string, h handler, methods ...string) {
	router.Handle(twin+tail, s.handle(h)).Methods(methods...).MatcherFunc(func(r *http.Request, _ *mux.RouteMatch) bool {
		return !s.likeFacade(strings.TrimSuffix(r.URL.EscapedPath(), s.BatchPath+tail))
	})
}

// likeFacade keeps a path that ends like a façade, however it is spelled, from
// being taken for a plain endpoint whose last parameter has that value: in
// links it would be the façade.
func (s *Server) likeFacade(path string) bool {
	if plain, err := url.PathUnescape(strings.ReplaceAll(path, "%2F", "%252F")); err == nil {
		path = plain
	}
	for _, tail := range []string{"", "/status", "/status/events", "/links", "/cancel"} {
		if strings.HasSuffix(path, s.BatchPath+tail) {
			return true
		}
	}
	return false
}

// allowed are the methods that the request's path takes.
func (s *Server) allowed(r *http.Request) []string {
	var methods []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodDelete, http.MethodOptions} {
		other := r.WithContext(r.Context())
		other.Method = method
		var match mux.RouteMatch
		if s.router.Match(other, &match) && match.MatchErr == nil {
			methods = append(methods, method)
		}
	}
	return methods
}

// routeName is the template of the matched path, for the log: values of a path
// may be sensitive, the template is not.
func routeName(r *http.Request) string {
	if route := mux.CurrentRoute(r); route != nil {
		if template, err := route.GetPathTemplate(); err == nil {
			return template
		}
	}
	return ""
}

// restVar is the variable of a path that takes any number of segments.
const restVar = "_args" // as no declared variable is called

// pathVars returns the decoded values of the path's variables.
func pathVars(r *http.Request) (map[string]string, error) {
	vars := mux.Vars(r)
	decoded := make(map[string]string, len(vars))
	for name, value := range vars {
		if name == restVar {
			decoded[name] = value // taken apart first
			continue
		}
		plain, err := url.PathUnescape(value)
		if err != nil {
			return nil, badRequest("the path is not well encoded")
		}
		decoded[name] = plain
	}
	return decoded, nil
}

func (s *Server) robots(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := w.Write([]byte("User-agent: *\nDisallow: /*" + s.BatchPath + "\nDisallow: " + linkPath + "\n"))
	return ignoreWrite(err)
}
