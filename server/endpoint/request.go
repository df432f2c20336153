package endpoint

import "time"

// Request is an endpoint plus the typed, canonical parameters that choose its
// rows. It comes from Endpoint.Parse and is immutable.
type Request struct {
	Endpoint *Endpoint
	// View is the name of the view; never empty.
	View string
	// Control are the parameters that do not choose rows.
	Control Control
	// Capped tells that _limit is more than the hard limit, so that an
	// interactive answer has fewer rows than asked for.
	Capped bool

	vars    map[string]variable
	user    string
	filters []filter
	sorts   []order
	limit   *int64
	offset  int64
}

// Control are a request's parameters about the answer, not about its rows.
// They are in no key.
type Control struct {
	// Format is the word of _format, as sent; empty when not given.
	Format string
	// Wait is _wait, given in seconds; Waits tells that it was given.
	Wait  time.Duration
	Waits bool
	// Fresh is _fresh.
	Fresh bool
	// Job is _job, as sent.
	Job string
}

// variable is the value of a path variable.
type variable struct {
	// shown is canonical for the declared type: what the canonical path and the
	// key have.
	shown string
	// bound is canonical for the type PostgreSQL takes it for: a date where a
	// timestamp is meant is bound as one.
	bound string
}

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

// Limit is the number of rows an interactive answer has at most.
func (r *Request) Limit() int64 {
	spec := r.Endpoint.Spec
	if r.limit == nil {
		return spec.SoftLimit
	}
	return min(*r.limit, spec.HardLimit)
}

// Offset is the number of rows skipped before the first.
func (r *Request) Offset() int64 { return r.offset }

// Columns returns the columns of the request's view, in order: the header.
func (r *Request) Columns() []Column { return r.Endpoint.views[r.View] }

// User returns the name the rows belong to; empty unless the scope is user.
func (r *Request) User() string { return r.user }

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
