package endpoint

import "strings"

// operator is the prefix that makes a filter of a property's name.
type operator string

const (
	equal   operator = ""
	above   operator = "min-"
	below   operator = "max-"
	atLeast operator = "mineq-"
	atMost  operator = "maxeq-"
	exists  operator = "exists-"
)

var prefixes = []operator{above, below, atLeast, atMost, exists}

// comparison is the SQL of the range operators.
var comparison = map[operator]string{above: ">", below: "<", atLeast: ">=", atMost: "<="}

// filter is one condition on the rows. Several values mean any of them.
type filter struct {
	property *property
	operator operator
	// values are canonical, sorted, each once; never empty.
	values []string
	// fixed: the service's own, and no parameter.
	fixed bool
}

// name is the filter's parameter name.
func (f filter) name() string { return string(f.operator) + f.property.name }

// splitFilter finds the property and operator a parameter's name means. A
// property's own name comes first, then a prefix.
func (e *Endpoint) splitFilter(name string) (*property, operator) {
	if p := e.find(name); p != nil {
		return p, equal
	}
	for _, op := range prefixes {
		if rest, ok := strings.CutPrefix(name, string(op)); ok {
			if p := e.find(rest); p != nil {
				return p, op
			}
		}
	}
	return nil, ""
}

// filter reads one filter; values are not empty texts, but there may be none.
func (p *parser) filter(name string, values []string) {
	property, op := p.endpoint.splitFilter(name)
	if property == nil || !property.filterable {
		p.unknownParameter(name)
		return
	}
	switch _, ranged := comparison[op]; {
	case ranged && !property.typ.ranged:
		// The text of a place inside json would compare 10 before 9, so its
		// type has to be declared first.
		p.problems.Add(shown(name), "%s has no order to compare by", shown(property.name))
		return
	case op == equal && property.typ.kind == JSON:
		p.problems.Add(shown(name), "is json; filter by a place inside it, like %s.name=value", property.name)
		return
	}
	t := property.typ
	if op == exists {
		t = columnType{kind: Bool}
	}
	if len(values) > mostValues {
		p.problems.Add(shown(name), "has %d values; at most %d", len(values), mostValues)
		return
	}
	canonical := make([]string, 0, len(values))
	for _, raw := range values {
		value, ok := t.canonical(raw)
		if !ok {
			p.problems.Add(shown(name), "expected %s%s", t.expected(), got(raw, property.sensitive))
			continue
		}
		if op == equal && property.match == MatchFulltext && !searchable(value) {
			p.problems.Add(shown(name), "has more than %d - without a word between them", mostNegations)
			continue
		}
		canonical = append(canonical, value)
	}
	canonical = unique(canonical)
	if op != equal && len(canonical) > 1 {
		p.problems.Add(shown(name), "given twice, with different values")
		return
	}
	if len(canonical) > 0 {
		p.request.filters = append(p.request.filters, filter{property, op, canonical, p.fixed})
	}
}
