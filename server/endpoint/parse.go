package endpoint

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"slashbatch/internal/problem"
)

// Input is what a client asked of an endpoint.
type Input struct {
	// Vars are the path's variables, decoded.
	Vars map[string]string
	// Params are the query's or the body's parameters, decoded.
	Params url.Values
	// User is the caller's name, empty for an anonymous one.
	User string
	// Own is what the service adds for its own endpoints.
	Own OwnInput
}

// mostProblems bounds the problems told about one request.
const mostProblems = 50

// Parse checks and normalises a request. It reports every problem at once,
// each under its parameter's name; the request is nil when there are any. A
// parameter with an empty value is as if it was not sent.
func (e *Endpoint) Parse(in Input) (*Request, problem.List) {
	p := &parser{endpoint: e, request: &Request{Endpoint: e, View: DefaultView, vars: map[string]variable{}}}
	p.variables(in)
	if e.Spec.Own != nil {
		p.own(in.Own)
	}
	for _, name := range sortedKeys(in.Params) {
		p.parameter(name, in.Params[name])
	}
	p.ownSort(in.Own)
	p.request.normalise()
	p.after()
	if n := len(p.problems); n > 0 {
		if n > mostProblems {
			p.problems = p.problems[:mostProblems]
			p.problems.Add("", "and %d problems more", n-mostProblems)
		}
		return nil, p.problems
	}
	return p.request, nil
}

type parser struct {
	endpoint *Endpoint
	request  *Request
	problems problem.List
	unknown  int
	// cursor is _after, to be read when the order is known.
	cursor string
	// fixed: the filters being read are the service's own.
	fixed bool
	// misordered tells that the order is not known, since it has problems.
	misordered bool
}

// variables reads the path's variables and the user.
func (p *parser) variables(in Input) {
	spec := p.endpoint.Spec
	for _, name := range spec.Variables() {
		raw, ok := in.Vars[name]
		if spec.rest() == name {
			shown, ok := canonicalRest(raw)
			if wrong := checkTextOf(raw, mostRestBytes); !ok || wrong != "" {
				p.problems.Add(name, "%s", cmp.Or(wrong, "is not well encoded"))
			}
			p.request.vars[name] = variable{shown: shown}
			continue
		}
		if !ok || raw == "" {
			p.problems.Add(name, "is missing from the path")
			continue
		}
		if wrong := checkText(raw); wrong != "" {
			p.problems.Add(name, "%s", wrong)
			continue
		}
		par := p.endpoint.parameters[name]
		value, wrong := par.read(raw)
		if wrong != nil {
			p.problems.Add(name, "expected %s%s", wrong.expected(), got(raw, par.sensitive))
			continue
		}
		if pattern := spec.patterns[name]; pattern != nil && !pattern.MatchString(value.shown) {
			p.problems.Add(name, "expected a value matching %s%s", spec.PathParameters[name].Pattern, got(raw, par.sensitive))
			continue
		}
		p.request.vars[name] = value
	}
	if spec.Scope != ScopeUser {
		return
	}
	switch wrong := checkText(in.User); {
	case in.User == "":
		p.problems.Add("", "this endpoint answers each user with rows of their own; a key is needed")
	case wrong != "":
		p.problems.Add("", "the user's name %s", wrong)
	}
	p.request.user = in.User
}

// mostRestBytes bounds the segments of a {name...}.
const mostRestBytes = 128 << 10

// read returns the canonical value of a path variable, or the type that it is not of.
func (p *parameter) read(raw string) (variable, *columnType) {
	v := variable{bound: raw}
	for i, t := range p.types {
		canonical, ok := t.canonical(v.bound)
		if !ok {
			return v, &t
		}
		if v.bound = canonical; i == 0 {
			v.shown = canonical
		}
	}
	return v, nil
}

// got quotes a refused value, unless it is not to be shown.
func got(raw string, sensitive bool) string {
	if sensitive {
		return ""
	}
	return fmt.Sprintf(", got %q", shown(raw))
}

// parameter reads one parameter of the query.
func (p *parser) parameter(name string, raw []string) {
	if wrong := checkText(name); wrong != "" {
		p.problems.Add(shown(strings.ReplaceAll(name, "\x00", "\uFFFD")), "the parameter's name %s", wrong)
		return
	}
	values, ok := p.texts(name, raw)
	switch {
	case !ok:
	case slices.Contains(directives, name):
		p.directive(name, values)
	case strings.HasPrefix(name, "_"):
		p.unknownParameter(name)
	default:
		p.filter(name, values)
	}
}

// texts are the values of a parameter that are not empty; ok is false when one is no text.
func (p *parser) texts(name string, raw []string) (values []string, ok bool) {
	most := mostValueBytes
	if name == paramAfter {
		most = mostCursorBytes // It holds several values.
	}
	for _, v := range raw {
		if wrong := checkTextOf(v, most); wrong != "" {
			p.problems.Add(shown(name), "%s", wrong)
			return nil, false
		}
		if v != "" {
			values = append(values, v)
		}
	}
	return values, true
}

// unknownParameter reports a parameter that means nothing here. The first such
// report lists what is known.
func (p *parser) unknownParameter(name string) {
	p.unknown++
	if len(p.problems) > mostProblems {
		p.problems.Add(shown(name), "unknown parameter") // Counted, not told.
		return
	}
	filterable := p.endpoint.filterable()
	hint := didYouMean(name, append(slices.Clone(directives), filterable...))
	known := ""
	if p.unknown == 1 {
		known = fmt.Sprintf("; known: %s (each also with %s before it, where it has an order, and exists-), %s",
			strings.Join(filterable, ", "), "min-, max-, mineq-, maxeq-", strings.Join(directives, ", "))
	}
	p.problems.Add(shown(name), "unknown parameter%s%s", hint, known)
}
