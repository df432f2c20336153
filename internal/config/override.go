package config

import (
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Variables that begin with variablePrefix override keys; those that begin with
// testPrefix are for tests and left alone.
const (
	variablePrefix = "SLASHBATCH_"
	testPrefix     = "SLASHBATCH_TEST_"
)

// override puts the values of SLASHBATCH_… variables into the tree: the path of
// a key in upper case, joined by "_". They come in the order of their names, so
// one for a whole (…_WORKERS) comes before those for its parts.
func (l *loader) override(root *yaml.Node) {
	for _, name := range slices.Sorted(maps.Keys(l.env)) {
		rest, ok := strings.CutPrefix(name, variablePrefix)
		if !ok || strings.HasPrefix(name, testPrefix) {
			continue
		}
		path, leaf := lookup(reflect.TypeFor[Config](), root, rest)
		if leaf == nil {
			l.unknownVariable(name)
			continue
		}
		set(root, path, scalarNode(leaf, l.env[name]))
		l.variable[strings.Join(path, ".")] = name
	}
}

func (l *loader) unknownVariable(name string) {
	message := "names no key that a variable can set"
	known := variables(reflect.TypeFor[Config](), "")
	if best := nearest(strings.TrimPrefix(name, variablePrefix), known); best != "" {
		message += ", did you mean " + variablePrefix + best + "?"
	}
	l.envProblems.Add(name, "%s", message)
	l.envProblems = l.envProblems.In("environment")
}

// lookup finds the path that the rest of a variable's name stands for, and the
// type of the value there; nil when there is none that can be set. n is what
// the file has at this place, or nil: names that people chose are found in it.
func lookup(t reflect.Type, n *yaml.Node, name string) ([]string, reflect.Type) {
	switch {
	case t.Kind() == reflect.Struct && t != reflect.TypeFor[netip.Prefix]():
		for _, f := range fieldsOf(t) {
			upper, ft := strings.ToUpper(f.name), t.Field(f.field).Type
			if name == upper && settable(ft) {
				return []string{f.name}, ft
			}
			if rest, ok := strings.CutPrefix(name, upper+"_"); ok {
				if path, leaf := lookup(ft, child(n, f.name), rest); leaf != nil {
					return append([]string{f.name}, path...), leaf
				}
			}
		}
	case t.Kind() == reflect.Map:
		for i := len(name) - 1; i > 0; i-- {
			if name[i] != '_' {
				continue
			}
			key := existing(n, name[:i])
			if path, leaf := lookup(t.Elem(), child(n, key), name[i+1:]); leaf != nil {
				return append([]string{key}, path...), leaf
			}
		}
	}
	return nil, nil
}

// settable reports whether a variable's text can be a value of type t.
func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Struct:
		return t == reflect.TypeFor[Lanes]()
	case reflect.Map:
		return false
	case reflect.Slice:
		e := t.Elem()
		return e.Kind() == reflect.String || e == reflect.TypeFor[netip.Prefix]()
	}
	return true
}

// existing returns the key of n that is written as upper in a variable, where
// nothing but letters and digits can be told apart, or a new one.
func existing(n *yaml.Node, upper string) string {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(key)) == upper {
				return key
			}
		}
	}
	return strings.ToLower(upper)
}

// child returns the value of a key of n, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n != nil && n.Kind == yaml.MappingNode {
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	return nil
}

// set puts value at path, making the mappings on the way.
func set(n *yaml.Node, path []string, value *yaml.Node) {
	for i, key := range path {
		last := i == len(path)-1
		if last {
			// The variable replaces the secret's other source too.
			switch key {
			case "url":
				remove(n, "urlFile")
			case "urlFile":
				remove(n, "url")
			}
		}
		next := child(n, key)
		if next == nil {
			next = &yaml.Node{}
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, next)
		}
		switch {
		case last:
			*next = *value
		case next.Kind == 0 || next.ShortTag() == "!!null":
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		case next.ShortTag() == "!!int" && isLanes(path[:i+1]):
			number := *next
			export, sql := number, number
			*next = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{
				{Kind: yaml.ScalarNode, Tag: "!!str", Value: "export"},
				&export,
				{Kind: yaml.ScalarNode, Tag: "!!str", Value: "sql"},
				&sql,
			}}
		case next.Kind != yaml.MappingNode:
			return // decoding will say what is wrong with it
		}
		n = next
	}
}

// isLanes reports whether a path leads to a Lanes.
func isLanes(path []string) bool {
	t := reflect.TypeFor[Config]()
	for _, key := range path {
		switch t.Kind() {
		case reflect.Map:
			t = t.Elem()
		case reflect.Struct:
			fs := fieldsOf(t)
			i, ok := fs.index(key)
			if !ok {
				return false
			}
			t = t.Field(fs[i].field).Type
		}
	}
	return t == reflect.TypeFor[Lanes]()
}

func remove(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// scalarNode is a variable's text as a YAML scalar: letters where a string is
// wanted, a comma-separated list where a list is. It is not expanded again.
func scalarNode(t reflect.Type, text string) *yaml.Node {
	text = strings.ReplaceAll(text, "$", "$$")
	n := &yaml.Node{Kind: yaml.ScalarNode, Value: text}
	switch t.Kind() {
	case reflect.String:
		n.Tag, n.Style = "!!str", yaml.DoubleQuotedStyle
	case reflect.Slice:
		n = &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				n.Content = append(n.Content, &yaml.Node{
					Kind: yaml.ScalarNode, Tag: "!!str", Value: item, Style: yaml.DoubleQuotedStyle,
				})
			}
		}
	}
	return n
}

// variables lists the names that override keys, data sources aside.
func variables(t reflect.Type, prefix string) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		ft, name := t.Field(f.field).Type, prefix+strings.ToUpper(f.name)
		if settable(ft) {
			out = append(out, name)
		}
		if ft.Kind() == reflect.Struct {
			out = append(out, variables(ft, name+"_")...)
		}
	}
	return out
}
