package endpoint

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"slashbatch/internal/problem"
)

// reader reads YAML nodes into Go values strictly and notes every problem with
// the path of the node it is about. A null leaves the default in place, as if
// the field were not there.
type reader struct {
	problems problem.List
}

// field reads the node of one field.
type field func(n *yaml.Node, at string)

// join returns the path of a field inside the place at.
func join(at, name string) string {
	if at == "" || strings.HasPrefix(name, "[") {
		return at + name
	}
	return at + "." + name
}

func resolve(n *yaml.Node) *yaml.Node {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// each calls f for every entry of a mapping, reporting repeated and non-text names.
func (r *reader) each(n *yaml.Node, at, what string, f func(name string, value *yaml.Node, at string)) {
	n = resolve(n)
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		r.problems.Add(at, "expected %s, got %s", what, describe(n))
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := resolve(n.Content[i])
		if name.Kind != yaml.ScalarNode {
			r.problems.Add(at, "a field name is %s (line %d)", describe(name), name.Line)
			continue
		}
		place := join(at, name.Value)
		if seen[name.Value] {
			r.problems.Add(place, "given twice (line %d)", name.Line)
			continue
		}
		seen[name.Value] = true
		f(name.Value, resolve(n.Content[i+1]), place)
	}
}

// object reads a mapping with known fields and returns which were there; nil
// when it is no mapping.
func (r *reader) object(n *yaml.Node, at string, fields map[string]field) map[string]bool {
	if resolve(n).Kind != yaml.MappingNode && !isNull(resolve(n)) {
		r.problems.Add(at, "expected fields, got %s", describe(n))
		return nil
	}
	present := map[string]bool{}
	r.each(n, at, "fields", func(name string, value *yaml.Node, place string) {
		read, ok := fields[name]
		if !ok {
			known := slices.Sorted(maps.Keys(fields))
			r.problems.Add(place, "unknown field%s; known: %s", didYouMean(name, known), strings.Join(known, ", "))
			return
		}
		if !isNull(value) {
			present[name] = true
			read(value, place)
		}
	})
	return present
}

func (r *reader) text(dst *string) field {
	return func(n *yaml.Node, at string) {
		switch {
		case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
			*dst = n.Value
		case n.Kind == yaml.ScalarNode:
			r.problems.Add(at, "expected text, got %s; put it in quotes", describe(n))
		default:
			r.problems.Add(at, "expected text, got %s", describe(n))
		}
	}
}

func (r *reader) boolean(dst *bool) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!bool" || n.Decode(dst) != nil {
			r.problems.Add(at, "expected true or false, got %s", describe(n))
		}
	}
}

func (r *reader) optionalBool(dst **bool) field {
	return func(n *yaml.Node, at string) {
		*dst = new(bool)
		r.boolean(*dst)(n, at)
	}
}

func (r *reader) integer(dst *int64) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(dst) != nil {
			r.problems.Add(at, "expected a whole number, got %s", describe(n))
		}
	}
}

// duration reads a number of milliseconds or a text like "90s", "1h30m", "7d".
func (r *reader) duration(dst *time.Duration) field {
	return func(n *yaml.Node, at string) {
		const expected = `expected milliseconds as a number, or a duration like "90s", "12h" or "7d"`
		var ms int64
		switch {
		case n.Kind == yaml.ScalarNode && n.Tag == "!!int" && n.Decode(&ms) == nil:
			if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
				r.problems.Add(at, "%s, got %s", expected, n.Value)
				return
			}
			*dst = time.Duration(ms) * time.Millisecond
		case n.Kind == yaml.ScalarNode && n.Tag == "!!str":
			d, err := parseDuration(n.Value)
			if err != nil || d < 0 {
				r.problems.Add(at, "%s, got %q", expected, n.Value)
				return
			}
			*dst = d
		default:
			r.problems.Add(at, "%s, got %s", expected, describe(n))
		}
	}
}

// parseDuration is time.ParseDuration with a leading number of days: "7d", "1d12h".
func parseDuration(s string) (time.Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		return time.ParseDuration(s)
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, err
	}
	d := time.Duration(n) * 24 * time.Hour
	if rest == "" {
		return d, nil
	}
	r, err := time.ParseDuration(rest)
	if err != nil || r < 0 {
		return 0, fmt.Errorf("bad duration %q", s)
	}
	return d + r, nil
}

// texts reads a list of texts.
func (r *reader) texts(dst *[]string) field {
	return func(n *yaml.Node, at string) {
		if n.Kind != yaml.SequenceNode {
			r.problems.Add(at, "expected a list, got %s", describe(n))
			return
		}
		list := make([]string, len(n.Content))
		for i, item := range n.Content {
			r.text(&list[i])(resolve(item), fmt.Sprintf("%s[%d]", at, i))
		}
		*dst = list
	}
}

// describe names what a node holds for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "fields"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.Tag {
	case "!!null":
		return "nothing"
	case "!!int", "!!float":
		return "the number " + shown(n.Value)
	case "!!bool":
		return shown(n.Value)
	}
	return strconv.Quote(shown(n.Value))
}

// shown cuts a value that is to be quoted in a message.
func shown(s string) string {
	const most = 60
	if len(s) <= most {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// didYouMean returns `; did you mean "x"?` for the known word nearest to one
// that is not known, or nothing when none is near.
func didYouMean(word string, known []string) string {
	if len(word) > 100 {
		return ""
	}
	best, least := "", 3
	for _, k := range known {
		d := distance(strings.ToLower(word), strings.ToLower(k))
		if d < least && d <= len(k)/2 {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// distance is the number of single-character edits between two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
