package endpoint

import (
	"net/url"
	"slices"
	"strings"
)

// Found is the endpoint that a path belongs to.
type Found struct {
	Spec *Spec
	// Vars are the path's variables, decoded.
	Vars map[string]string
	// Twin: the path is that of the batch twin.
	Twin bool
}

// Find returns the endpoint whose rows, or whose batch twin, a server with these specs
// answers a GET of an escaped path with. facade is the segment of twins, with its slash.
// It is for whoever has a URL and no server; the server's own routes are the same rules
// in the words of its router, and a test there compares the two.
func Find(specs []*Spec, path, facade string) (Found, bool) {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		path = trimmed
	}
	specs = slices.Clone(specs)
	Sort(specs)
	if plain, twin := strings.CutSuffix(path, facade); twin && !likeFacade(plain, facade) {
		for _, s := range specs {
			if vars, ok := s.matchEscaped(plain); ok {
				return Found{s, vars, true}, true
			}
		}
	}
	if likeFacade(path, facade) {
		return Found{}, false
	}
	for _, s := range specs {
		if vars, ok := s.matchEscaped(path); ok {
			return Found{s, vars, false}, true
		}
	}
	for _, f := range formats {
		plain, ok := strings.CutSuffix(path, "."+f.Word)
		if !ok || !f.Interactive {
			continue
		}
		for _, s := range specs {
			if vars, ok := s.matchEscaped(plain); ok && s.LiteralEnd() {
				return Found{s, vars, false}, true
			}
		}
	}
	return Found{}, false
}

// likeFacade reports whether a path ends like one of the façade, however that is spelled.
func likeFacade(path, facade string) bool {
	if plain, err := url.PathUnescape(strings.ReplaceAll(path, "%2F", "%252F")); err == nil {
		path = plain
	}
	return slices.ContainsFunc(facadeTails, func(tail string) bool {
		return strings.HasSuffix(path, facade+strings.TrimPrefix(tail, "%s"))
	})
}

// matchEscaped is Match for an escaped path, in which literals stand as they are.
func (s *Spec) matchEscaped(path string) (map[string]string, bool) {
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	if len(parts) != len(s.segments) || !strings.HasPrefix(path, "/") {
		return nil, false
	}
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil || !s.segments[i].variable && decoded != part {
			return nil, false
		}
		parts[i] = decoded
	}
	return s.Match(parts)
}
