package endpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"slashbatch/internal/problem"
)

// Decode reads the specs of one file: one YAML document, or several, each a
// spec. It reports every problem at once, with its path inside the document
// ("batch.estimate"; "[2].batch.estimate" in the second of several documents).
// The specs are only of use when the list is empty.
func Decode(data []byte, file string) ([]*Spec, problem.List) {
	var documents []*yaml.Node
	var problems problem.List
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		var n yaml.Node
		err := decoder.Decode(&n)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			problems.Add("", "not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
			return nil, problems.In(file)
		}
		if n.Kind == yaml.DocumentNode && len(n.Content) == 1 && !isNull(n.Content[0]) {
			documents = append(documents, n.Content[0])
		}
	}
	if len(documents) == 0 {
		problems.Add("", "holds no endpoint")
	}
	var specs []*Spec
	for i, n := range documents {
		at := ""
		if len(documents) > 1 {
			at = fmt.Sprintf("[%d]", i+1)
		}
		spec, found := DecodeNode(n, file, at)
		specs = append(specs, spec)
		problems = append(problems, found...)
	}
	return specs, problems.In(file)
}

// DecodeNode is Decode for one spec that stands inside another document, at the
// path at: an entry of "endpoints" in the configuration.
func DecodeNode(n *yaml.Node, file, at string) (*Spec, problem.List) {
	return decodeSpec(n, file, at, nil)
}

// decodeSpec decodes a declared spec, or, given an Own to fill in, one of the service's.
func decodeSpec(n *yaml.Node, file, at string, own *Own) (*Spec, problem.List) {
	s := &Spec{
		Own:        own,
		File:       file,
		DataSource: "default",
		MaxAge:     time.Minute,
		Scope:      ScopeShared,
		Batch:      Batch{Enabled: true, ContentType: "text/csv", Estimate: time.Minute},
	}
	var r reader
	var batchPresent map[string]bool
	var ownHardLimit bool
	fields := map[string]field{
		"name":           r.text(&s.Name),
		"path":           r.text(&s.Path),
		"description":    r.text(&s.Description),
		"example":        r.text(&s.Example),
		"dataSource":     r.text(&s.DataSource),
		"query":          r.text(&s.Query),
		"key":            r.text(&s.Key),
		"pathParameters": r.pathParameters(s),
		"properties":     r.properties(s),
		"views":          r.views(s),
		"softLimit":      r.integer(&s.SoftLimit),
		"hardLimit":      r.integer(&s.HardLimit),
		"formats":        r.texts(&s.Formats),
		"maxAge":         r.duration(&s.MaxAge),
		"access":         r.access(&s.Access),
		"scope":          r.text(&s.Scope),
		"batch": func(n *yaml.Node, at string) {
			b := &s.Batch
			batchPresent = r.object(n, at, map[string]field{
				"enabled":         r.boolean(&b.Enabled),
				"dataSource":      r.text(&b.DataSource),
				"stepsDataSource": r.text(&b.StepsDataSource),
				"contentType":     r.text(&b.ContentType),
				"estimate":        r.duration(&b.Estimate),
				"formats":         r.texts(&b.Formats),
				"maxAge":          r.duration(&b.MaxAge),
				"hardLimit":       r.batchLimit(&b.HardLimit, &ownHardLimit),
				"retry":           r.retry(&b.Retry),
				"links":           r.boolean(&b.Links),
				"onsuccess":       r.text(&b.OnSuccess),
				"onerror":         r.text(&b.OnError),
			})
		},
	}
	if own != nil {
		fields["sort"], fields["guard"] = r.texts(&own.Sort), r.text(&own.Guard)
	}
	present := r.object(n, at, fields)
	if present == nil {
		return s, r.problems.In(file)
	}
	s.fillIn(present, batchPresent, ownHardLimit)
	l := linter{spec: s, at: at, present: present, batchPresent: batchPresent, unread: r.problems}
	l.lint()
	s.Warnings = l.warnings.In(file)
	return s, append(r.problems, l.problems...).In(file)
}

// fillIn sets the defaults that depend on other fields.
func (s *Spec) fillIn(present, batchPresent map[string]bool, ownHardLimit bool) {
	switch soft, hard := present["softLimit"], present["hardLimit"]; {
	case !soft && !hard:
		s.SoftLimit, s.HardLimit = 100, 10_000
	case !soft:
		s.SoftLimit = min(100, s.HardLimit)
	case !hard:
		s.HardLimit = max(10_000, s.SoftLimit)
	}
	if !present["access"] {
		s.Access = Access{Public: s.Scope != ScopeUser, Authenticated: s.Scope == ScopeUser}
	}
	if !batchPresent["dataSource"] {
		s.Batch.DataSource = s.DataSource
	}
	if !batchPresent["stepsDataSource"] {
		s.Batch.StepsDataSource = s.DataSource
	}
	if !batchPresent["links"] {
		s.Batch.Links = s.Scope != ScopeUser
	}
	if ownHardLimit {
		s.Batch.HardLimit = s.HardLimit
	}
}

func (r *reader) pathParameters(s *Spec) field {
	return func(n *yaml.Node, at string) {
		s.PathParameters = map[string]PathParameter{}
		r.each(n, at, "parameters by name", func(name string, n *yaml.Node, at string) {
			var p PathParameter
			r.object(n, at, map[string]field{
				"type":        r.text(&p.Type),
				"pattern":     r.text(&p.Pattern),
				"description": r.text(&p.Description),
				"sensitive":   r.boolean(&p.Sensitive),
			})
			s.PathParameters[name] = p
		})
	}
}

func (r *reader) properties(s *Spec) field {
	return func(n *yaml.Node, at string) {
		s.Properties = map[string]Property{}
		r.each(n, at, "properties by name", func(name string, n *yaml.Node, at string) {
			var p Property
			r.object(n, at, map[string]field{
				"type":        r.text(&p.Type),
				"description": r.text(&p.Description),
				"filterable":  r.optionalBool(&p.Filterable),
				"sortable":    r.optionalBool(&p.Sortable),
				"match":       r.text(&p.Match),
				"sensitive":   r.boolean(&p.Sensitive),
			})
			s.Properties[name] = p
		})
	}
}

func (r *reader) views(s *Spec) field {
	return func(n *yaml.Node, at string) {
		s.Views = map[string][]string{}
		r.each(n, at, "views by name", func(name string, n *yaml.Node, at string) {
			var columns []string
			r.texts(&columns)(n, at)
			s.Views[name] = columns
		})
	}
}

func (r *reader) access(dst *Access) field {
	return func(n *yaml.Node, at string) {
		if n.Kind == yaml.SequenceNode {
			r.texts(&dst.Users)(n, at)
			if len(n.Content) == 0 {
				r.problems.Add(at, "an empty list admits nobody; name users, or say public or authenticated")
			}
			return
		}
		switch n.Value {
		case "public":
			dst.Public = true
		case "authenticated":
			dst.Authenticated = true
		case "customer":
			dst.Customer = true // refused below, but for our own
		default:
			r.problems.Add(at, "expected public, authenticated or a list of user names, got %s", describe(n))
		}
	}
}

// batchLimit reads true (the endpoint's own hard limit), false or a number.
func (r *reader) batchLimit(dst *int64, own *bool) field {
	return func(n *yaml.Node, at string) {
		if n.Kind == yaml.ScalarNode && n.Tag == "!!bool" {
			r.boolean(own)(n, at)
			return
		}
		if n.Kind != yaml.ScalarNode || n.Tag != "!!int" || n.Decode(dst) != nil || *dst < 1 {
			r.problems.Add(at, "expected true, false or a number above 0, got %s", describe(n))
		}
	}
}

func (r *reader) retry(dst **int64) field {
	return func(n *yaml.Node, at string) {
		*dst = new(int64)
		r.integer(*dst)(n, at)
	}
}
