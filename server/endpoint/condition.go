package endpoint

// condition writes one filter.
func (w *writer) condition(f filter) {
	p := f.property
	if f.operator == exists {
		word := " IS NOT NULL"
		if f.values[0] == "false" {
			word = " IS NULL"
		}
		w.write(w.presence(p), word)
		return
	}
	if f.operator == equal && p.match == MatchFulltext {
		w.write(w.words(p), " @@ ", w.search(f.values))
		return
	}
	if f.operator == equal && p.match == MatchAny {
		w.write(identifier(p.column), " && ", w.bind(arrayLiteral(f.values), "text[]"))
		return
	}
	operand := w.operand(p)
	if sign, ok := comparison[f.operator]; ok {
		w.write(operand, " ", sign, " ", w.bind(f.values[0], p.typ.cast))
		return
	}
	values, sign, cast := f.values, " = ", p.typ.cast
	if p.match != MatchExact {
		sign, cast = " LIKE ", "text"
		values = make([]string, len(f.values))
		for i, v := range f.values {
			values[i] = likePattern(p.match, v)
		}
	}
	if len(values) == 1 {
		w.write(operand, sign, w.bind(values[0], cast))
		return
	}
	w.write(operand, sign, "ANY(", w.bind(arrayLiteral(values), cast+"[]"), ")")
}

// operand returns the expression whose values a filter compares.
func (w *writer) operand(p *property) string {
	column := identifier(p.column)
	switch {
	case p.path != nil && p.typ.cast == "numeric":
		// Only a JSON number is cast, so that no row can make the query fail.
		place := w.bind(arrayLiteral(p.path), "text[]")
		return "(CASE WHEN jsonb_typeof(" + column + " #> " + place + ") = 'number' THEN (" + column + " #>> " + place + ")::numeric END)"
	case p.path != nil:
		return "(" + column + " #>> " + w.bind(arrayLiteral(p.path), "text[]") + ")"
	case p.typ.kind == Other:
		return column + "::text"
	}
	return column
}

// presence returns the expression that exists- asks about.
func (w *writer) presence(p *property) string {
	if p.path != nil {
		return "(" + identifier(p.column) + " #>> " + w.bind(arrayLiteral(p.path), "text[]") + ")"
	}
	return identifier(p.column)
}
