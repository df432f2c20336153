package server

import (
	"net/http"
	"reflect"
)

const linksTag = "Links"

// mintLink describes the making of a link to the result of a request.
func (b *oasBuilder) mintLink(l listed) *oasOperation {
	if b.document.Components.Schemas["Link"] == nil {
		b.document.Components.Schemas["Link"] = structSchema("Link", reflect.TypeFor[linkDocument]())
	}
	responses := map[string]*oasResponse{"201": {
		Description: "The link, and the token that takes it away, which is told only here.",
		Content:     map[string]oasMedia{typeJSON: {refSchema("Link")}},
		Headers:     map[string]oasHeader{"Location": {"The link.", &oasSchema{Type: "string", Format: "uri"}}},
	}}
	b.problems(responses, http.StatusForbidden, http.StatusConflict, http.StatusRequestTimeout, http.StatusUnsupportedMediaType)
	o := b.operation(l, "mintLink", "Have a link made to the result", responses)
	o.Description = "Whoever knows the link may read the result, without a key. There has to be one: nothing is queued."
	o.RequestBody = parametersBody()
	return o
}

// links describes what can be done with a link.
func (b *oasBuilder) links() {
	b.tag(linksTag, "Results under names that their users pass on.")
	file := fileResponse(fileFormats, &oasSchema{Type: "object"})
	file.Headers["Referrer-Policy"] = oasHeader{"no-referrer: the URL is the right to read.", &oasSchema{Type: "string"}}
	found := map[string]*oasResponse{"200": file, "206": partOf(file), "304": {Description: "The file is the one that the client has."}}
	b.mayRedirect(found)
	b.problems(found, http.StatusBadRequest, http.StatusNotFound, http.StatusNotAcceptable, http.StatusRequestedRangeNotSatisfiable,
		http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	ready := map[string]*oasResponse{"200": {Description: "There is a file.", Headers: file.Headers}}
	b.problems(ready, http.StatusBadRequest, http.StatusNotFound, http.StatusNotAcceptable, http.StatusInternalServerError, http.StatusServiceUnavailable)
	gone := map[string]*oasResponse{
		"204": {Description: "There is no such link, or no longer."},
		"401": {Description: "The link's token is needed.", Content: problemContent()},
		"403": {Description: "This is not the link's token; nothing was changed.", Content: problemContent()},
	}
	b.problems(gone, http.StatusInternalServerError, http.StatusServiceUnavailable)

	text, truth, least := &oasSchema{Type: "string"}, &oasSchema{Type: "boolean"}, int64(0)
	option := func(name, description string, schema *oasSchema) *oasParameter {
		return &oasParameter{Name: name, In: "query", Description: description, Schema: schema}
	}
	options := []*oasParameter{
		option("_delimiter", "Between the values of CSV.", wordsSchema("comma", "semicolon", "tab")),
		option("_bom", "CSV begins with a byte order mark.", truth),
		option("_safe", "Texts of CSV that a spreadsheet would run as a formula are neutralised.", truth),
	}
	wait := option("_wait", "Seconds to wait for a file that is not made yet.", &oasSchema{Type: "integer", Minimum: &least})
	operation := func(id, summary, description string, responses map[string]*oasResponse, parameters ...*oasParameter) *oasOperation {
		return &oasOperation{
			OperationID: id, Summary: summary, Description: description, Tags: []string{linksTag}, Parameters: parameters, Responses: responses,
		}
	}
	drop := operation("link.drop", "Take a link away", "Only this link: the result and other links to it stay.", gone)
	drop.Security = []oasSecurity{{"token": {}}}
	b.document.Paths[linkPath+"{alias}"] = &oasPath{
		Parameters: []*oasParameter{{
			Name: "alias", In: "path", Required: true, Schema: text,
			Description: "The link's name, and the extension of a format, which is .csv unless it is there.",
		}},
		Get:    operation("link.result", "The result of a link", "A file that is not made yet is made, and waited for.", found, append(options, wait)...),
		Head:   operation("link.ready", "Is the file there? Nothing is made", "", ready, options...),
		Delete: drop,
	}
}

func problemContent() map[string]oasMedia {
	return map[string]oasMedia{"application/problem+json": {refSchema("Problem")}, "text/html": {&oasSchema{Type: "string"}}}
}
