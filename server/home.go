package server

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	"slashbatch/server/endpoint"
)

// home lists the endpoints that the caller may use: a page for browsers, JSON for
// everybody else.
func (s *Server) home(w http.ResponseWriter, r *http.Request) error {
	list, err := s.listed(w, r)
	if err != nil {
		return err
	}
	w.Header().Add("Vary", "Accept")
	if wantsHTML(r) {
		s.page(w, http.StatusOK, "home.html", s.homeView(list, s.base(r)))
		return nil
	}
	return writeTagged(w, r, s.homeDocument(list, s.base(r)))
}

// listed is an endpoint as its callers are told of it.
type listed struct {
	endpoint.Document
	spec *endpoint.Spec
	// compiled is nil while the endpoint cannot be asked; reason then says why.
	compiled *endpoint.Endpoint
	reason   string
	// example is a request to try; nil when there is none that anybody could know of.
	example *ask
}

// listed are the endpoints that the caller may use, by path. It sets the headers that
// say who may keep the list. Who is unknown and may use none of those there are is
// asked for a key: a browser has no other way to show one.
func (s *Server) listed(w http.ResponseWriter, r *http.Request) ([]listed, error) {
	c, err := s.caller(r)
	if err != nil {
		return nil, err
	}
	// It changes when a database comes back, so it is asked for each time.
	scope := "no-cache"
	if s.restricted() {
		w.Header().Add("Vary", "Authorization")
		scope = "private, no-cache"
	}
	w.Header().Set("Cache-Control", scope)
	var list []listed
	for _, spec := range s.Specs {
		if spec.Access.Admits(c.name) && (c.known() || s.AnonymousEnabled) {
			list = append(list, s.list(spec, c, s.base(r)))
		}
	}
	if len(list) == 0 && len(s.Specs) > 0 && !c.known() {
		return nil, unauthorized("all that is here needs a key")
	}
	slices.SortFunc(list, func(a, b listed) int { return cmp.Compare(a.Path, b.Path) })
	return list, nil
}

// restricted reports whether there is anything that not everybody may use.
func (s *Server) restricted() bool {
	return slices.ContainsFunc(s.Specs, func(spec *endpoint.Spec) bool { return !spec.Access.Public || !s.AnonymousEnabled })
}

func (s *Server) list(spec *endpoint.Spec, c caller, base string) listed {
	compiled, err := s.Registry.find(spec)
	if err != nil {
		l := listed{spec: spec, reason: toHTTP(err).Detail}
		l.Name, l.Path, l.Description = spec.Name, spec.Path, spec.Description
		for _, name := range spec.Variables() {
			declared := spec.PathParameters[name]
			l.PathParameters = append(l.PathParameters, endpoint.PathParameterDocument{
				Name: name, Type: string(endpoint.Text), Expected: "text", Pattern: declared.Pattern, Description: declared.Description,
			})
		}
		return l
	}
	l := listed{spec: spec, compiled: compiled, Document: compiled.Document()}
	if request, ok := exampleOf(compiled, c.name); ok {
		l.example = &ask{Request: request, caller: c, base: base}
	}
	return l
}

// exampleOf is the request that the spec gives as an example. An endpoint without
// variables can do without: its path alone is a request.
func exampleOf(e *endpoint.Endpoint, user string) (*endpoint.Request, bool) {
	u, err := url.Parse(cmp.Or(e.Spec.Example, e.Spec.Path))
	if err != nil || e.Spec.Example == "" && len(e.Spec.Variables()) > 0 {
		return nil, false
	}
	vars, ok := matchPath(e.Spec, u.EscapedPath())
	if !ok {
		return nil, false
	}
	request, problems := e.Parse(endpoint.Input{Vars: vars, Params: u.Query(), User: user})
	return request, len(problems) == 0
}

// matchPath finds the values that an escaped path gives the variables of a spec's path.
func matchPath(spec *endpoint.Spec, escaped string) (vars map[string]string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, part := range parts {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		parts[i] = plain
	}
	return spec.Match(parts)
}

// version is the program's, as its build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}

// writeTagged answers with JSON and a strong ETag, so that who has it already is told so.
func writeTagged(w http.ResponseWriter, r *http.Request, document any) error {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return err
	}
	sum := sha256.Sum256(body.Bytes())
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	w.Header().Set("ETag", tag)
	if etagMatches(r, tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(http.StatusOK)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body.Bytes())
	return ignoreWrite(err)
}
