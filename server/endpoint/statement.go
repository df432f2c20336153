package endpoint

import (
	"math"
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
	w := r.begin()
	w.rows(r)
	w.after(r)
	w.order(r.terms())
	w.cut(r.Limit(), true, r.offset)
	return w.statement()
}

// Page is Interactive for answers that tell where the next page begins: it gives
// one row more, if there is one, so that the asker knows of a next page, and
// behind the view's columns the values for Cursor, as many as OrderTerms says.
// A request for no rows gets none.
func (r *Request) Page() Statement {
	w := r.begin()
	w.write("SELECT ")
	w.columns(r.Columns())
	for _, expression := range w.expressions(r.terms()) {
		w.write(", ", expression)
	}
	w.from(r)
	w.after(r)
	// By place rather than by name: a name could be that of two columns here.
	w.write(" ORDER BY ")
	for i, o := range r.terms() {
		if i > 0 {
			w.write(", ")
		}
		w.write(strconv.Itoa(len(r.Columns())+i+1), o.direction())
	}
	limit := r.Limit()
	if limit > 0 && limit < math.MaxInt64 {
		limit++
	}
	w.cut(limit, true, r.offset)
	return w.statement()
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
	w := r.begin()
	w.rows(r)
	w.after(r)
	if len(r.sorts) > 0 || r.bounded() {
		w.order(r.terms())
	}
	w.cut(limit, limited, r.offset)
	return w.statement()
}

// Count returns the statement whose one row and column is the number of rows
// that the request's path and filters choose, whatever limit, offset and cursor
// it has.
func (r *Request) Count() Statement {
	w := r.begin()
	w.write("SELECT count(*)")
	w.from(r)
	return w.statement()
}

// Rows returns the statement of the rows that Count counts, in no order. It is
// for EXPLAIN, which has the planner's estimate of their number.
func (r *Request) Rows() Statement {
	w := r.begin()
	w.rows(r)
	return w.statement()
}

// writer builds a statement; only it writes SQL text.
type writer struct {
	sql  strings.Builder
	args []Arg
	// filtered tells that there is a WHERE.
	filtered bool
	// ordered are the expressions of the order, once they are needed: a place
	// inside json is bound once, so that PostgreSQL sees that it is the same.
	ordered []string
}

// begin returns a writer with the arguments of the spec's query bound.
func (r *Request) begin() *writer {
	w := &writer{args: []Arg{}}
	for _, name := range r.Endpoint.Spec.query.params {
		value := r.vars[name].bound
		if name == UserParameter {
			value = r.user
		}
		w.args = append(w.args, Arg{Value: value})
	}
	return w
}

func (w *writer) statement() Statement { return Statement{SQL: w.sql.String(), Args: w.args} }

// place adds an argument and returns its place: "$3". PostgreSQL infers the type.
func (w *writer) place(value string) string {
	w.args = append(w.args, Arg{Value: value})
	return "$" + strconv.Itoa(len(w.args))
}

// bind is place with a cast to the type: "$3::int4".
func (w *writer) bind(value, cast string) string { return w.place(value) + "::" + cast }

func (w *writer) write(parts ...string) {
	for _, part := range parts {
		w.sql.WriteString(part)
	}
}

// rows writes the SELECT of a request's columns and filters.
func (w *writer) rows(r *Request) {
	w.write("SELECT ")
	w.columns(r.Columns())
	w.from(r)
}

func (w *writer) columns(columns []Column) {
	for i, column := range columns {
		if i > 0 {
			w.write(", ")
		}
		w.write(identifier(column.Name))
	}
}

// from writes the query and the filters.
func (w *writer) from(r *Request) {
	w.write(" FROM ", r.Endpoint.Spec.from())
	for _, f := range r.filters {
		w.and()
		w.condition(f)
	}
}

// and begins one more condition that every row fulfils.
func (w *writer) and() {
	if w.filtered {
		w.write(" AND ")
		return
	}
	w.write(" WHERE ")
	w.filtered = true
}

func (w *writer) cut(limit int64, limited bool, offset int64) {
	if limited {
		w.write(" LIMIT ", w.bind(strconv.FormatInt(limit, 10), "bigint"))
	}
	if offset > 0 {
		w.write(" OFFSET ", w.bind(strconv.FormatInt(offset, 10), "bigint"))
	}
}

// identifier quotes a column's name.
func identifier(name string) string {
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
