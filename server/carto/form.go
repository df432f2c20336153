package carto

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"slashbatch/internal/problem"
)

// ParseForm reads a form or a query string. Unlike net/url it takes a semicolon for a part
// of a value, as CartoDB does: who writes SQL into a form need not encode it.
func ParseForm(text string) (url.Values, error) {
	return url.ParseQuery(strings.ReplaceAll(text, ";", "%3B"))
}

// mostBrackets bounds how deep a name of a form nests.
const mostBrackets = 5

// DecodeForm reads the parameters of a form or a query string. The Fields of a
// definition may be written with brackets:
//
//	query=a&query=b  query[]=a&query[]=b  query[0]=a&query[1][query]=b  query[query][0]=a
//
// Numbers only give the order; gaps are closed. What such names could mean beyond
// that is refused. All other names are left as they are. Values are texts, or
// lists of them where a name has several. The error is an *InvalidError; with it come the
// fields without what the brackets mean, for Size.
func DecodeForm(values url.Values) (map[string]any, error) {
	f := form{roots: map[string]*node{}}
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list := values[name]
		if len(list) == 0 {
			continue
		}
		if root, _, _ := strings.Cut(name, "["); !slices.Contains(Fields, root) {
			out[name] = leaf(list)
			continue
		}
		f.insert(name, list)
	}
	for _, name := range Fields {
		if n := f.roots[name]; n != nil {
			out[name] = f.build(n, name)
		}
	}
	if err := invalid(f.problems); err != nil {
		return flat(values), err
	}
	return out, nil
}

// flat has all values of a field in one list, whatever brackets follow its name.
func flat(values url.Values) map[string]any {
	out := map[string]any{}
	for name, list := range values {
		root, _, _ := strings.Cut(name, "[")
		known, _ := out[root].([]any)
		out[root] = append(known, texts(list)...)
	}
	return out
}

type form struct {
	roots    map[string]*node
	problems problem.List
}

// node is what is known of one name: its values, and those of names that go on
// with a bracket.
type node struct {
	values  []string
	members map[string]*node
}

func (f *form) insert(name string, values []string) {
	path, wrong := split(name)
	if wrong != "" {
		f.problems.Add(shown(name), "%s", wrong)
		return
	}
	members := f.roots
	var n *node
	for _, part := range path {
		n = members[part]
		if n == nil {
			n = &node{members: map[string]*node{}}
			members[part] = n
		}
		members = n.members
	}
	n.values = append(n.values, values...)
}

// split takes a name apart at its brackets; wrong tells why it cannot.
func split(name string) (path []string, wrong string) {
	root, rest, _ := strings.Cut(name, "[")
	path = []string{root}
	if len(root) == len(name) {
		return path, ""
	}
	rest = "[" + rest
	for rest != "" {
		part, after, closed := strings.Cut(strings.TrimPrefix(rest, "["), "]")
		switch {
		case rest[0] != '[' || !closed || strings.Contains(part, "["):
			return nil, "the brackets do not match"
		case part == "" && after != "":
			return nil, "number the elements: [] can only stand at the end"
		case len(path) > mostBrackets:
			return nil, "has more than " + strconv.Itoa(mostBrackets) + " brackets"
		}
		path, rest = append(path, part), after
	}
	return path, ""
}

// build returns the value of the name at.
func (f *form) build(n *node, at string) any {
	if len(n.members) == 0 {
		return leaf(n.values)
	}
	if len(n.values) > 0 {
		f.problems.Add(shown(at), "given both with brackets and without")
		return nil
	}
	var indexes []int
	names := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(n.members)) {
		i, isIndex := index(name)
		switch {
		case isIndex && i >= MostSteps:
			f.problems.Add(shown(at+"["+name+"]"), "expected at most %d elements", MostSteps)
		case isIndex:
			indexes = append(indexes, i)
		case name != "":
			names[name] = f.build(n.members[name], at+"["+name+"]")
		}
	}
	appended := n.members[""]
	switch {
	case appended != nil && len(n.members) > 1, len(indexes) > 0 && len(names) > 0:
		f.problems.Add(shown(at), "elements with [], with numbers and with names are mixed")
		return nil
	case appended != nil:
		return texts(appended.values)
	case len(indexes) == 0:
		return names
	}
	slices.Sort(indexes)
	elements := make([]any, len(indexes))
	for k, i := range indexes {
		name := strconv.Itoa(i)
		elements[k] = f.build(n.members[name], at+"["+name+"]")
	}
	return elements
}

// index reads a number as a position in a list. 01 is a name; a number too long
// to be read is too large.
func index(name string) (int, bool) {
	if name == "" || strings.Trim(name, "0123456789") != "" || (name[0] == '0' && len(name) > 1) {
		return 0, false
	}
	i, err := strconv.Atoi(name)
	if err != nil {
		return MostSteps, true
	}
	return i, true
}

// leaf is the value of a name that was sent this often.
func leaf(values []string) any {
	if len(values) == 1 {
		return values[0]
	}
	return texts(values)
}

func texts(values []string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
