package endpoint

// Parameter describes one parameter an endpoint takes, for its page and its
// OpenAPI document.
type Parameter struct {
	Name string
	// In is "path" or "query".
	In          string
	Description string
	Kind        Kind
	// Expected is a phrase for what a value looks like.
	Expected string
	// Pattern is the spec's regular expression for a path parameter.
	Pattern string
	// Words are all the values there are, where they can be listed.
	Words []string
	// Repeatable tells that it may be given several times.
	Repeatable bool
	Sensitive  bool
}

// Parameters returns everything a client may send: path variables in order,
// then filters by column, then directives. Places inside json columns that are
// not declared are left out, there being no end of them.
func (e *Endpoint) Parameters() []Parameter {
	var list []Parameter
	for _, name := range e.Spec.Variables() {
		p, declared := e.parameters[name], e.Spec.PathParameters[name]
		t := p.types[0]
		list = append(list, Parameter{
			Name: name, In: "path", Description: declared.Description, Kind: t.kind,
			Expected: t.expected(), Pattern: declared.Pattern, Sensitive: p.sensitive,
		})
	}
	for _, p := range e.inOrder() {
		if p.filterable {
			list = append(list, p.parameters()...)
		}
	}
	views := sortedKeys(e.views)
	return append(list,
		Parameter{Name: paramView, In: "query", Kind: Text, Description: "Choice of columns.", Expected: "a view", Words: views},
		Parameter{Name: paramSort, In: "query", Kind: Text, Description: "Order; a - before the name: descending.", Expected: "a column", Words: e.sortWords(), Repeatable: true},
		Parameter{Name: paramLimit, In: "query", Kind: Int, Description: "Most rows.", Expected: "a whole number, 0 or more"},
		Parameter{Name: paramOffset, In: "query", Kind: Int, Description: "Rows to skip.", Expected: "a whole number, 0 or more"},
	)
}

// inOrder returns the properties: columns in order, each followed by the places
// declared inside it.
func (e *Endpoint) inOrder() []*property {
	var list []*property
	for _, column := range e.columns {
		list = append(list, e.properties[column.Name])
		for _, name := range sortedKeys(e.properties) {
			if p := e.properties[name]; p.column == column.Name && p.path != nil {
				list = append(list, p)
			}
		}
	}
	return list
}

// parameters are the filters of one property.
func (p *property) parameters() []Parameter {
	var list []Parameter
	base := Parameter{In: "query", Description: p.declared.Description, Kind: p.typ.kind, Expected: p.typ.expected(), Sensitive: p.sensitive}
	if p.typ.kind != JSON {
		one := base
		one.Name, one.Repeatable = p.name, true
		if p.match != MatchExact {
			one.Expected = "text to match (" + p.match + ")"
		}
		list = append(list, one)
	}
	if p.typ.ranged {
		for _, op := range []operator{above, atLeast, below, atMost} {
			one := base
			one.Name = string(op) + p.name
			list = append(list, one)
		}
	}
	one := base
	one.Name, one.Kind, one.Expected, one.Words = string(exists)+p.name, Bool, "true or false", []string{"true", "false"}
	return append(list, one)
}

// sortWords are the values of _sort over columns and declared places.
func (e *Endpoint) sortWords() []string {
	var words []string
	for _, p := range e.inOrder() {
		if p.sortable {
			words = append(words, p.name, "-"+p.name)
		}
	}
	return words
}

// Views returns the names of the views, sorted.
func (e *Endpoint) Views() []string { return sortedKeys(e.views) }

// Columns returns every column of the query, in order.
func (e *Endpoint) Columns() []Column { return e.columns }
