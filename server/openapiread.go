package server

import (
	"net/http"
	"slices"
	"strings"

	"slashbatch/internal/rows"
)

// read describes an endpoint's own path: rows now. It returns what its twin has, too: the
// parameters, and what a row is.
func (b *oasBuilder) read(l listed) (request []*oasParameter, row *oasSchema) {
	problems := b.problemsOf(l)
	if l.spec.Own == nil {
		b.tag(l.Name, l.Description)
	}
	twin := b.server.offersBatch(l.spec)
	row = b.row(l)
	responses := map[string]*oasResponse{
		"200": {Description: "The rows, at most as many as the limit says.", Content: b.rowsContent(l, row), Headers: map[string]oasHeader{
			"ETag": {"Of answers that are short enough to be held back.", &oasSchema{Type: "string"}},
		}},
		"304": {Description: "The rows are those that the client has."},
	}
	b.accessProblems(problems, responses, l.spec)
	problems(responses, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusInternalServerError,
		http.StatusServiceUnavailable, http.StatusGatewayTimeout)
	if len(l.PathParameters) > 0 {
		problems(responses, http.StatusNotFound)
	}
	operation := &oasOperation{
		OperationID: l.Name + ".rows", Summary: summaryOf(l, "Rows now"), Description: b.about(l), Tags: []string{tagOf(l)},
		Parameters: []*oasParameter{formatParameter("The format of the rows.", words(rowFormats(l.spec)))},
		Responses:  responses, Security: b.security(l.spec),
	}
	if twin {
		operation.Parameters = append(operation.Parameters, &oasParameter{
			Name: "Prefer", In: "header", Description: "respond-async asks for an export instead.", Schema: &oasSchema{Type: "string"},
		})
		responses["202"] = redirect("It was queued as an export, on respond-async.")
		problems(responses, http.StatusTooManyRequests)
	}
	variables, choosing, writing, counting := b.requestParameters(l)
	if l.spec.Own == nil {
		choosing = slices.Concat(variables, choosing)
		operation.Parameters = slices.Concat(operation.Parameters, writing, counting)
		b.document.Paths[l.Path] = &oasPath{Parameters: choosing, Get: operation}
	} else {
		operation.Parameters = slices.Concat(operation.Parameters, choosing, writing, counting)
		b.assetPath(l.Path).Get = operation // what is posted to the path has none of them
		choosing = slices.Concat(variables, choosing)
	}
	if offersCSV := slices.ContainsFunc(offeredFiles(l.spec), func(f fileFormat) bool { return f.format == rows.FormatCSV }); offersCSV {
		choosing = slices.Concat(choosing, writing)
	}
	return choosing, row
}

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

// requestParameters are the path's variables; the filters and the directives that choose
// rows; the directives about writing CSV; and that about counting, of which a twin takes no
// notice.
func (b *oasBuilder) requestParameters(l listed) (variables, choosing, writing, counting []*oasParameter) {
	var examples map[string][]string
	var path map[string]string
	if l.example != nil {
		examples = l.example.Values()
		path, _ = matchPath(l.spec, l.example.Path())
	}
	if l.spec.Own == nil {
		for _, p := range l.PathParameters {
			variables = append(variables, pathParameter(p, path[p.Name]))
		}
		variables = b.parameters(l.Name, variables...)
	} else {
		variables = b.variables(l.Path)
		choosing = collectionParameters(l, b.server.Assets.PageSize)
	}
	for _, f := range l.Filters {
		choosing = append(choosing, filterParameters(f, examples)...)
	}
	for _, d := range l.Directives {
		switch {
		case d.Name == "_format": // each path has its own
		case d.Name == "_count":
			counting = append(counting, directiveParameter(d, examples))
		case slices.Contains(csvOptions, d.Name):
			writing = append(writing, directiveParameter(d, examples))
		default:
			choosing = append(choosing, directiveParameter(d, examples))
		}
	}
	group := l.Name
	if l.spec.Own != nil {
		group = "assets"
	}
	return variables, b.parameters(group, choosing...), b.parameters(group, writing...), counting
}

// formatParameter is _format, which each path has formats of its own for.
func formatParameter(description string, words []string) *oasParameter {
	return &oasParameter{Name: "_format", In: "query", Description: description, Schema: wordsSchema(words...)}
}

// rowsContent is what an endpoint's rows are in each format.
func (b *oasBuilder) rowsContent(l listed, row *oasSchema) map[string]oasMedia {
	content := map[string]oasMedia{}
	for _, f := range rowFormats(l.spec) {
		content[f.MediaType] = oasMedia{&oasSchema{Type: "string"}}
		switch {
		case f.Word == "json" && l.spec.Own != nil:
			content[f.MediaType] = oasMedia{b.assetRows(l, row)}
		case f.Word == "json":
			content[f.MediaType] = oasMedia{&oasSchema{
				Type: "object", Required: []string{"meta", "items"},
				Properties: map[string]*oasSchema{"meta": refSchema("Meta"), "items": {Type: "array", Items: row}},
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
