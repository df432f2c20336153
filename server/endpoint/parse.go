package endpoint

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

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
}

// The directives, by name.
const (
	paramLimit  = "_limit"
	paramOffset = "_offset"
	paramSort   = "_sort"
	paramView   = "_view"
	paramFormat = "_format"
	paramWait   = "_wait"
	paramFresh  = "_fresh"
	paramJob    = "_job"
)

var directives = []string{paramLimit, paramOffset, paramSort, paramView, paramFormat, paramWait, paramFresh, paramJob}

// mostSorts bounds the terms of one order.
const mostSorts = 100

// mostProblems bounds the problems told about one request.
const mostProblems = 50

// Parse checks and normalises a request. It reports every problem at once,
// each under its parameter's name; the request is nil when there are any. A
// parameter with an empty value is as if it was not sent.
func (e *Endpoint) Parse(in Input) (*Request, problem.List) {
	p := &parser{endpoint: e, request: &Request{Endpoint: e, View: DefaultView, vars: map[string]variable{}}}
	p.variables(in)
	for _, name := range sortedKeys(in.Params) {
		p.parameter(name, in.Params[name])
	}
	if n := len(p.problems); n > 0 {
		if n > mostProblems {
			p.problems = p.problems[:mostProblems]
			p.problems.Add("", "and %d problems more", n-mostProblems)
		}
		return nil, p.problems
	}
	p.request.normalise()
	return p.request, nil
}

type parser struct {
	endpoint *Endpoint
	request  *Request
	problems problem.List
	unknown  int
}

// variables reads the path's variables and the user.
func (p *parser) variables(in Input) {
	spec := p.endpoint.Spec
	for _, name := range spec.Variables() {
		raw, ok := in.Vars[name]
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
	var values []string
	for _, v := range raw {
		if wrong := checkText(v); wrong != "" {
			p.problems.Add(shown(name), "%s", wrong)
			return
		}
		if v != "" {
			values = append(values, v)
		}
	}
	switch {
	case slices.Contains(directives, name):
		p.directive(name, values)
	case strings.HasPrefix(name, "_"):
		p.unknownParameter(name)
	default:
		p.filter(name, values)
	}
}

func (p *parser) directive(name string, values []string) {
	r := p.request
	if name == paramSort {
		p.sort(values)
		return
	}
	values = unique(values)
	if len(values) == 0 {
		return
	}
	if len(values) > 1 {
		p.problems.Add(name, "given twice, with different values")
		return
	}
	value := values[0]
	switch name {
	case paramLimit:
		if n, ok := p.count(name, value); ok {
			r.limit, r.Capped = &n, n > p.endpoint.Spec.HardLimit
		}
	case paramOffset:
		r.offset, _ = p.count(name, value)
	case paramView:
		if _, ok := p.endpoint.views[value]; !ok {
			known := sortedKeys(p.endpoint.views)
			p.problems.Add(name, "unknown view %q%s; known: %s", shown(value), didYouMean(value, known), strings.Join(known, ", "))
			return
		}
		r.View = value
	case paramFormat:
		r.Control.Format = value
	case paramWait:
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			p.problems.Add(name, "expected seconds as a whole number, got %q", shown(value))
		}
		r.Control.Wait, r.Control.Waits = time.Duration(n)*time.Second, true
	case paramFresh:
		fresh, ok := canonicalBool(value)
		if !ok {
			p.problems.Add(name, "expected true or false, got %q", shown(value))
		}
		r.Control.Fresh = fresh == "true"
	case paramJob:
		r.Control.Job = value
	}
}

func (p *parser) count(name, value string) (int64, bool) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		p.problems.Add(name, "expected a whole number, 0 or more, got %q", shown(value))
	}
	return int64(n), err == nil
}

func (p *parser) sort(values []string) {
	if len(values) > mostSorts {
		p.problems.Add(paramSort, "has %d values; at most %d", len(values), mostSorts)
		return
	}
	for _, value := range values {
		name, descending := strings.CutPrefix(value, "-")
		if !descending {
			name = unplus(name)
		}
		property := p.endpoint.find(name)
		if property == nil || !property.sortable {
			p.problems.Add(paramSort, "cannot sort by %q; known: %s (- before it: descending)", shown(name), strings.Join(p.endpoint.sortable(), ", "))
			continue
		}
		if !slices.ContainsFunc(p.request.sorts, func(o order) bool { return o.property.name == property.name }) {
			p.request.sorts = append(p.request.sorts, order{property, descending})
		}
	}
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
