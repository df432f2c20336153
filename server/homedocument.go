package server

import (
	"time"

	"slashbatch/server/endpoint"
)

// homeDocument is the list of endpoints as JSON.
type homeDocument struct {
	Service string `json:"service"`
	Version string `json:"version"`
	OpenAPI string `json:"openapi"`
	// SQLJobs is where SQL jobs are sent, where the service takes them.
	SQLJobs   string             `json:"sqlJobs,omitempty"`
	Endpoints []endpointDocument `json:"endpoints"`
}

// endpointDocument describes one endpoint. While its database has not been reached,
// Available is false, Reason says so, and only what the spec says is told.
type endpointDocument struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	// URL is the template of its requests, Example one of them.
	URL       string              `json:"url"`
	Example   string              `json:"example,omitempty"`
	Available bool                `json:"available"`
	Reason    string              `json:"reason,omitempty"`
	Access    string              `json:"access,omitempty"`
	Scope     string              `json:"scope,omitempty"`
	Path      []pathDocument      `json:"pathParameters,omitempty"`
	Filters   []filterDocument    `json:"filters,omitempty"`
	Control   []directiveDocument `json:"directives,omitempty"`
	Views     []viewDocument      `json:"views,omitempty"`
	Formats   []string            `json:"formats"`
	SoftLimit int64               `json:"softLimit,omitempty"`
	HardLimit int64               `json:"hardLimit,omitempty"`
	MaxAge    int64               `json:"maxAge,omitempty"` // seconds
	Batch     *twinDocument       `json:"batch,omitempty"`
}

type pathDocument struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Expected    string `json:"expected"`
	Pattern     string `json:"pattern,omitempty"`
	Description string `json:"description,omitempty"`
}

type filterDocument struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Expected    string `json:"expected"`
	Description string `json:"description,omitempty"`
	// Operators are "=", which is the bare name, and prefixes of it.
	Operators []string `json:"operators"`
	Match     string   `json:"match,omitempty"`
	Places    bool     `json:"places,omitempty"`
}

type directiveDocument struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Expected    string   `json:"expected"`
	Description string   `json:"description,omitempty"`
	Values      []string `json:"values,omitempty"`
	Repeatable  bool     `json:"repeatable,omitempty"`
}

type viewDocument struct {
	Name    string           `json:"name"`
	Columns []columnDocument `json:"columns"`
}

type columnDocument struct {
	Name        string `json:"name"`
	Type        string `json:"type"`
	Description string `json:"description,omitempty"`
}

// twinDocument describes the batch twin: URL is the template of its requests, Example
// and Status are of the endpoint's example. Format is that of a file without _format; Links
// tells that links to results can be had.
type twinDocument struct {
	URL       string   `json:"url"`
	Example   string   `json:"example,omitempty"`
	Status    string   `json:"status,omitempty"`
	Format    string   `json:"format"`
	Formats   []string `json:"formats"`
	Links     bool     `json:"links"`
	HardLimit int64    `json:"hardLimit,omitempty"`
}

func (s *Server) homeDocument(list []listed, base string) homeDocument {
	d := homeDocument{Service: "slashbatch", Version: version(), OpenAPI: base + "/openapi.json", Endpoints: []endpointDocument{}}
	if s.SQLEnabled {
		d.SQLJobs = base + sqlJobsPath
	}
	for _, l := range list {
		d.Endpoints = append(d.Endpoints, s.endpointDocument(l, base))
	}
	return d
}

// sqlJobsPath is where examples send SQL jobs: CartoDB's clients say v2.
const sqlJobsPath = "/api/v2/sql/job"

func (s *Server) endpointDocument(l listed, base string) endpointDocument {
	d := endpointDocument{
		Name: l.Name, Description: l.Description, URL: base + l.Path, Available: l.compiled != nil, Reason: l.reason,
		Access: l.Access, Scope: l.Scope, SoftLimit: l.SoftLimit, HardLimit: l.HardLimit, MaxAge: int64(l.MaxAge / time.Second),
		Formats: words(rowFormats(l.spec)),
	}
	for _, p := range l.PathParameters {
		d.Path = append(d.Path, pathDocument{Name: p.Name, Type: p.Type, Expected: p.Expected, Pattern: p.Pattern, Description: p.Description})
	}
	for _, f := range l.Filters {
		shown := filterDocument{Name: f.Name, Type: f.Type, Expected: f.Expected, Description: f.Description, Operators: f.Operators, Places: f.Places}
		if f.Match != endpoint.MatchExact {
			shown.Match = f.Match
		}
		d.Filters = append(d.Filters, shown)
	}
	for _, c := range l.Directives {
		shown := directiveDocument{Name: c.Name, Type: c.Type, Expected: c.Expected, Description: c.Description, Values: c.Words, Repeatable: c.Repeatable}
		if c.Name == "_format" {
			shown.Values = d.Formats
		}
		d.Control = append(d.Control, shown)
	}
	for _, v := range l.Views {
		view := viewDocument{Name: v.Name}
		for _, c := range v.Columns {
			view.Columns = append(view.Columns, columnDocument{Name: c.Name, Type: c.TypeName, Description: c.Description})
		}
		d.Views = append(d.Views, view)
	}
	if l.example != nil {
		d.Example = l.example.plainURL()
	}
	if s.offersBatch(l.spec) {
		d.Batch = &twinDocument{
			URL: d.URL + s.BatchPath, Format: usualFile(l.spec).word, Formats: fileWords(offeredFiles(l.spec)),
			Links: l.spec.Batch.Links, HardLimit: l.Batch.HardLimit,
		}
		if l.example != nil {
			d.Batch.Example, d.Batch.Status = s.twinURL(*l.example), s.statusURL(*l.example, "")
		}
	}
	return d
}

// rowFormats are the formats in which the endpoint answers rows now.
func rowFormats(spec *endpoint.Spec) (list []endpoint.Format) {
	for _, f := range offered(spec) {
		list = append(list, endpoint.Format{Word: f.word, MediaType: f.mediaType})
	}
	return list
}

func words(list []endpoint.Format) []string {
	words := []string{}
	for _, f := range list {
		words = append(words, f.Word)
	}
	return words
}
