package endpoint

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// The directives, by name.
const (
	paramLimit     = "_limit"
	paramOffset    = "_offset"
	paramAfter     = "_after"
	paramSort      = "_sort"
	paramView      = "_view"
	paramFormat    = "_format"
	paramCount     = "_count"
	paramDelimiter = "_delimiter"
	paramBOM       = "_bom"
	paramSafe      = "_safe"
	paramWait      = "_wait"
	paramFresh     = "_fresh"
	paramJob       = "_job"
)

var directives = []string{
	paramLimit, paramOffset, paramAfter, paramSort, paramView, paramFormat,
	paramCount, paramDelimiter, paramBOM, paramSafe, paramWait, paramFresh, paramJob,
}

// mostSorts bounds the terms of one order.
const mostSorts = 100

// directive reads a parameter that begins with _; values are not empty texts,
// but there may be none.
func (p *parser) directive(name string, values []string) {
	r := p.request
	if name == paramSort {
		p.sort(values)
		return
	}
	values = unique(values)
	if len(values) == 0 {
		return
	}
	if len(values) > 1 {
		p.problems.Add(name, "given twice, with different values")
		return
	}
	value := values[0]
	switch name {
	case paramLimit:
		if n, ok := p.count(name, value); ok {
			r.limit, r.Capped = &n, n > p.endpoint.Spec.HardLimit
		}
	case paramOffset:
		r.offset, _ = p.count(name, value)
	case paramAfter:
		p.cursor = value
	case paramView:
		if _, ok := p.endpoint.views[value]; !ok {
			known := sortedKeys(p.endpoint.views)
			p.problems.Add(name, "unknown view %q%s; known: %s", shown(value), didYouMean(value, known), strings.Join(known, ", "))
			return
		}
		r.View = value
	default:
		p.control(name, value)
	}
}

// control reads a parameter about the answer.
func (p *parser) control(name, value string) {
	c := &p.request.Control
	switch name {
	case paramFormat:
		c.Format = value
	case paramCount:
		if value != CountExact && value != CountEstimated {
			p.problems.Add(name, "expected exact or estimated, got %q", shown(value))
		}
		c.Count = value
	case paramDelimiter:
		for _, d := range delimiters {
			if d.word == value {
				c.Delimiter = d.char
			}
		}
		if c.Delimiter == 0 {
			p.problems.Add(name, "expected comma, semicolon or tab, got %q", shown(value))
		}
	case paramBOM:
		c.BOM = p.flag(name, value)
	case paramSafe:
		c.Safe = p.flag(name, value)
	case paramWait:
		n, err := strconv.ParseUint(value, 10, 31)
		if err != nil {
			p.problems.Add(name, "expected seconds as a whole number, got %q", shown(value))
		}
		c.Wait, c.Waits = time.Duration(n)*time.Second, true
	case paramFresh:
		c.Fresh = p.flag(name, value)
	case paramJob:
		c.Job = value
	}
}

func (p *parser) flag(name, value string) bool {
	flag, ok := canonicalBool(value)
	if !ok {
		p.problems.Add(name, "expected true or false, got %q", shown(value))
	}
	return flag == "true"
}

func (p *parser) count(name, value string) (int64, bool) {
	n, err := strconv.ParseUint(value, 10, 63)
	if err != nil {
		p.problems.Add(name, "expected a whole number, 0 or more, got %q", shown(value))
	}
	return int64(n), err == nil
}

func (p *parser) sort(values []string) {
	if len(values) > mostSorts {
		p.problems.Add(paramSort, "has %d values; at most %d", len(values), mostSorts)
		p.misordered = true
		return
	}
	for _, value := range values {
		name, descending := strings.CutPrefix(value, "-")
		if !descending {
			name = unplus(name)
		}
		property := p.endpoint.find(name)
		if property == nil || !property.sortable {
			p.problems.Add(paramSort, "cannot sort by %q; known: %s (- before it: descending)", shown(name), strings.Join(p.endpoint.sortable(), ", "))
			p.misordered = true
			continue
		}
		if !slices.ContainsFunc(p.request.sorts, func(o order) bool { return o.property.name == property.name }) {
			p.request.sorts = append(p.request.sorts, order{property, descending})
		}
	}
}
