package server

import (
	"net/http"
	"reflect"

	"slashbatch/internal/rows"
)

// twin describes the façade: the same request, with the parameters that choose its rows and
// how they are written, as an export of such rows.
func (b *oasBuilder) twin(l listed, request []*oasParameter, row *oasSchema) {
	if b.document.Components.Schemas["Status"] == nil {
		b.document.Components.Schemas["Status"] = structSchema("Status", reflect.TypeFor[statusDocument]())
	}
	format := formatParameter("The format of the file.", fileWords(offeredFiles(l.spec)))
	format.Schema.Default = usualFile(l.spec).word
	shared := append(request[:len(request):len(request)], format)
	path := l.Path + b.server.BatchPath
	wait, fresh, job := controlParameters()
	b.document.Paths[path] = &oasPath{
		Parameters: shared,
		Get:        b.export(l, row, wait, fresh),
		Head:       b.exportReady(l, row),
		Post:       b.requestExport(l, fresh),
		Delete:     b.leaveExport(l, job),
	}
	b.document.Paths[path+"/status"] = &oasPath{Parameters: shared, Get: b.exportStatus(l, fresh, job)}
	b.document.Paths[path+"/cancel"] = &oasPath{Parameters: shared, Post: b.cancelExport(l, job)}
	if l.spec.Batch.Links {
		b.document.Paths[path+"/links"] = &oasPath{Parameters: shared, Post: b.mintLink(l)}
	}
}

func controlParameters() (wait, fresh, job *oasParameter) {
	least := int64(0)
	return &oasParameter{Name: "_wait", In: "query", Description: "Seconds to wait for the file.", Schema: &oasSchema{Type: "integer", Minimum: &least}},
		&oasParameter{Name: "_fresh", In: "query", Description: "Asks for rows read anew.", Schema: &oasSchema{Type: "boolean"}},
		&oasParameter{Name: "_job", In: "query", Description: "The job's id, which callers without a key need.", Schema: &oasSchema{Type: "string"}}
}

// operation is one of a twin, with the errors that all of them have.
func (b *oasBuilder) operation(l listed, id, summary string, responses map[string]*oasResponse, parameters ...*oasParameter) *oasOperation {
	b.accessProblems(b.problems, responses, l.spec)
	b.missing(responses, l.spec)
	b.problems(responses, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable)
	return &oasOperation{
		OperationID: l.Name + "." + id, Summary: summaryOf(l, summary), Tags: []string{tagOf(l)},
		Parameters: parameters, Responses: responses, Security: b.security(l.spec),
	}
}

func (b *oasBuilder) export(l listed, row *oasSchema, parameters ...*oasParameter) *oasOperation {
	file := fileResponse(offeredFiles(l.spec), row)
	responses := map[string]*oasResponse{
		"200": file, "206": partOf(file), "303": redirect("It is not ready: it is queued, and the status says how it stands."),
		"304": {Description: "The file is the one that the client has."},
	}
	b.mayRedirect(responses)
	b.problems(responses, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests)
	o := b.operation(l, "export", "All rows as a file", responses, parameters...)
	o.Description = "The file when it is ready; else it is queued, unless it is already. With _wait the answer is the file or an error, never the status."
	return o
}

// partOf is the answer to a request for a range of a file.
func partOf(file *oasResponse) *oasResponse {
	part := &oasResponse{Description: "The part of the file that Range asks for.", Content: map[string]oasMedia{}}
	for mediaType := range file.Content {
		part.Content[mediaType] = oasMedia{} // bytes
	}
	return part
}

// mayRedirect adds the redirect to the store, where downloads are sent there.
func (b *oasBuilder) mayRedirect(responses map[string]*oasResponse) {
	if b.server.Redirect {
		responses["302"] = &oasResponse{Description: "The file is in the store, at a URL that works for a while.", Headers: map[string]oasHeader{
			"Location": {"A signed URL, for this request only.", &oasSchema{Type: "string", Format: "uri"}},
		}}
	}
}

// fileResponse is a file of such rows that is ready, in one of the formats.
func fileResponse(formats []fileFormat, row *oasSchema) *oasResponse {
	text := &oasSchema{Type: "string"}
	r := &oasResponse{Description: "The file.", Content: map[string]oasMedia{}, Headers: map[string]oasHeader{
		"Content-Disposition": {"The file's name.", text}, "ETag": {"Of this file.", text},
		"Accept-Ranges": {"Parts of the file can be asked for.", text},
	}}
	for _, f := range formats {
		media := oasMedia{text}
		switch {
		case f.packed || !(rows.Form{Format: f.format}).Gzipped():
			media = oasMedia{} // bytes
		case f.format == rows.FormatJSON:
			media = oasMedia{&oasSchema{Type: "array", Items: row}}
		}
		r.Content[f.mediaType()] = media
	}
	return r
}

func (b *oasBuilder) exportReady(l listed, row *oasSchema) *oasOperation {
	ready := fileResponse(offeredFiles(l.spec), row)
	responses := map[string]*oasResponse{"200": {Description: "There is a file.", Headers: ready.Headers}}
	b.problems(responses, http.StatusNotFound)
	return b.operation(l, "exportReady", "Is the file ready? Nothing is queued", responses)
}

func (b *oasBuilder) requestExport(l listed, parameters ...*oasParameter) *oasOperation {
	responses := map[string]*oasResponse{"303": redirect("It is queued, or ready: the status says which.")}
	b.problems(responses, http.StatusRequestTimeout, http.StatusUnsupportedMediaType, http.StatusTooManyRequests)
	o := b.operation(l, "requestExport", "Have all rows exported", responses, parameters...)
	o.RequestBody = parametersBody()
	return o
}

func parametersBody() *oasBody {
	more := oasMedia{&oasSchema{Type: "object", Description: "Names and values, or lists of values."}}
	return &oasBody{
		Description: "Parameters, as in the query and beside those there.",
		Content:     map[string]oasMedia{typeForm: more, typeJSON: more},
	}
}

func (b *oasBuilder) leaveExport(l listed, parameters ...*oasParameter) *oasOperation {
	responses := map[string]*oasResponse{"200": statusResponse("How it stands now.")}
	b.problems(responses, http.StatusNotFound)
	o := b.operation(l, "leaveExport", "Stop waiting for the file", responses, parameters...)
	o.Description = "The export is cancelled when nobody else waits for it."
	return o
}

func (b *oasBuilder) exportStatus(l listed, parameters ...*oasParameter) *oasOperation {
	known := statusResponse("How it stands.")
	known.Headers = map[string]oasHeader{
		"ETag":        {"Of this status, leaving out the time that is left.", &oasSchema{Type: "string"}},
		"Retry-After": {"Seconds after which asking again makes sense, until the status is final.", &oasSchema{Type: "integer"}},
	}
	responses := map[string]*oasResponse{
		"200": known, "404": statusResponse("It was not asked for."),
		"304": {Description: "It stands as the client knows."},
	}
	o := b.operation(l, "exportStatus", "How the export stands", responses, parameters...)
	o.Description = "Looking queues nothing."
	return o
}

func statusResponse(description string) *oasResponse {
	return &oasResponse{Description: description, Content: map[string]oasMedia{
		"application/json": {refSchema("Status")}, "text/html": {&oasSchema{Type: "string"}},
	}}
}

func (b *oasBuilder) cancelExport(l listed, parameters ...*oasParameter) *oasOperation {
	responses := map[string]*oasResponse{"303": redirect("Nobody waits for it on the caller's behalf any more.")}
	b.problems(responses, http.StatusForbidden, http.StatusNotFound)
	o := b.operation(l, "cancelExport", "Stop waiting, for forms", responses, parameters...)
	o.Description = "For the forms of this service's own pages. Programs send DELETE."
	return o
}
