package server

import (
	"net/http"
	"regexp"
	"strings"

	"slashbatch/assets"
	"slashbatch/server/endpoint"
)

// The groups of the operations about assets.
const (
	tagCustomers    = "Customers"
	tagBatches      = "Batches"
	tagIngest       = "Ingest"
	tagAssets       = "Assets"
	tagNamedQueries = "Named queries"
)

// assetTags are the groups of the lists.
var assetTags = map[string]string{
	listSpaces:  tagCustomers,
	listBatches: tagBatches, listActive: tagBatches, listRecent: tagBatches, listBatchImages: tagBatches, listBatchAssets: tagBatches,
	listImages: tagAssets, listAssetBatches: tagAssets,
	listQueries: tagNamedQueries, listQuery: tagNamedQueries,
}

// tagOf is the group of an endpoint's operations: of a declared one, its own.
func tagOf(l listed) string {
	if l.spec.Own != nil {
		return assetTags[l.Name]
	}
	return l.Name
}

// summaryOf tells which of a group's endpoints an operation is of.
func summaryOf(l listed, summary string) string {
	if l.spec.Own != nil {
		return summary + ": " + l.Description
	}
	return summary
}

// assets describes customers, their batches of assets, and named queries.
func (b *oasBuilder) assets(base string) {
	b.tag(tagCustomers, "Customers and their spaces.")
	b.tag(tagBatches, "Assets that were posted together, and what became of them.")
	b.tag(tagIngest, "For ingesters: what waits, and what became of it.")
	b.tag(tagAssets, "What customers have registered, as it is now.")
	b.tag(tagNamedQueries, "Stored queries over a customer's assets.")
	b.assetSchemas()
	for _, spec := range b.server.routedLists() {
		l := b.server.list(spec, caller{}, base)
		l.Path = openPath(l.Path)
		request, row := b.read(l)
		if b.server.offersBatch(spec) {
			b.twin(l, request, row)
		}
		if spec.Name == listQuery {
			b.preflight(l)
		}
	}
	for _, route := range b.assetOperations() {
		b.assetOperation(route)
	}
}

// openPath is a path as OpenAPI has it, which knows no variable of several segments.
func openPath(path string) string { return strings.ReplaceAll(path, "...}", "}") }

// assetPath is the item of a path, with its variables.
func (b *oasBuilder) assetPath(path string) *oasPath {
	if b.document.Paths[path] == nil {
		b.document.Paths[path] = &oasPath{Parameters: b.variables(path)}
	}
	return b.document.Paths[path]
}

// assetVariables are the variables of paths about assets, by the names of their components:
// names without a dot are no declared endpoint's.
var assetVariables = map[string]*oasParameter{
	"customer": {Name: "customer", Description: "The customer's number.", Schema: &oasSchema{Type: "integer", Format: "int32"}, Example: 99},
	"space":    {Name: "space", Description: "The number of the space.", Schema: &oasSchema{Type: "integer", Format: "int32"}, Example: 1},
	"image":    {Name: "image", Description: "The id of the asset in its space; a / in it as %2F.", Schema: &oasSchema{Type: "string"}},
	"batch":    {Name: "batch", Description: "The number of the batch.", Schema: &oasSchema{Type: "integer", Format: "int64"}},
	"query":    {Name: "query", Description: "The id of the named query.", Schema: &oasSchema{Type: "string", Format: "uuid"}},

	"customerOrName": {Name: "customer", Description: "The customer's number, or its name.", Schema: &oasSchema{Type: "string"}, Example: "99"},
	"queryName":      {Name: "name", Description: "The name of the named query.", Schema: &oasSchema{Type: "string"}, Example: "report"},
	"arguments": {
		Name: restVar, Schema: &oasSchema{Type: "string"}, Example: "1234",
		Description: "The arguments, each a segment: p1/p2/p3, a / in one of them as %2F. There may be any number; without any the path ends behind the name.",
	},
}

// rawVariables are those that mean something else in the paths of named queries.
var rawVariables = map[string]string{"customer": "customerOrName", "name": "queryName", restVar: "arguments"}

var pathVariable = regexp.MustCompile(`\{(\w+)\}`)

// variables are the parameters of a path about assets.
func (b *oasBuilder) variables(path string) (list []*oasParameter) {
	for _, found := range pathVariable.FindAllStringSubmatch(path, -1) {
		name := found[1]
		if raw := rawVariables[name]; raw != "" && strings.HasPrefix(path, "/raw-resource/") {
			name = raw
		}
		shown := *assetVariables[name]
		shown.In, shown.Required = "path", true
		b.document.Components.Parameters[name] = &shown
		list = append(list, &oasParameter{Ref: "#/components/parameters/" + name})
	}
	return list
}

// problemsOf is the form of the errors of an endpoint's rows.
func (b *oasBuilder) problemsOf(l listed) addsProblems {
	switch {
	case l.spec.Own == nil:
		return b.problems
	case l.Name == listQuery:
		return func(responses map[string]*oasResponse, statuses ...int) {
			b.problems(responses, append(statuses, http.StatusGone)...)
		}
	}
	return b.hydraProblems
}

// hydraReasons are those of problemReasons that mean something else about assets.
var hydraReasons = map[int]string{
	http.StatusBadRequest:           "The request was not understood, or cannot be done; all that is wrong with it is told at once, and nothing was changed.",
	http.StatusUnauthorized:         "The key is not the customer's, nor that of an admin, or there is none.",
	http.StatusNotFound:             "The customer has no such thing.",
	http.StatusConflict:             "The name is taken, or the asset is ingested in a batch.",
	http.StatusUnsupportedMediaType: "The body is neither JSON nor CSV.",
	http.StatusUnprocessableEntity:  "The Idempotency-Key was sent with another body before.",
}

// hydraProblems is problems in the form of the paths about assets.
func (b *oasBuilder) hydraProblems(responses map[string]*oasResponse, statuses ...int) {
	for _, status := range statuses {
		reason := hydraReasons[status]
		if reason == "" {
			reason = problemReasons[status]
		}
		b.errorAnswer(responses, "HydraError", status, reason, map[string]oasMedia{"application/problem+json": {refSchema("HydraError")}})
	}
}

// missing adds the errors of a twin whose rows are a customer's: there may be no such
// customer, batch or asset.
func (b *oasBuilder) missing(responses map[string]*oasResponse, spec *endpoint.Spec) {
	if spec.Own == nil {
		return
	}
	if known := responses["404"]; known != nil && known.Ref == "" {
		known.Content["application/problem+json"] = oasMedia{refSchema("Problem")}
	} else {
		b.problems(responses, http.StatusNotFound)
	}
	if spec.Name == listQuery {
		b.problems(responses, http.StatusGone)
	}
}

// preflight describes what browsers ask before a page of another site reads a named query.
func (b *oasBuilder) preflight(l listed) {
	text := &oasSchema{Type: "string"}
	for path, id := range map[string]string{l.Path: "", l.Path + b.server.BatchPath: "export."} {
		if item := b.document.Paths[path]; item != nil {
			item.Options = &oasOperation{
				OperationID: l.Name + "." + id + "preflight", Summary: "May a page of another site ask?", Tags: []string{tagOf(l)},
				Responses: map[string]*oasResponse{"200": {Description: "Any may.", Headers: map[string]oasHeader{
					"Access-Control-Allow-Origin": {"*", text}, "Access-Control-Allow-Methods": {"GET, HEAD, OPTIONS", text},
					"Access-Control-Allow-Headers": {"Those that are read here.", text},
				}}},
			}
		}
	}
}

// outcomeWords are what a member's status may be.
var outcomeWords = []string{assets.OutcomeWaiting, assets.OutcomeError, assets.OutcomeCompleted}
