package config

import (
	"reflect"
	"slices"
	"strings"
)

// field is a key of a struct.
type field struct {
	name  string // the key in YAML
	field int    // the index of the field
}

type fields []field

// fieldsOf returns the keys of a struct in the order of its fields.
func fieldsOf(t reflect.Type) fields {
	var out fields
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			out = append(out, field{name, i})
		}
	}
	return out
}

func (fs fields) index(name string) (int, bool) {
	i := slices.IndexFunc(fs, func(f field) bool { return f.name == name })
	return i, i >= 0
}

func (fs fields) names() []string {
	out := make([]string, len(fs))
	for i, f := range fs {
		out[i] = f.name
	}
	return out
}

// unknownKey says that a key is not known, and which one might be meant.
func unknownKey(key string, known []string) string {
	if key == "<<" {
		return "merge keys are not supported; write the keys out"
	}
	if best := nearest(key, known); best != "" {
		return `unknown key, did you mean "` + best + `"?`
	}
	return "unknown key; known here: " + strings.Join(known, ", ")
}

// nearest returns the candidate that word is most likely a slip of; empty when
// none is near.
func nearest(word string, candidates []string) string {
	best, least := "", max(2, len(word)/3)+1
	if len(word) > 64 {
		return ""
	}
	for _, c := range candidates {
		d := distance(strings.ToLower(word), strings.ToLower(c))
		if d < least && d < len(c) {
			best, least = c, d
		}
	}
	return best
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to get from a to b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
