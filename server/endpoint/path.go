package endpoint

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"slashbatch/internal/problem"
)

// Reserved are the first path segments that belong to the service itself.
var Reserved = []string{
	"api", "user", "customers", "raw-resource", "results", "jobs", "jobs-wip", "queue",
	"healthz", "readyz", "metrics", "robots.txt", "openapi.json",
}

// Facade is the default of the path segment under which every endpoint has its
// batch twin.
const Facade = "batch"

// facadeTails are the paths of the batch façade below an endpoint's own path,
// %s being the configured segment.
var facadeTails = []string{"%s", "%s/status", "%s/status/events", "%s/links", "%s/cancel"}

// segment is one part of a path template: a literal, or a variable's name.
type segment struct {
	text     string
	variable bool
	// rest: a variable that takes this segment and all behind it.
	rest bool
}

var (
	literalSegment = regexp.MustCompile(`^[A-Za-z0-9._~-]+$`)
	variableName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
)

func validVariable(name string) bool { return variableName.MatchString(name) }

// splitTemplate takes a path template apart and returns a sentence for each
// thing wrong with it.
func splitTemplate(path string) ([]segment, []string) {
	var problems []string
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !strings.HasPrefix(path, "/") {
		refuse("must begin with /")
	}
	trimmed := strings.TrimPrefix(path, "/")
	if trimmed == "" {
		refuse("/ is the list of endpoints; choose a path below it")
		return nil, problems
	}
	if strings.HasSuffix(trimmed, "/") {
		refuse("must not end with /; a trailing slash is the same request anyway")
		trimmed = strings.TrimRight(trimmed, "/")
	}
	var segments []segment
	seen := map[string]bool{}
	for _, part := range strings.Split(trimmed, "/") {
		name, isVariable := strings.CutPrefix(part, "{")
		name, closed := strings.CutSuffix(name, "}")
		switch {
		case part == "":
			refuse("has an empty segment (//)")
		case part == "." || part == "..":
			refuse("has a segment %q", part)
		case isVariable && closed && strings.Contains(name, ":"):
			refuse("{%s}: patterns stand in pathParameters, not in the path", shown(name))
		case isVariable && closed && !validVariable(name):
			refuse("{%s} is no variable name; expected a letter, then letters, digits and _", shown(name))
		case isVariable && closed && seen[name]:
			refuse("has {%s} twice", name)
		case isVariable && closed:
			seen[name] = true
			segments = append(segments, segment{text: name, variable: true})
		case strings.ContainsAny(part, "{}"):
			refuse("segment %q: a variable takes a whole segment", shown(part))
		case !literalSegment.MatchString(part):
			refuse("segment %q: expected letters, digits, - . _ ~", shown(part))
		default:
			segments = append(segments, segment{text: part})
		}
	}
	return segments, problems
}

// Variables returns the names of the path's variables, in order.
func (s *Spec) Variables() []string {
	var names []string
	for _, seg := range s.segments {
		if seg.variable {
			names = append(names, seg.text)
		}
	}
	return names
}

// rest is the name of the variable that ends the path and takes any number of segments.
func (s *Spec) rest() string {
	if last := s.segments[len(s.segments)-1]; last.rest {
		return last.text
	}
	return ""
}

// Template returns the path as a router with {name:pattern} variables takes it, on escaped
// paths.
func (s *Spec) Template() string {
	if rest := s.rest(); rest != "" {
		return strings.TrimSuffix(s.Path, "/{"+rest+"...}") + "{" + rest + ":(?:/[^/]*)*}"
	}
	return s.Path
}

// LiteralEnd reports whether the path ends in a literal segment, behind which an
// extension can name a format.
func (s *Spec) LiteralEnd() bool { return !s.segments[len(s.segments)-1].variable }

// Match returns the variables of a path given as decoded segments, or false
// when it is not a path of this endpoint. Patterns are not looked at: a
// value they refuse is a problem of the request, not another path.
func (s *Spec) Match(parts []string) (map[string]string, bool) {
	if len(parts) != len(s.segments) {
		return nil, false
	}
	vars := map[string]string{}
	for i, seg := range s.segments {
		switch {
		case seg.variable && parts[i] != "":
			vars[seg.text] = parts[i]
		case seg.variable || seg.text != parts[i]:
			return nil, false
		}
	}
	return vars, true
}

// admits reports whether a segment may stand for the literal text.
func (s *Spec) admits(seg segment, literal string) bool {
	if !seg.variable {
		return seg.text == literal
	}
	pattern := s.patterns[seg.text]
	return pattern == nil || pattern.MatchString(literal)
}

// Sort orders specs so that a router that takes the first match takes the most
// specific one: a literal segment before a variable, else by path.
func Sort(specs []*Spec) {
	slices.SortStableFunc(specs, func(a, b *Spec) int {
		for i := range min(len(a.segments), len(b.segments)) {
			x, y := a.segments[i], b.segments[i]
			if x.variable != y.variable {
				if y.variable {
					return -1
				}
				return 1
			}
		}
		return cmp.Compare(a.Path, b.Path)
	})
}

// Conflicts reports endpoints that cannot be served together: equal names, and
// templates that match one path. A literal and a variable whose pattern
// refuses it do not meet; two variables always do, whatever their patterns.
func Conflicts(specs []*Spec) problem.List {
	var problems problem.List
	for i, b := range specs {
		for _, a := range specs[:i] {
			if a.Name != "" && strings.EqualFold(a.Name, b.Name) {
				problems = append(problems, problem.Problem{
					File: b.File, Path: "name", Message: fmt.Sprintf("%q is also the name of the endpoint in %s", b.Name, a.place()),
				})
			}
			if meet(a, b) {
				problems = append(problems, problem.Problem{
					File: b.File, Path: "path", Message: fmt.Sprintf("%s matches paths that %s of %s matches too", b.Path, a.Path, a.place()),
				})
			}
		}
	}
	return problems
}

// place names a spec for a message about another one.
func (s *Spec) place() string {
	if s.File == "" {
		return fmt.Sprintf("%q", s.Name)
	}
	return fmt.Sprintf("%s (%q)", s.File, s.Name)
}

func meet(a, b *Spec) bool {
	if len(a.segments) != len(b.segments) || len(a.segments) == 0 {
		return false
	}
	for i, x := range a.segments {
		y := b.segments[i]
		switch {
		case x.variable && y.variable:
		case x.variable && !a.admits(x, y.text), y.variable && !b.admits(y, x.text):
			return false
		case !x.variable && !y.variable && x.text != y.text:
			return false
		}
	}
	return true
}

// FacadeClashes reports how specs meet the batch façade under the given
// segment: a template that ends in a literal façade path is a problem, one
// whose variables could take its place a warning, since such a path is always
// the façade's. Decode has done this for the default segment.
func FacadeClashes(specs []*Spec, segment string) (problems, warnings problem.List) {
	for _, s := range specs {
		found, warned := s.facadeClashes(segment)
		for _, message := range found {
			problems = append(problems, problem.Problem{File: s.File, Path: "path", Message: message})
		}
		for _, message := range warned {
			warnings = append(warnings, problem.Problem{File: s.File, Path: "path", Message: message})
		}
	}
	return problems, warnings
}

func (s *Spec) facadeClashes(facade string) (problems, warnings []string) {
	for _, tail := range facadeTails {
		tail = fmt.Sprintf(tail, facade)
		parts := strings.Split(tail, "/")
		if len(parts) > len(s.segments) {
			continue
		}
		var taken []string
		literal, match := true, true
		for i, seg := range s.segments[len(s.segments)-len(parts):] {
			literal = literal && !seg.variable
			match = match && s.admits(seg, parts[i])
			if seg.variable {
				taken = append(taken, fmt.Sprintf("{%s} cannot be %q", seg.text, parts[i]))
			}
		}
		switch {
		case match && literal:
			problems = append(problems, fmt.Sprintf("ends in /%s, which belongs to the batch twins", tail))
		case match:
			warnings = append(warnings, fmt.Sprintf("%s: a path that ends in /%s is always a batch twin", strings.Join(taken, " and "), tail))
		}
	}
	return problems, warnings
}

// sortedKeys returns the keys of a map in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
