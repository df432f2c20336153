package endpoint

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// splitExample takes the spec's example apart.
func (s *Spec) splitExample() (map[string]string, url.Values, error) {
	u, err := url.Parse(s.Example)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(s.Example, "/") {
		return nil, nil, errors.New("expected a path and query like /stream/AB-01/package?min-mass=1000")
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, nil, fmt.Errorf("its query cannot be read: %w", err)
	}
	var parts []string
	for _, part := range strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/") {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return nil, nil, err
		}
		parts = append(parts, decoded)
	}
	vars, ok := s.Match(parts)
	if !ok {
		return nil, nil, fmt.Errorf("is not a path of %s", s.Path)
	}
	return vars, params, nil
}
