package endpoint

import (
	"fmt"
	"slices"
	"strings"

	"slashbatch/internal/problem"
)

// Column is one column of an endpoint's rows.
type Column struct {
	Name string `json:"name"`
	// OID is the PostgreSQL type's; of a domain, the base type's.
	OID uint32 `json:"oid"`
	// TypeName is the type's name for readers: "int4", "numeric", "_text".
	TypeName string `json:"type"`
}

// Described is what PostgreSQL says about Spec.Probe.
type Described struct {
	// Columns are those of the row description, in order.
	Columns []Column
	// Params are the type OIDs of the parameter description, in order.
	Params []uint32
}

// DefaultView is the view of a request without _view.
const DefaultView = "default"

// Endpoint is a spec that agrees with its database: ready to parse requests.
// It is immutable and safe for concurrent use.
type Endpoint struct {
	Spec       *Spec
	columns    []Column
	properties map[string]*property
	parameters map[string]*parameter
	views      map[string][]Column
	digest     string
}

// parameter is a variable of the path, or the {_user} of the query.
type parameter struct {
	name string
	// types are the declared type, where there is one, and the one PostgreSQL
	// takes the parameter for; a value must be of both.
	types     []columnType
	sensitive bool
}

// Compile checks a spec from Decode against what its database described and
// returns the endpoint. The endpoint is nil when there are problems.
func Compile(s *Spec, d Described) (*Endpoint, problem.List) {
	c := &compiler{
		spec:     s,
		endpoint: &Endpoint{Spec: s, columns: d.Columns, properties: map[string]*property{}, parameters: map[string]*parameter{}},
	}
	if s.query == nil || len(s.segments) == 0 {
		c.problems.Add("", "has problems of its own")
		return nil, c.problems.In(s.File)
	}
	for _, col := range d.Columns {
		c.known = append(c.known, col.Name)
	}
	c.columns()
	c.places()
	c.key()
	c.views()
	c.params(d.Params)
	if len(c.problems) > 0 {
		return nil, c.problems.In(s.File)
	}
	c.endpoint.digest = c.endpoint.computeDigest()
	c.example()
	if len(c.problems) > 0 {
		return nil, c.problems.In(s.File)
	}
	return c.endpoint, nil
}

type compiler struct {
	spec     *Spec
	endpoint *Endpoint
	known    []string
	problems problem.List
}

func (c *compiler) key() {
	switch p := c.endpoint.properties[c.spec.Key]; {
	case p == nil:
		c.problems.Add("key", "the query gives no column %q%s; known: %s",
			shown(c.spec.Key), didYouMean(c.spec.Key, c.known), strings.Join(c.known, ", "))
	case p.path != nil || !typeOf(c.oid(c.spec.Key)).sortable:
		c.problems.Add("key", "%s cannot be sorted by", c.spec.Key)
	}
}

func (c *compiler) oid(column string) uint32 {
	return c.endpoint.columns[slices.Index(c.known, column)].OID
}

func (c *compiler) views() {
	c.endpoint.views = map[string][]Column{DefaultView: c.endpoint.columns}
	for _, name := range sortedKeys(c.spec.Views) {
		var columns []Column
		for i, column := range c.spec.Views[name] {
			j := slices.Index(c.known, column)
			if j < 0 {
				c.problems.Add(fmt.Sprintf("views.%s[%d]", name, i), "the query gives no column %q%s; known: %s",
					shown(column), didYouMean(column, c.known), strings.Join(c.known, ", "))
				continue
			}
			columns = append(columns, c.endpoint.columns[j])
		}
		c.endpoint.views[name] = columns
	}
}

// params joins what the spec and what PostgreSQL say about the parameters.
func (c *compiler) params(oids []uint32) {
	names := c.spec.query.params
	if len(oids) != len(names) {
		c.problems.Add("query", "PostgreSQL found %d parameters, the query has %d", len(oids), len(names))
		return
	}
	if c.spec.Own != nil {
		for _, name := range c.spec.Variables() {
			c.endpoint.parameters[name] = &parameter{name: name, types: []columnType{{kind: Text}}} // may choose no rows
		}
	}
	for i, name := range names {
		actual := typeOf(oids[i])
		p := &parameter{name: name, types: []columnType{actual}}
		if !slices.Contains(c.spec.Variables(), name) && c.spec.Own != nil {
			continue // the service brings its value
		}
		c.endpoint.parameters[name] = p
		declared := c.spec.PathParameters[name]
		p.sensitive = declared.Sensitive
		at := "pathParameters." + name
		if name == UserParameter {
			if actual.kind != Text {
				c.problems.Add("query", "{_user} is a text; write {_user}::text")
			}
			continue
		}
		if actual.kind == Other || actual.kind == JSON || actual.kind == Bytes {
			if declared.Pattern == "" {
				c.problems.Add(at, "PostgreSQL takes {%s} for a type whose values cannot be checked here (OID %d); write {%s}::text in the query, or give a pattern of the values it admits", name, oids[i], name)
			}
			actual.kind = Other
		}
		if declared.Type == "" {
			continue
		}
		kind := kindOfWord(declared.Type)
		switch {
		case actual.kind == Text || actual.kind == Other || declarable(kind, actual.kind):
			p.types = []columnType{declaredType(kind), actual}
		default:
			c.problems.Add(at+".type", "PostgreSQL takes {%s} for %s, not %s; say so, or cast it in the query", name, actual.kind, declared.Type)
		}
	}
}

// declaredType is the widest type that a type word means.
func declaredType(kind Kind) columnType {
	if kind == Timestamp {
		return columnType{kind: TimestampTZ}
	}
	return columnType{kind: kind, bits: 64}
}

// example parses the spec's example as if a client had sent it.
func (c *compiler) example() {
	if c.spec.Example == "" {
		return
	}
	vars, params, err := c.spec.splitExample()
	if err != nil {
		c.problems.Add("example", "%v", err)
		return
	}
	_, problems := c.endpoint.Parse(Input{Vars: vars, Params: params, User: "example"})
	for _, p := range problems {
		c.problems.Add("example", "%s: %s", p.Path, p.Message)
	}
}
