package endpoint

// Parameter describes one parameter an endpoint takes; see Document for more
// about the endpoint.
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
	for _, d := range e.directives() {
		list = append(list, Parameter{
			Name: d.Name, In: "query", Description: d.Description, Kind: kindOfWord(d.Type),
			Expected: d.Expected, Words: d.Words, Repeatable: d.Repeatable,
		})
	}
	return list
}

// directives describes the parameters that begin with _ and are an endpoint's
// own; those about waiting belong to the batch twin's paths.
func (e *Endpoint) directives() []DirectiveDocument {
	flags := []string{"true", "false"}
	return []DirectiveDocument{
		{Name: paramView, Type: "string", Description: "Choice of columns.", Expected: "a view", Words: sortedKeys(e.views)},
		{Name: paramSort, Type: "string", Description: "Order; a - before the name: descending.", Expected: "a column", Words: e.sortWords(), Repeatable: true},
		{Name: paramLimit, Type: "int", Description: "Most rows.", Expected: "a whole number, 0 or more"},
		{Name: paramOffset, Type: "int", Description: "Rows to skip, of all or of those after _after.", Expected: "a whole number, 0 or more"},
		{Name: paramAfter, Type: "string", Description: "Rows behind the last one of a page.", Expected: "a cursor, as the answer for that page gives it"},
		{Name: paramFormat, Type: "string", Description: "Format of the answer.", Expected: "a format"},
		{Name: paramCount, Type: "string", Description: "Have the rows counted that the filters choose.", Expected: "a way to count", Words: []string{CountExact, CountEstimated}},
		{Name: paramDelimiter, Type: "string", Description: "What stands between the values of CSV.", Expected: "a delimiter", Words: delimiterWords()},
		{Name: paramBOM, Type: "bool", Description: "A byte order mark before CSV, for Excel.", Expected: "true or false", Words: flags},
		{Name: paramSafe, Type: "bool", Description: "No text in CSV that a spreadsheet would run as a formula.", Expected: "true or false", Words: flags},
	}
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

// operators are those that filters of the property may have.
func (p *property) operators() []operator {
	var list []operator
	if p.typ.kind != JSON {
		list = append(list, equal)
	}
	if p.typ.ranged {
		list = append(list, above, below, atLeast, atMost)
	}
	return append(list, exists)
}

// parameters are the filters of one property.
func (p *property) parameters() []Parameter {
	var list []Parameter
	for _, op := range p.operators() {
		one := Parameter{
			Name: string(op) + p.name, In: "query", Description: p.declared.Description, Kind: p.typ.kind,
			Expected: p.typ.expected(), Sensitive: p.sensitive,
		}
		switch op {
		case equal:
			one.Repeatable = true
			if p.match != MatchExact {
				one.Expected = "text to match (" + p.match + ")"
			}
		case exists:
			one.Kind, one.Expected, one.Words = Bool, "true or false", []string{"true", "false"}
		}
		list = append(list, one)
	}
	return list
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
