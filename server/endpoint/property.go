package endpoint

import (
	"slices"
	"strings"
)

// The words of Property.Match.
const (
	MatchExact    = "exact"
	MatchPrefix   = "prefix"
	MatchContains = "contains"
	// MatchAny finds arrays of text that have any of the values.
	MatchAny = "any"
	// MatchFulltext finds words, with the syntax of web searches.
	MatchFulltext = "fulltext"
)

// property is a column, or a declared place inside a json column, as requests
// may use it.
type property struct {
	name   string
	column string
	// path is the place inside a json column; nil for the column itself.
	path       []string
	typ        columnType
	filterable bool
	sortable   bool
	sensitive  bool
	match      string
	// vector tells that it is a tsvector, ready for full text search.
	vector   bool
	declared Property
}

// columns makes a property of every column.
func (c *compiler) columns() {
	if len(c.known) == 0 {
		c.problems.Add("query", "gives no columns")
	}
	for i, col := range c.endpoint.columns {
		if slices.Contains(c.known[:i], col.Name) {
			c.problems.Add("query", "gives the column %q twice; rename one with AS", col.Name)
			continue
		}
		for _, prefix := range prefixes {
			if rest, ok := strings.CutPrefix(col.Name, string(prefix)); ok && slices.Contains(c.known, rest) {
				c.problems.Add("query", "the column %q would be taken for a filter on %q; rename it with AS", col.Name, rest)
			}
		}
		t := typeOf(col.OID)
		p := &property{
			name: col.Name, column: col.Name, typ: t,
			// What begins with _ is a directive, never a filter.
			filterable: t.kind != Bytes && !strings.HasPrefix(col.Name, "_"),
			sortable:   t.sortable,
			match:      MatchExact,
			vector:     col.OID == oidTsvector,
		}
		if declared, ok := c.spec.Properties[col.Name]; ok {
			c.declare(p, declared)
		}
		c.endpoint.properties[col.Name] = p
	}
}

// textArrays are text[] and varchar[].
var textArrays = map[uint32]bool{1009: true, 1015: true}

// declare applies what the spec says about a property.
func (c *compiler) declare(p *property, declared Property) {
	at := "properties." + p.name
	p.declared, p.sensitive = declared, declared.Sensitive
	if kind := kindOfWord(declared.Type); declared.Type != "" && !declarable(kind, p.typ.kind) {
		c.problems.Add(at+".type", "the query gives %s, not %s; cast it in the query or leave the type out", p.typ.kind, declared.Type)
	}
	if f := declared.Filterable; f != nil {
		if *f && !p.filterable {
			c.problems.Add(at+".filterable", "this column cannot be filtered by")
		}
		p.filterable = *f
	}
	if f := declared.Sortable; f != nil {
		if *f && !p.sortable {
			c.problems.Add(at+".sortable", "this type has no order to sort and page by")
		}
		p.sortable = *f
	}
	if declared.Match != "" {
		p.match = declared.Match
		if p.match == MatchAny && !textArrays[c.oid(p.column)] {
			c.problems.Add(at+".match", "any is for arrays of text, and this is %s; cast it in the query", p.typ.kind)
			return
		}
		if textual := p.typ.kind == Text || p.typ.kind == Other; !textual && p.match != MatchExact {
			c.problems.Add(at+".match", "%s is for text, and this is %s", p.match, p.typ.kind)
		}
	}
}

// places makes properties of the declared places inside json columns.
func (c *compiler) places() {
	for _, name := range sortedKeys(c.spec.Properties) {
		if c.endpoint.properties[name] != nil {
			continue
		}
		at := "properties." + name
		column, rest, dotted := strings.Cut(name, ".")
		parent := c.endpoint.properties[column]
		switch {
		case !dotted || parent == nil:
			c.problems.Add(at, "the query gives no column %q%s; known: %s", shown(column), didYouMean(column, c.known), strings.Join(c.known, ", "))
			continue
		case parent.typ.kind != JSON:
			c.problems.Add(at, "the column %s is %s, not json", column, parent.typ.kind)
			continue
		}
		path, ok := splitPlace(rest)
		if !ok {
			c.problems.Add(at, "expected names joined by single dots")
			continue
		}
		declared := c.spec.Properties[name]
		p := parent.place(name, path)
		kind := Text
		if declared.Type != "" {
			kind = kindOfWord(declared.Type)
		}
		p.sortable = true
		switch {
		case kind == Text:
			p.typ.ranged = declared.Type != ""
		case kind == Bool:
			p.typ = columnType{kind: Bool, cast: "text", sortable: true}
		case (kind == Numeric || kind == Int) && c.jsonb(column):
			p.typ = columnType{kind: kind, cast: "numeric", bits: 64, ranged: true, sortable: true}
		case kind == Numeric || kind == Int:
			c.problems.Add(at+".type", "numbers are compared inside jsonb only; cast the column %s to jsonb in the query", column)
		default:
			c.problems.Add(at+".type", "expected string, int, numeric or bool inside json")
		}
		p.sensitive = parent.sensitive
		declared.Type, declared.Sensitive = "", declared.Sensitive || parent.sensitive
		c.declare(p, declared)
		c.endpoint.properties[name] = p
	}
}

// place returns the property of a place inside a json column that nothing is
// declared about: its text, for equality and existence.
func (p *property) place(name string, path []string) *property {
	sortable := p.declared.Sortable == nil || *p.declared.Sortable
	return &property{
		name: name, column: p.column, path: path,
		typ:        columnType{kind: Text, cast: "text", sortable: true},
		filterable: p.filterable, sortable: sortable, sensitive: p.sensitive, match: MatchExact,
	}
}

// splitPlace splits "a.b" into its names.
func splitPlace(place string) ([]string, bool) {
	path := strings.Split(place, ".")
	return path, len(path) <= 20 && !slices.Contains(path, "")
}

func (c *compiler) jsonb(column string) bool {
	i := slices.Index(c.known, column)
	return i >= 0 && c.endpoint.columns[i].OID != oidJSON
}

// find returns the property of that name: a column, a declared place, or any
// place inside a json column. Nil when there is none.
func (e *Endpoint) find(name string) *property {
	if p := e.properties[name]; p != nil {
		return p
	}
	column, rest, dotted := strings.Cut(name, ".")
	parent := e.properties[column]
	if !dotted || parent == nil || parent.typ.kind != JSON || parent.path != nil {
		return nil
	}
	path, ok := splitPlace(rest)
	if !ok {
		return nil
	}
	return parent.place(name, path)
}

func (e *Endpoint) sortable() []string {
	var names []string
	for _, name := range sortedKeys(e.properties) {
		if e.properties[name].sortable {
			names = append(names, name)
		}
	}
	return names
}

func (e *Endpoint) filterable() []string {
	var names []string
	for _, name := range sortedKeys(e.properties) {
		if e.properties[name].filterable {
			names = append(names, name)
		}
	}
	return names
}
