package carto

import (
	"encoding/json"
	"slices"
)

// Size is the length in bytes of the definition in these fields as it is kept, as
// compact JSON: {"query":"select 1"} has 20. It judges nothing, so that what is too long
// need not be looked at any further; of what is no definition it is the length all the
// same. The fields are as for Parse.
func Size(fields map[string]any) int {
	own := map[string]any{memberQuery: nil}
	for _, name := range Fields {
		if v, sent := fields[name]; sent {
			own[name] = v
		}
	}
	return sizeOfObject(own, func(query any) int {
		if nested, ok := query.(map[string]any); ok {
			return sizeOfObject(nested, sizeOfSteps)
		}
		return sizeOfSteps(query)
	})
}

func sizeOfSteps(v any) int {
	list, ok := v.([]any)
	if !ok {
		return sizeOf(v)
	}
	return sizeOfList(list, func(step any) int {
		if o, ok := step.(map[string]any); ok {
			return sizeOfObject(o, sizeOf)
		}
		return sizeOf(step)
	})
}

// sizeOfObject is that of an object of a definition without what settings drops; query
// is that of its query.
func sizeOfObject(o map[string]any, query func(any) int) int {
	n, members := len("{}"), 0
	for name, v := range o {
		size := 0
		switch {
		case name == memberQuery:
			size = query(v)
		case dropped(name), v == nil && slices.Contains(optional, name):
			continue
		case name == memberRepeatable && (v == "true" || v == "false"):
			size = len(v.(string)) // kept as what it says
		default:
			size = sizeOf(v)
		}
		n += len(encode(name)) + len(":") + size
		members++
	}
	return n + commas(members)
}

// sizeOf is that of any value without its secret members.
func sizeOf(v any) int {
	switch v := v.(type) {
	case json.Number:
		return len(v)
	case []any:
		return sizeOfList(v, sizeOf)
	case map[string]any:
		n, members := len("{}"), 0
		for name, v := range v {
			if !slices.Contains(KeyFields, name) {
				n += len(encode(name)) + len(":") + sizeOf(v)
				members++
			}
		}
		return n + commas(members)
	}
	return len(encode(v))
}

func sizeOfList(list []any, element func(any) int) int {
	n := len("[]") + commas(len(list))
	for _, v := range list {
		n += element(v)
	}
	return n
}

func commas(elements int) int { return max(elements-1, 0) }
