package server

import (
	"net/http"
	"reflect"
)

// twin describes the façade: the same request, with the parameters that choose its rows,
// as an export.
func (b *oasBuilder) twin(l listed, choosing []*oasParameter) {
	if b.document.Components.Schemas["Status"] == nil {
		b.document.Components.Schemas["Status"] = structSchema("Status", reflect.TypeFor[statusDocument]())
	}
	shared := append(choosing[:len(choosing):len(choosing)], formatParameter(fileFormats(l.spec)))
	path := l.Path + b.server.BatchPath
	wait, fresh, job := controlParameters()
	b.document.Paths[path] = &oasPath{
		Parameters: shared,
		Get:        b.export(l, wait, fresh),
		Head:       b.exportReady(l),
		Post:       b.requestExport(l, fresh),
		Delete:     b.leaveExport(l, job),
	}
	b.document.Paths[path+"/status"] = &oasPath{Parameters: shared, Get: b.exportStatus(l, fresh, job)}
	b.document.Paths[path+"/cancel"] = &oasPath{Parameters: shared, Post: b.cancelExport(l, job)}
}

func controlParameters() (wait, fresh, job *oasParameter) {
	least := int64(0)
	return &oasParameter{Name: "_wait", In: "query", Description: "Seconds to wait for the file.", Schema: &oasSchema{Type: "integer", Minimum: &least}},
		&oasParameter{Name: "_fresh", In: "query", Description: "Asks for rows read anew.", Schema: &oasSchema{Type: "boolean"}},
		&oasParameter{Name: "_job", In: "query", Description: "The job's id, which callers without a key need.", Schema: &oasSchema{Type: "string"}}
}

// operation is one of a twin, with the errors that all of them have.
func (b *oasBuilder) operation(l listed, id, summary string, responses map[string]*oasResponse, parameters ...*oasParameter) *oasOperation {
	b.accessProblems(responses, l.spec)
	b.problems(responses, http.StatusBadRequest, http.StatusNotAcceptable, http.StatusRequestEntityTooLarge, http.StatusInternalServerError, http.StatusServiceUnavailable)
	return &oasOperation{
		OperationID: l.Name + "." + id, Summary: summary, Tags: []string{l.Name},
		Parameters: parameters, Responses: responses, Security: b.security(l.spec),
	}
}

func (b *oasBuilder) export(l listed, parameters ...*oasParameter) *oasOperation {
	file := b.file(l)
	part := &oasResponse{Description: "The part of the file that Range asks for.", Content: file.Content}
	responses := map[string]*oasResponse{
		"200": file, "206": part, "303": redirect("It is not ready: it is queued, and the status says how it stands."),
		"304": {Description: "The file is the one that the client has."},
	}
	b.problems(responses, http.StatusNotFound, http.StatusRequestedRangeNotSatisfiable, http.StatusTooManyRequests)
	o := b.operation(l, "export", "All rows as a file", responses, parameters...)
	o.Description = "The file when it is ready; else it is queued, unless it is already. With _wait the answer is the file or an error, never the status."
	return o
}

// file is an export that is ready.
func (b *oasBuilder) file(l listed) *oasResponse {
	text := &oasSchema{Type: "string"}
	r := &oasResponse{Description: "The file.", Content: map[string]oasMedia{}, Headers: map[string]oasHeader{
		"Content-Disposition": {"The file's name.", text}, "ETag": {"Of this file.", text},
		"Accept-Ranges": {"Parts of the file can be asked for.", text},
	}}
	for _, f := range fileFormats(l.spec) {
		r.Content[f.MediaType] = oasMedia{text}
	}
	return r
}

func (b *oasBuilder) exportReady(l listed) *oasOperation {
	ready := b.file(l)
	responses := map[string]*oasResponse{"200": {Description: "There is a file.", Headers: ready.Headers}}
	b.problems(responses, http.StatusNotFound)
	return b.operation(l, "exportReady", "Is the file ready? Nothing is queued", responses)
}

func (b *oasBuilder) requestExport(l listed, parameters ...*oasParameter) *oasOperation {
	responses := map[string]*oasResponse{"303": redirect("It is queued, or ready: the status says which.")}
	b.problems(responses, http.StatusRequestTimeout, http.StatusUnsupportedMediaType, http.StatusTooManyRequests)
	o := b.operation(l, "requestExport", "Have all rows exported", responses, parameters...)
	more := oasMedia{&oasSchema{Type: "object", Description: "Names and values, or lists of values."}}
	o.RequestBody = &oasBody{
		Description: "Parameters, as in the query and beside those there.",
		Content:     map[string]oasMedia{typeForm: more, typeJSON: more},
	}
	return o
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
