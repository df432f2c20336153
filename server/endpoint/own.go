package endpoint

import (
	"bytes"
	"errors"
	"io"
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"slashbatch/internal/problem"
)

// Own is what the service's own endpoints, over its own tables, have beside the fields of
// declared ones. Their paths may be the service's own, and may end in {name...}: any number
// of segments. Their queries may have placeholders that are no variables of the path; a
// request brings the values in OwnInput.Bound.
type Own struct {
	// Sort is the order of requests without _sort, in its words.
	Sort []string
	// Guard is a query of one text, with the placeholders of Query: a result holds while it
	// gives what it gave when the rows were read. Empty: nothing of the kind.
	Guard string

	guard *query
}

// OwnInput is what the service adds to a request of one of its own endpoints. None of it
// is in canonical parameters.
type OwnInput struct {
	// Bound are the values of the placeholders that are no variables of the path.
	Bound map[string]string
	// Filters hold beside those of Input.Params: rows fulfil both.
	Filters url.Values
	// Sort is the order without _sort, instead of Own.Sort.
	Sort []string
	// Digest is part of the key: it tells requests apart that have equal paths and
	// parameters, and mean different rows.
	Digest string
}

// DecodeOwn is Decode for the service's own endpoints.
func DecodeOwn(data []byte, file string) ([]*Spec, problem.List) {
	var specs []*Spec
	var problems problem.List
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			return specs, problems
		}
		if err != nil {
			problems.Add("", "not YAML: %v", err)
			return nil, problems.In(file)
		}
		spec, found := decodeSpec(n.Content[0], file, "", &Own{})
		specs, problems = append(specs, spec), append(problems, found...)
	}
}

// placeholders are those of the spec's queries that are no variables of its path.
func (s *Spec) placeholders() []string {
	names := s.query.params
	if s.Own != nil && s.Own.guard != nil {
		names = append(slices.Clone(names), s.Own.guard.params...)
	}
	variables := s.Variables()
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return name == UserParameter || slices.Contains(variables, name)
	})
}

// own adds what the service has to say to a request of its own endpoint.
func (p *parser) own(in OwnInput) {
	for _, name := range p.endpoint.Spec.placeholders() {
		value, ok := in.Bound[name]
		if !ok {
			panic("endpoint: " + p.endpoint.Spec.Name + " needs a value of {" + name + "}")
		}
		p.request.vars[name] = variable{bound: value}
	}
	p.fixed = true
	for _, name := range sortedKeys(in.Filters) {
		values, ok := p.texts(name, in.Filters[name])
		switch {
		case ok && len(values) == 0:
			p.problems.Add(name, "is empty") // left out it would choose everything
		case ok:
			p.filter(name, values)
		}
	}
	p.fixed = false
	p.request.digest = in.Digest
}

// ownSort is the order of a request that asks for none.
func (p *parser) ownSort(in OwnInput) {
	own := p.endpoint.Spec.Own
	if own == nil || len(p.request.sorts) > 0 || p.misordered {
		return
	}
	words := own.Sort
	if in.Sort != nil {
		words = in.Sort
	}
	p.sort(words)
	p.request.unsorted = true
}

// Guard returns the statement whose one text says whether a result still holds, or nil.
func (r *Request) Guard() *Statement {
	own := r.Endpoint.Spec.Own
	if own == nil || own.guard == nil {
		return nil
	}
	st := Statement{SQL: own.guard.sql(), Args: []Arg{}}
	for _, name := range own.guard.params {
		st.Args = append(st.Args, Arg{Value: r.vars[name].bound})
	}
	return &st
}

// Var returns the value of a path variable, in its canonical form; that of {name...} is
// escaped as in a path.
func (r *Request) Var(name string) string { return r.vars[name].shown }

// canonicalRest writes the segments of a {name...}, which come escaped, in one way. Empty
// ones are nothing.
func canonicalRest(raw string) (string, bool) {
	parts, ok := RestParts(raw)
	if !ok {
		return "", false
	}
	for i, part := range parts {
		parts[i] = strings.ReplaceAll(escapeSegment(part), "%2C", ",") // lists are for people, too
	}
	return strings.Join(parts, "/"), true
}

// RestParts returns the decoded segments of the escaped value of a {name...}, without empty
// ones; false when it is not well encoded.
func RestParts(raw string) ([]string, bool) {
	parts := []string{}
	for part := range strings.SplitSeq(raw, "/") {
		decoded, err := url.PathUnescape(part)
		if err != nil {
			return nil, false
		}
		if decoded != "" {
			parts = append(parts, decoded)
		}
	}
	return parts, true
}

// TextArray writes texts as the value of a placeholder of type text[], or of an array of
// another type whose values are written so.
func TextArray(values []string) string { return arrayLiteral(values) }

// HasView reports whether the endpoint has a view of this name.
func (e *Endpoint) HasView(name string) bool {
	_, ok := e.views[name]
	return ok
}
