package carto

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"

	"slashbatch/internal/problem"
	"slashbatch/internal/sqltext"
	"slashbatch/jobs"
)

// MostSteps is the number of steps a job may have.
const MostSteps = 1000

// Parse checks the Fields of a request and brings them into one form; other
// fields are not looked at. Values are decoded JSON: strings, json.Numbers,
// booleans, nil, []any and map[string]any. The error is an *InvalidError with
// every problem there is.
func Parse(fields map[string]any) (Definition, error) {
	return new(parser).parse(fields)
}

func (p *parser) parse(fields map[string]any) (Definition, error) {
	query := fields[memberQuery]
	if falsy(query) {
		return Definition{}, errNoSQL()
	}
	var d Definition
	own := map[string]any{}
	for _, name := range Fields {
		if v, sent := fields[name]; sent {
			own[name] = v
		}
	}
	top := p.settings(own, "")
	job := top
	switch query := query.(type) {
	case string:
		d.Steps = []jobs.SQLStep{{SQL: p.sql(query, memberQuery)}}
	case []any:
		d.shape = listShape
		p.steps(&d, query, memberQuery)
	case map[string]any:
		d.shape = nestedShape
		inner := p.settings(query, memberQuery)
		d.nested = inner.members
		job = p.join(top, inner)
		at := place(memberQuery, memberQuery)
		if list, ok := query[memberQuery].([]any); ok {
			p.steps(&d, list, at)
		} else {
			p.problems.Add(at, "expected an array")
		}
	default:
		p.problems.Add(memberQuery, "expected a string, an array or an object")
	}
	if err := invalid(p.problems); err != nil {
		return Definition{}, err
	}
	d.top, d.OnSuccess, d.OnError = top.members, job.onSuccess, job.onError
	d.Repeatable = job.repeatable != nil && *job.repeatable
	for i := range d.Steps {
		if d.shape == simpleShape || !d.written[i].members.has(memberRepeatable) {
			d.Steps[i].Repeatable = d.Repeatable
		}
	}
	return d, nil
}

// falsy tells what CartoDB takes for no query at all: what JavaScript does.
func falsy(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == ""
	case json.Number:
		f, err := v.Float64()
		return err == nil && f == 0
	}
	return false
}

type parser struct {
	problems problem.List
	// stored: the definition was taken before, so its placeholders were good then.
	stored bool
}

// fallback reads the text of a fallback, whose placeholders must stand where a value
// can be written.
func (p *parser) fallback(v any, at string) string {
	known := len(p.problems)
	sql := p.sql(v, at)
	if p.stored || len(p.problems) > known {
		return sql
	}
	if _, err := sqltext.Parse(sql, jobs.Placeholders...); err != nil {
		p.problems.Add(at, "%v", err)
	}
	return sql
}

// steps reads an array of steps.
func (p *parser) steps(d *Definition, list []any, at string) {
	switch n := len(list); {
	case n == 0:
		p.problems.Add(at, "expected at least one query")
	case n > MostSteps:
		p.problems.Add(at, "expected at most %d queries, got %d", MostSteps, n)
		return
	}
	for i, v := range list {
		at := at + "[" + strconv.Itoa(i) + "]"
		var step jobs.SQLStep
		var written writtenStep
		switch v := v.(type) {
		case string:
			written.plain, step.SQL = true, p.sql(v, at)
		case map[string]any:
			step, written.members = p.step(v, at)
		default:
			p.problems.Add(at, "expected a string or an object")
		}
		d.Steps, d.written = append(d.Steps, step), append(d.written, written)
	}
}

// step reads a step that is an object.
func (p *parser) step(o map[string]any, at string) (jobs.SQLStep, object) {
	s := p.settings(o, at)
	step := jobs.SQLStep{
		SQL: p.sql(o[memberQuery], place(at, memberQuery)), OnSuccess: s.onSuccess, OnError: s.onError,
		Timeout: milliseconds(o[memberTimeout]), Repeatable: s.repeatable != nil && *s.repeatable,
	}
	if id := o[memberID]; id != nil {
		text, ok := id.(string)
		if !ok {
			p.problems.Add(place(at, memberID), "expected a string")
		}
		step.ID = text
	}
	return step, s.members
}

// join merges what is said for the whole job at its two places. Which one is
// meant when both say it, nobody can tell.
func (p *parser) join(top, nested settings) settings {
	for _, name := range []string{memberOnSuccess, memberOnError, memberRepeatable} {
		if top.members.has(name) && nested.members.has(name) {
			p.problems.Add(name, "given twice, here and as %s", place(memberQuery, name))
		}
	}
	if top.onSuccess == "" {
		top.onSuccess = nested.onSuccess
	}
	if top.onError == "" {
		top.onError = nested.onError
	}
	if top.repeatable == nil {
		top.repeatable = nested.repeatable
	}
	return top
}

// settings are the members beside the query of a step or a job.
type settings struct {
	onSuccess, onError string
	repeatable         *bool
	// members are all that are kept, in the order in which they are shown: the
	// known ones, then the client's own by name.
	members object
}

// settings reads the members of o beside its query. Those that only the server
// sets are dropped; what it does not know is kept.
func (p *parser) settings(o map[string]any, at string) settings {
	var s settings
	for _, name := range memberOrder(o) {
		v, at := o[name], place(at, name)
		if v == nil && slices.Contains(optional, name) {
			continue
		}
		switch name {
		case memberOnSuccess:
			s.onSuccess = p.fallback(v, at)
			s.members.add(name, s.onSuccess)
		case memberOnError:
			s.onError = p.fallback(v, at)
			s.members.add(name, s.onError)
		case memberRepeatable:
			if s.repeatable = p.boolean(v, at); s.repeatable != nil {
				s.members.add(name, *s.repeatable)
			}
		default:
			if wrong := checkText(name); wrong != "" {
				p.problems.Add(at, "the name %s", wrong)
			} else if wrong := checkValue(v, mostDepth); wrong != "" {
				p.problems.Add(at, "%s", wrong)
			} else {
				s.members.add(name, withoutSecrets(v))
			}
		}
	}
	return s
}

// optional are the members for which null means that they were not sent.
var optional = []string{memberOnSuccess, memberOnError, memberRepeatable, memberID}

var shownFirst = []string{memberOnSuccess, memberOnError, memberRepeatable, memberTimeout, memberID}

// dropped reports whether a member is not kept.
func dropped(name string) bool {
	return name == memberQuery || slices.Contains(statusMembers, name) || slices.Contains(KeyFields, name)
}

// withoutSecrets is a value without the KeyFields of its objects, wherever they stand.
func withoutSecrets(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = withoutSecrets(v[i])
		}
	case map[string]any:
		for name := range v {
			if slices.Contains(KeyFields, name) {
				delete(v, name)
				continue
			}
			v[name] = withoutSecrets(v[name])
		}
	}
	return v
}

// memberOrder lists the names of o without its query and without what is dropped.
func memberOrder(o map[string]any) []string {
	var names []string
	for _, name := range shownFirst {
		if _, sent := o[name]; sent {
			names = append(names, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		if !slices.Contains(shownFirst, name) && !dropped(name) {
			names = append(names, name)
		}
	}
	return names
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,60}$`)

// place is the place of a member inside the object at at.
func place(at, name string) string {
	switch {
	case at == "":
		return name
	case plainName.MatchString(name):
		return at + "." + name
	}
	return at + "[" + strconv.Quote(shown(name)) + "]"
}
