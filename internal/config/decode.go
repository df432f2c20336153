package config

import (
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

func (l *loader) decodeRoot(n *yaml.Node) { l.structure(n, reflect.ValueOf(l.cfg).Elem(), "") }

// decode reads n into v, recording problems at path. v holds its default, and
// keeps it where n has no value or a wrong one.
func (l *loader) decode(n *yaml.Node, v reflect.Value, path string) {
	if _, ok := v.Interface().([]yaml.Node); ok {
		l.nodes(n, v, path)
		return
	}
	n, ok := l.expand(n, path)
	if !ok {
		return
	}
	if n.ShortTag() == "!!null" {
		return
	}
	l.given[path] = true
	switch into := v.Addr().Interface().(type) {
	case *netip.Prefix:
		l.prefix(n, into, path)
		return
	case *Lanes:
		if n.Kind != yaml.MappingNode {
			l.lanes(n, into, path)
			return
		}
	case yaml.Unmarshaler:
		if err := into.UnmarshalYAML(n); err != nil {
			l.add(path, "%v", err)
		}
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		l.structure(n, v, path)
	case reflect.Map:
		l.mapping(n, v, path)
	case reflect.Slice:
		l.list(n, v, path)
	default:
		l.scalar(n, v, path)
	}
}

// structure reads a mapping into a struct: first the keys, then the values in
// the order of the fields, since a later one may start from an earlier one.
func (l *loader) structure(n *yaml.Node, v reflect.Value, path string) {
	values := l.pairs(n, path)
	fields := fieldsOf(v.Type())
	for _, p := range values {
		if _, ok := fields.index(p.key); !ok {
			l.add(join(path, p.key), "%s", unknownKey(p.key, fields.names()))
		}
	}
	for _, f := range fields {
		for _, p := range values {
			if p.key == f.name {
				l.decode(p.value, v.Field(f.field), join(path, f.name))
			}
		}
	}
}

// mapping reads a mapping of names that people choose.
func (l *loader) mapping(n *yaml.Node, v reflect.Value, path string) {
	for _, p := range l.pairs(n, path) {
		e := reflect.New(v.Type().Elem()).Elem()
		l.start(e, p.key)
		l.decode(p.value, e, join(path, p.key))
		v.SetMapIndex(reflect.ValueOf(p.key), e)
	}
}

// list reads a sequence.
func (l *loader) list(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.SequenceNode {
		l.add(path, "expected a list, got %s", kindName(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		at := fmt.Sprintf("%s[%d]", path, i)
		if item.ShortTag() == "!!null" {
			l.add(at, "is empty")
			continue
		}
		l.start(out.Index(i), "")
		l.decode(item, out.Index(i), at)
	}
	v.Set(out)
}

// start gives an element its defaults.
func (l *loader) start(v reflect.Value, name string) {
	switch into := v.Addr().Interface().(type) {
	case *DataSource:
		*into = defaultDataSource(name)
	case *User:
		*into = defaultUser(l.cfg.Batch.Limits)
	case *Key:
		*into = defaultKey()
	}
}

// nodes keeps a sequence as it stands.
func (l *loader) nodes(n *yaml.Node, v reflect.Value, path string) {
	if n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		l.add(path, "expected a list, got %s", kindName(n))
		return
	}
	l.given[path] = true
	out := make([]yaml.Node, len(n.Content))
	for i, item := range n.Content {
		out[i] = *item
	}
	v.Set(reflect.ValueOf(out))
}

// pair is a key of a mapping and its value.
type pair struct {
	key   string
	value *yaml.Node
}

// pairs returns the keys of a mapping, each once.
func (l *loader) pairs(n *yaml.Node, path string) []pair {
	if n.Kind != yaml.MappingNode {
		l.add(path, "expected a mapping, got %s", kindName(n))
		return nil
	}
	var out []pair
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode {
			l.add(path, "line %d: a key has to be a plain word", key.Line)
			continue
		}
		if first, ok := lines[key.Value]; ok {
			l.add(join(path, key.Value), "is given twice, on line %d and on line %d", first, key.Line)
			continue
		}
		lines[key.Value] = key.Line
		out = append(out, pair{key.Value, n.Content[i+1]})
	}
	return out
}

// scalar reads a string, a whole number or a boolean.
func (l *loader) scalar(n *yaml.Node, v reflect.Value, path string) {
	tag := n.ShortTag()
	switch v.Kind() {
	case reflect.String:
		// Numbers and dates are taken by their letters: a name may be 007.
		switch tag {
		case "!!str", "!!int", "!!float", "!!timestamp":
			v.SetString(n.Value)
		default:
			l.add(path, "expected a string, got %s", kindName(n))
		}
	case reflect.Int:
		var i int
		if tag != "!!int" {
			l.add(path, "expected a whole number, got %s", kindName(n))
		} else if n.Decode(&i) != nil {
			l.add(path, "is too large a number")
		} else {
			v.SetInt(int64(i))
		}
	case reflect.Bool:
		var b bool
		if tag != "!!bool" || n.Decode(&b) != nil {
			l.add(path, "expected true or false, got %s", kindName(n))
		} else {
			v.SetBool(b)
		}
	default:
		panic("config: no way to read a " + v.Type().String())
	}
}

// lanes reads a plain number, which holds for each lane.
func (l *loader) lanes(n *yaml.Node, into *Lanes, path string) {
	var i int
	if n.ShortTag() != "!!int" || n.Decode(&i) != nil {
		l.add(path, "expected a whole number for each lane, or a mapping of export and sql, got %s", kindName(n))
		return
	}
	*into = Lanes{Export: i, SQL: i}
}

// prefix reads a network, or an address as the network of that address.
func (l *loader) prefix(n *yaml.Node, into *netip.Prefix, path string) {
	if n.Kind == yaml.ScalarNode {
		if p, err := netip.ParsePrefix(n.Value); err == nil {
			*into = p.Masked()
			return
		}
		if a, err := netip.ParseAddr(n.Value); err == nil && a.Zone() == "" {
			*into = netip.PrefixFrom(a, a.BitLen())
			return
		}
	}
	l.add(path, "expected an address such as 10.0.0.1 or a network such as 10.0.0.0/8")
}

// kindName says what a node is, for people, without its value.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str":
		return "a string"
	case "!!int":
		return "a whole number"
	case "!!float":
		return "a decimal number"
	case "!!bool":
		return "a boolean"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "a value with a tag of its own"
}

// join appends a key to a path; a key that is not a plain word is quoted.
func join(path, key string) string {
	if key == "" || len(key) > 64 || strings.ContainsFunc(key, func(r rune) bool {
		return r <= ' ' || r == '.' || r == '[' || r > '~'
	}) {
		key = strconv.Quote(key[:min(len(key), 64)])
	}
	if path == "" {
		return key
	}
	return path + "." + key
}
