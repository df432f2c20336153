package config

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// expand returns a string node with its variables put in. What comes out is
// read as if it stood in the file without quotes, so that "${N:-8}" can be a
// number. Variables set through the environment's own overrides are doubled
// there, so they come through as they are.
func (l *loader) expand(n *yaml.Node, path string) (*yaml.Node, bool) {
	if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str" || !strings.Contains(n.Value, "$") {
		return n, true
	}
	text, used, err := expandVars(n.Value, l.env)
	if err != nil {
		l.add(path, "%v", err)
		return nil, false
	}
	out := *n
	out.Value = text
	if used {
		out.Tag, out.Style = "", 0
	}
	return &out, true
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expandVars replaces ${NAME} and ${NAME:-default} by the environment's values
// and $$ by $; any other $ stays. As in a shell, :- also stands in for a
// variable that is set to nothing. used tells whether there was a variable.
func expandVars(text string, env map[string]string) (out string, used bool, err error) {
	var b strings.Builder
	for {
		before, after, ok := strings.Cut(text, "$")
		b.WriteString(before)
		if !ok {
			return b.String(), used, nil
		}
		switch {
		case strings.HasPrefix(after, "$"):
			b.WriteByte('$')
			text = after[1:]
			continue
		case !strings.HasPrefix(after, "{"):
			b.WriteByte('$')
			text = after
			continue
		}
		inner, rest, ok := strings.Cut(after[1:], "}")
		if !ok {
			return "", false, errors.New("has a ${ without its }; write $${ for the letters themselves")
		}
		name, def, hasDefault := strings.Cut(inner, ":-")
		if !variableName.MatchString(name) {
			return "", false, errors.New("expected ${NAME} or ${NAME:-default}; write $${ for the letters themselves")
		}
		if strings.Contains(def, "${") {
			return "", false, fmt.Errorf("the default of ${%s} cannot hold another ${…}", name)
		}
		value, set := env[name]
		switch {
		case value == "" && hasDefault:
			value = def
		case !set:
			return "", false, fmt.Errorf("${%s} is not set in the environment; ${%s:-default} gives a default", name, name)
		}
		b.WriteString(value)
		used, text = true, rest
	}
}
