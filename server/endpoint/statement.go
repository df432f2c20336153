package endpoint

import (
	"strconv"
	"strings"
)

// Statement is what a database is sent: text without any value, and the values.
type Statement struct {
	SQL  string `json:"sql"`
	Args []Arg  `json:"args"`
}

// Arg is one bound argument, in PostgreSQL's text format. Its type is the one
// the server infers.
type Arg struct {
	Value string `json:"value"`
	Null  bool   `json:"null,omitempty"`
}

// Interactive returns the statement of an interactive answer: at most the
// asked rows, the soft limit when none was asked, never more than the hard
// limit; always in a total order.
func (r *Request) Interactive() Statement {
	return r.statement(r.Limit(), true, true)
}

// Batch returns the statement of a batch: all rows, or as many as an explicit
// _limit or batch.hardLimit says; in the database's own order unless one was
// asked for or a cut needs one.
func (r *Request) Batch() Statement {
	limit, limited := r.Endpoint.Spec.Batch.HardLimit, r.Endpoint.Spec.Batch.HardLimit > 0
	if r.limit != nil {
		if !limited || *r.limit < limit {
			limit = *r.limit
		}
		limited = true
	}
	return r.statement(limit, limited, len(r.sorts) > 0 || r.bounded())
}

// writer builds a statement; only it writes SQL text.
type writer struct {
	sql  strings.Builder
	args []Arg
}

// bind adds an argument and returns its place, cast to the type: "$3::int4".
func (w *writer) bind(value, cast string) string {
	w.args = append(w.args, Arg{Value: value})
	return "$" + strconv.Itoa(len(w.args)) + "::" + cast
}

func (w *writer) write(parts ...string) {
	for _, part := range parts {
		w.sql.WriteString(part)
	}
}

func (r *Request) statement(limit int64, limited, ordered bool) Statement {
	spec := r.Endpoint.Spec
	w := &writer{args: []Arg{}}
	for _, name := range spec.query.params {
		value := r.vars[name].bound
		if name == UserParameter {
			value = r.user
		}
		w.args = append(w.args, Arg{Value: value})
	}
	w.write("SELECT ")
	for i, column := range r.Columns() {
		if i > 0 {
			w.write(", ")
		}
		w.write(identifier(column.Name))
	}
	w.write(" FROM ", spec.from())
	for i, f := range r.filters {
		if i == 0 {
			w.write(" WHERE ")
		} else {
			w.write(" AND ")
		}
		w.condition(f)
	}
	if ordered {
		w.order(r.sorts, r.Endpoint.properties[spec.Key])
	}
	if limited {
		w.write(" LIMIT ", w.bind(strconv.FormatInt(limit, 10), "bigint"))
	}
	if r.offset > 0 {
		w.write(" OFFSET ", w.bind(strconv.FormatInt(r.offset, 10), "bigint"))
	}
	return Statement{SQL: w.sql.String(), Args: w.args}
}

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

// operand returns the expression whose values a filter compares or a sort
// orders by.
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

// order writes the sort terms, ties by the key.
func (w *writer) order(sorts []order, key *property) {
	w.write(" ORDER BY ")
	tied := true
	for i, o := range sorts {
		if i > 0 {
			w.write(", ")
		}
		if o.property.path != nil {
			w.write(w.operand(o.property))
		} else {
			w.write(identifier(o.property.column))
		}
		if o.descending {
			w.write(" DESC")
		}
		tied = tied && o.property != key
	}
	if tied {
		if len(sorts) > 0 {
			w.write(", ")
		}
		w.write(identifier(key.column))
	}
}

// identifier quotes a column's name.
func identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
