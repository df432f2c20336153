package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"slashbatch/internal/problem"
)

// linter checks one decoded spec as far as that goes without a database, and
// prepares what the other stages use: path segments, patterns, the lexed query.
type linter struct {
	spec                  *Spec
	at                    string
	present, batchPresent map[string]bool
	// unread are the problems of reading the fields.
	unread             problem.List
	problems, warnings problem.List
}

var (
	specName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	sourceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,62}$`)
	viewName   = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
)

// refuse adds a problem, unless the field could not even be read.
func (l *linter) refuse(path, format string, args ...any) {
	place := join(l.at, path)
	if !slices.ContainsFunc(l.unread, func(p problem.Problem) bool { return p.Path == place }) {
		l.problems.Add(place, format, args...)
	}
}

func (l *linter) warn(path, format string, args ...any) {
	l.warnings.Add(join(l.at, path), format, args...)
}

func (l *linter) lint() {
	for _, name := range []string{"name", "path", "query", "key"} {
		if !l.present[name] {
			l.refuse(name, "is required")
		}
	}
	if l.spec.Own == nil {
		l.name()
	}
	l.path()
	l.patterns()
	if l.spec.Own == nil {
		l.reserved()
	}
	l.access()
	l.query()
	l.properties()
	l.views()
	l.limits()
	l.formats()
	l.scope()
	l.batch()
	l.example()
}

func (l *linter) name() {
	if s := l.spec; s.Name != "" && !specName.MatchString(s.Name) {
		l.refuse("name", "expected a letter, then letters, digits, - and _, at most 63; got %q", shown(s.Name))
	}
}

func (l *linter) path() {
	if !l.present["path"] {
		return
	}
	path, rest := l.spec.Path, ""
	if i := strings.LastIndex(path, "/{"); l.spec.Own != nil && i >= 0 && strings.HasSuffix(path, "...}") {
		path, rest = path[:i], strings.TrimSuffix(path[i+2:], "...}")
	}
	segments, problems := splitTemplate(path)
	if rest != "" {
		segments = append(segments, segment{text: rest, variable: true, rest: true})
	}
	for _, p := range problems {
		l.refuse("path", "%s", p)
	}
	l.spec.segments = segments
}

func (l *linter) patterns() {
	s := l.spec
	s.patterns = map[string]*regexp.Regexp{}
	variables := s.Variables()
	for _, name := range sortedKeys(s.PathParameters) {
		p, at := s.PathParameters[name], "pathParameters."+name
		if l.present["path"] && !slices.Contains(variables, name) {
			l.refuse(at, "the path has no {%s}%s", shown(name), didYouMean(name, variables))
		}
		if p.Type != "" && !slices.Contains(parameterTypes, p.Type) {
			l.refuse(at+".type", "unknown type %q; known: %s", shown(p.Type), strings.Join(parameterTypes, ", "))
		}
		if p.Pattern == "" {
			continue
		}
		pattern, err := regexp.Compile(`\A(?:` + p.Pattern + `)\z`)
		if err != nil {
			_, err = regexp.Compile(p.Pattern)
			l.refuse(at+".pattern", "not a regular expression: %v", err)
			continue
		}
		s.patterns[name] = pattern
	}
}

// reserved checks the path against the service's own paths and the façade.
func (l *linter) reserved() {
	s := l.spec
	if len(s.segments) == 0 {
		return
	}
	first, last := s.segments[0], s.segments[len(s.segments)-1]
	if !first.variable && slices.Contains(Reserved, first.text) {
		l.refuse("path", "/%s belongs to the service itself", first.text)
	}
	if first.variable {
		var taken []string
		for _, word := range Reserved {
			if s.admits(first, word) {
				taken = append(taken, word)
			}
		}
		if len(taken) > 0 {
			l.warn("path", "{%s} cannot be %s: those paths belong to the service itself", first.text, strings.Join(taken, ", "))
		}
	}
	problems, warnings := s.facadeClashes(Facade)
	for _, message := range problems {
		l.refuse("path", "%s", message)
	}
	for _, message := range warnings {
		l.warn("path", "%s", message)
	}
	if dot := strings.LastIndexByte(last.text, '.'); !last.variable && dot >= 0 {
		if _, ok := formatByWord(last.text[dot+1:]); ok {
			l.refuse("path", "ends in %s, which chooses a format", last.text[dot:])
		}
	}
}

func (l *linter) query() {
	s := l.spec
	if !l.present["query"] {
		return
	}
	q, problems := lexQuery(s.Query)
	for _, p := range problems {
		l.refuse("query", "%s", p)
	}
	if len(problems) == 0 {
		s.query = q
	}
	if s.Own != nil && s.Own.Guard != "" {
		if s.Own.guard, problems = lexQuery(s.Own.Guard); len(problems) > 0 {
			l.refuse("guard", "%s", strings.Join(problems, "; "))
		}
	}
	if q == nil || len(s.segments) == 0 || s.Own != nil {
		return
	}
	variables := s.Variables()
	for _, name := range q.params {
		switch {
		case name == UserParameter && s.Scope != ScopeUser:
			l.refuse("query", "{_user} needs scope: user, else callers would share each other's rows")
		case name != UserParameter && !slices.Contains(variables, name):
			l.refuse("query", "{%s} is no variable of the path%s", name, didYouMean(name, variables))
		}
	}
	for _, name := range variables {
		if slices.Contains(q.params, name) {
			continue
		}
		hint := ""
		if strings.Contains(s.Query, "{"+name+"}") {
			hint = " (the one inside quotes or a comment is only text)"
		}
		l.refuse("query", "does not use {%s}, so the path would not choose rows%s", name, hint)
	}
}

func (l *linter) properties() {
	for _, name := range sortedKeys(l.spec.Properties) {
		p, at := l.spec.Properties[name], "properties."+name
		if p.Type != "" && !slices.Contains(propertyTypes, p.Type) {
			l.refuse(at+".type", "unknown type %q; known: %s", shown(p.Type), strings.Join(propertyTypes, ", "))
		}
		switch p.Match {
		case "", MatchExact, MatchPrefix, MatchContains, MatchAny, MatchFulltext:
		default:
			l.refuse(at+".match", "expected exact, prefix, contains, any or fulltext, got %q", shown(p.Match))
		}
	}
}

func (l *linter) access() {
	if l.spec.Access.Customer && l.spec.Own == nil {
		l.refuse("access", `expected public, authenticated or a list of user names, got "customer"`)
	}
}

func (l *linter) views() {
	if l.present["views"] && len(l.spec.Views) == 0 {
		l.refuse("views", "names no view")
	}
	for _, name := range sortedKeys(l.spec.Views) {
		columns, at := l.spec.Views[name], "views."+name
		if !viewName.MatchString(name) {
			l.refuse(at, "expected a name of letters, digits, - . and _")
		}
		if len(columns) == 0 {
			l.refuse(at, "names no column")
		}
		for i, column := range columns {
			if slices.Contains(columns[:i], column) {
				l.refuse(fmt.Sprintf("%s[%d]", at, i), "%q is in this view twice", shown(column))
			}
		}
	}
}

// example checks that the example is a path of this endpoint; Compile checks
// its parameters.
func (l *linter) example() {
	s := l.spec
	if s.Example == "" || len(s.segments) == 0 {
		return
	}
	if _, _, err := s.splitExample(); err != nil {
		l.refuse("example", "%v", err)
	}
}
