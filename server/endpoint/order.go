package endpoint

// order is one term of a sort.
type order struct {
	property   *property
	descending bool
}

func (o order) String() string {
	if o.descending {
		return "-" + o.property.name
	}
	return o.property.name
}

func (o order) direction() string {
	if o.descending {
		return " DESC"
	}
	return ""
}

// terms are those of the total order of the request's rows: what was asked for,
// ties by the key. The last one is always the key, and no other is.
func (r *Request) terms() []order {
	key := r.Endpoint.properties[r.Endpoint.Spec.Key]
	if n := len(r.sorts); n > 0 && r.sorts[n-1].property == key {
		return r.sorts
	}
	return append(r.sorts[:len(r.sorts):len(r.sorts)], order{property: key})
}

// normalise drops from the order what cannot change it, so that requests
// for the same rows in the same order are equal.
func (r *Request) normalise() {
	key := r.Endpoint.Spec.Key
	// The key is unique: nothing after it decides.
	for i, o := range r.sorts {
		if o.property.name == key {
			r.sorts = r.sorts[:i+1]
			break
		}
	}
	// Ties go by the key anyway, and so does a request with a limit and no order.
	if n := len(r.sorts); n > 0 && r.sorts[n-1].String() == key && (n > 1 || r.bounded()) {
		r.sorts = r.sorts[:n-1]
	}
}

// bounded reports whether a batch of this request is cut, so that it needs an
// order to be the same each time.
func (r *Request) bounded() bool {
	return r.limit != nil || r.offset > 0 || r.Endpoint.Spec.Batch.HardLimit > 0
}

// expressions returns what the terms order by.
func (w *writer) expressions(terms []order) []string {
	if w.ordered == nil {
		for _, o := range terms {
			expression := identifier(o.property.column) // and not its text: an enum has an order of its own
			if o.property.path != nil {
				expression = w.operand(o.property)
			}
			w.ordered = append(w.ordered, expression)
		}
	}
	return w.ordered
}

// order writes the ORDER BY.
func (w *writer) order(terms []order) {
	w.write(" ORDER BY ")
	for i, expression := range w.expressions(terms) {
		if i > 0 {
			w.write(", ")
		}
		w.write(expression, terms[i].direction())
	}
}

// after writes the condition of the rows behind the request's cursor.
func (w *writer) after(r *Request) {
	if r.after == nil {
		return
	}
	terms := r.terms()
	expressions := w.expressions(terms)
	w.and()
	if last := len(terms) - 1; last > 0 && terms[0].descending && !r.after[0].Null {
		// Says nothing new, but is a range that an index can be asked for.
		value := w.cursorValue(terms[0], r.after[0])
		w.write("(", expressions[0], " <= ", value, " AND (", expressions[0], " < ", value, " OR ")
		w.behind(terms[1:], expressions[1:], r.after[1:])
		w.write("))")
		return
	}
	w.behind(terms, expressions, r.after)
}

// behind writes the condition of the rows that come after the values in the
// order of the terms. PostgreSQL has NULLs last in an ascending order and first
// in a descending one.
func (w *writer) behind(terms []order, expressions []string, values []Arg) {
	x := expressions[0]
	if len(terms) == 1 { // the key: never NULL, and without ties
		sign := " > "
		if terms[0].descending {
			sign = " < "
		}
		w.write(x, sign, w.cursorValue(terms[0], values[0]))
		return
	}
	tied := func() { w.behind(terms[1:], expressions[1:], values[1:]) }
	switch {
	case values[0].Null && terms[0].descending:
		w.write("(", x, " IS NOT NULL OR ")
		tied()
		w.write(")")
	case values[0].Null:
		w.write("(", x, " IS NULL AND ")
		tied()
		w.write(")")
	default:
		value := w.cursorValue(terms[0], values[0])
		if terms[0].descending {
			w.write("(", x, " < ", value)
		} else {
			w.write("(", x, " > ", value, " OR ", x, " IS NULL")
		}
		w.write(" OR (", x, " = ", value, " AND ")
		tied()
		w.write("))")
	}
}

// cursorValue binds a value of a term. Where this package has no cast for the
// type PostgreSQL takes the value for the type that it is compared with.
func (w *writer) cursorValue(o order, value Arg) string {
	if o.property.typ.kind == Other || o.property.typ.cast == "" {
		return w.place(value.Value)
	}
	return w.bind(value.Value, o.property.typ.cast)
}
