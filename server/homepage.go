package server

import (
	"maps"
	"net/url"
	"slices"
	"strconv"

	"slashbatch/server/endpoint"
)

// homeView is the list of endpoints as its page shows it.
type homeView struct {
	homeDocument
	Endpoints []endpointView
	// Declared tells that there are endpoints, whether or not the caller may use them.
	Declared bool
}

// endpointView is an endpoint, with links and a form to try it.
type endpointView struct {
	endpointDocument
	// Rows is the example in each format.
	Rows []linkView
	Form *formView
}

type linkView struct{ Text, URL string }

func (s *Server) homeView(list []listed, base string) homeView {
	v := homeView{homeDocument: s.homeDocument(list, base), Declared: len(s.Specs) > 0}
	for i, l := range list {
		view := endpointView{endpointDocument: v.homeDocument.Endpoints[i]}
		if l.example != nil {
			for _, f := range rowFormats(l.spec) {
				values := l.example.Values()
				values.Set("_format", f.Word)
				view.Rows = append(view.Rows, linkView{f.Word, l.example.base + l.example.Path() + query(values)})
			}
			view.Form = s.formView(l)
		}
		v.Endpoints = append(v.Endpoints, view)
	}
	return v
}

// formView is a form that asks an endpoint, filled in with its example. A form cannot
// fill in a path, so it has the example's. What is left empty is no restriction.
type formView struct {
	// Target is the path that is asked, Twin that of its export; empty without one.
	Target, Twin string
	// Filters are by property, Others the directives.
	Filters []groupView
	Others  []fieldView
	// Formats are of rows, Files of exports: what a twin writes is not what the
	// endpoint itself writes, so each has its own button.
	Formats, Files []string
}

type groupView struct {
	Name, Description string
	Fields            []fieldView
}

// fieldView is one parameter to fill in.
type fieldView struct {
	// ID is unique on the page.
	ID, Label, Name, Value, Hint string
	// Mode is the keyboard that a phone shows.
	Mode string
	// Options are all the values there are; none for a text.
	Options []string
}

// formLabels are what fields of a filter are called, by its operator. The others are
// there when the example has them.
var formLabels = map[string]string{
	"=": "is", "mineq-": "at least", "maxeq-": "at most", "min-": "more than", "max-": "less than", "exists-": "exists",
}

// formDirectives are offered whether or not the example has them.
var formDirectives = []string{"_view", "_sort", "_limit"}

func (s *Server) formView(l listed) *formView {
	a := *l.example
	b := formBuilder{endpoint: l.Name, values: a.Values()}
	v := &formView{Target: a.prefix() + a.Path(), Formats: words(rowFormats(l.spec))}
	if i := slices.Index(v.Formats, "html"); i > 0 { // the first button is that of the Enter key
		v.Formats = slices.Concat([]string{"html"}, v.Formats[:i], v.Formats[i+1:])
	}
	if s.offersBatch(l.spec) {
		v.Twin = v.Target + s.BatchPath
		for _, f := range offeredFiles(l.spec) {
			if !f.packed { // browsers unpack the others
				v.Files = append(v.Files, f.word)
			}
		}
	}
	for _, f := range l.Filters {
		if fields := b.filter(f); len(fields) > 0 {
			v.Filters = append(v.Filters, groupView{f.Name, f.Description, fields})
		}
	}
	for _, d := range l.Directives {
		if !slices.Contains(formDirectives, d.Name) && !b.values.Has(d.Name) {
			continue
		}
		field := fieldView{Label: d.Name, Name: d.Name, Hint: d.Expected, Options: d.Words}
		if d.Type == string(endpoint.Int) {
			field.Mode = "numeric" // counts: that keyboard may have no minus
		}
		if d.Name == "_limit" {
			field.Hint = strconv.FormatInt(l.SoftLimit, 10)
		}
		v.Others = append(v.Others, b.fields(field)...)
	}
	for _, name := range slices.Sorted(maps.Keys(b.values)) { // places inside json that are not declared
		v.Others = append(v.Others, b.fields(fieldView{Label: name, Name: name})...)
	}
	return v
}

// formBuilder makes fields, and takes what it has shown out of the example's values.
type formBuilder struct {
	endpoint string
	values   url.Values
	made     int
}

func (b *formBuilder) filter(f endpoint.FilterDocument) []fieldView {
	var list []fieldView
	for _, op := range f.Operators {
		field := fieldView{Label: formLabels[op], Name: op + f.Name, Hint: hint(f.Type)}
		if op == "=" {
			field.Name = f.Name
		}
		if op == "exists-" || f.Type == string(endpoint.Bool) {
			field.Options = []string{"true", "false"}
		}
		if op == "=" && f.Match != endpoint.MatchExact {
			field.Label = f.Match
		}
		offered := op == "=" || (op == "mineq-" || op == "maxeq-") && f.Type != string(endpoint.Text)
		if offered || b.values.Has(field.Name) {
			list = append(list, b.fields(field)...)
		}
	}
	return list
}

// fields is one field for each value that the example gives the parameter, else an
// empty one.
func (b *formBuilder) fields(field fieldView) []fieldView {
	values := b.values[field.Name]
	delete(b.values, field.Name)
	if len(values) == 0 {
		values = []string{""}
	}
	var list []fieldView
	for _, value := range values {
		b.made++
		field.ID, field.Value = b.endpoint+"."+strconv.Itoa(b.made), value
		list = append(list, field)
	}
	return list
}

func hint(kind string) string {
	switch endpoint.Kind(kind) {
	case endpoint.Date:
		return "2026-01-31"
	case endpoint.Timestamp:
		return "2026-01-31T12:00:00Z"
	}
	return ""
}
