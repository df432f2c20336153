package endpoint

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
	// unsorted: nobody asked for the order in sorts, which is the endpoint's own.
	unsorted bool
	// digest is OwnInput.Digest.
	digest string
	// after are the values of _after, one for each term of the order; nil
	// without.
	after []Arg
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
