package server

import (
	"net/http"
	"slices"
	"strings"

	"slashbatch/server/endpoint"
)

// read describes an endpoint's own path: rows now. It returns the parameters that choose
// rows.
func (b *oasBuilder) read(l listed) []*oasParameter {
	b.document.Tags = append(b.document.Tags, oasTag{Name: l.Name, Description: l.Description})
	twin := b.server.offersBatch(l.spec)
	responses := map[string]*oasResponse{
		"200": {Description: "The rows, at most as many as the limit says.", Content: b.rows(l), Headers: map[string]oasHeader{
			"ETag": {"Of answers that are short enough to be held back.", &oasSchema{Type: "string"}},
		}},
		"304": {Description: "The rows are those that the client has."},
	}
	b.accessProblems(responses, l.spec)
	b.problems(responses, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusInternalServerError,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	if len(l.PathParameters) > 0 {
		b.problems(responses, http.StatusNotFound)
	}
	operation := &oasOperation{
		OperationID: l.Name + ".rows", Summary: "Rows now", Description: b.about(l), Tags: []string{l.Name},
		Parameters: []*oasParameter{formatParameter(rowFormats(l.spec))},
		Responses:  responses, Security: b.security(l.spec),
	}
	if twin {
		operation.Parameters = append(operation.Parameters, &oasParameter{
			Name: "Prefer", In: "header", Description: "respond-async asks for an export instead.", Schema: &oasSchema{Type: "string"},
		})
		responses["202"] = redirect("It was queued as an export, on respond-async.")
		b.problems(responses, http.StatusTooManyRequests)
	}
	choosing, writing := b.requestParameters(l)
	operation.Parameters = append(operation.Parameters, writing...)
	b.document.Paths[l.Path] = &oasPath{Parameters: choosing, Get: operation}
	return choosing
}

// writingDirectives are about how rows are written and counted now. A twin takes no notice
// of them.
var writingDirectives = []string{"_count", "_delimiter", "_bom", "_safe"}

// about describes the endpoint, and what no parameter's own description can say.
func (b *oasBuilder) about(l listed) string {
	text := sentences(l.Description, l.reason)
	if l.spec.LiteralEnd() {
		text += " A format may end the path instead: " + l.Path + "." + strings.Join(words(rowFormats(l.spec)), ", "+l.Path+".") + "."
	}
	for _, f := range l.Filters {
		if f.Places {
			text += " Any place inside " + f.Name + " is a filter, too: " + f.Name + ".a.b=text, exists-" + f.Name + ".a.b=true."
		}
	}
	return text
}

// requestParameters are the path's variables, the filters and the directives that choose
// rows, and the directives about writing them.
func (b *oasBuilder) requestParameters(l listed) (choosing, writing []*oasParameter) {
	var examples map[string][]string
	var path map[string]string
	if l.example != nil {
		examples = l.example.Values()
		path, _ = matchPath(l.spec, l.example.Path())
	}
	for _, p := range l.PathParameters {
		choosing = append(choosing, pathParameter(p, path[p.Name]))
	}
	for _, f := range l.Filters {
		choosing = append(choosing, filterParameters(f, examples)...)
	}
	for _, d := range l.Directives {
		switch {
		case d.Name == "_format": // each path has its own
		case slices.Contains(writingDirectives, d.Name):
			writing = append(writing, directiveParameter(d, examples))
		default:
			choosing = append(choosing, directiveParameter(d, examples))
		}
	}
	return b.parameters(l.Name, choosing...), writing
}

// formatParameter is _format, which each path has formats of its own for.
func formatParameter(formats []endpoint.Format) *oasParameter {
	return &oasParameter{Name: "_format", In: "query", Description: "The format of the rows.", Schema: wordsSchema(words(formats)...)}
}

// rows is what an endpoint's rows are in each format.
func (b *oasBuilder) rows(l listed) map[string]oasMedia {
	content := map[string]oasMedia{}
	for _, f := range rowFormats(l.spec) {
		content[f.MediaType] = oasMedia{&oasSchema{Type: "string"}}
		if f.Word == "json" {
			content[f.MediaType] = oasMedia{&oasSchema{
				Type: "object", Required: []string{"meta", "items"},
				Properties: map[string]*oasSchema{"meta": refSchema("Meta"), "items": {Type: "array", Items: b.row(l)}},
			}}
		}
	}
	return content
}

// row is a row in one of the endpoint's views.
func (b *oasBuilder) row(l listed) *oasSchema {
	var views []*oasSchema
	for _, v := range l.Views {
		views = append(views, b.schema(l.Name+"."+v.Name, rowSchema(v)))
	}
	switch len(views) {
	case 0:
		return &oasSchema{Type: "object"} // nobody has asked the database yet
	case 1:
		return views[0]
	}
	return &oasSchema{AnyOf: views}
}

// redirect is an answer that leads on.
func redirect(description string) *oasResponse {
	return &oasResponse{Description: description, Headers: map[string]oasHeader{
		"Location": {"The status of the export.", &oasSchema{Type: "string", Format: "uri"}},
	}}
}
