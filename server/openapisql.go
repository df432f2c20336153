package server

import (
	"net/http"
	"reflect"
	"strconv"

	"slashbatch/jobs"
)

const sqlTag = "SQL jobs"

// sqlJobs describes the SQL jobs, below both of their prefixes.
func (b *oasBuilder) sqlJobs() {
	b.tag(sqlTag, "As CartoDB's batch queries have them: SQL that runs with the sender's own login.")
	job := structSchema("SQLJob", reflect.TypeFor[sqlDocument]())
	b.document.Components.Schemas["SQLJob"] = job
	b.document.Components.Schemas["SQLError"] = &oasSchema{
		Type: "object", Required: []string{"error"},
		Properties: map[string]*oasSchema{"error": {Type: "array", Items: &oasSchema{Type: "string"}}},
	}
	b.document.Components.Schemas["SQLDefinition"] = sqlDefinition()
	version := &oasParameter{Name: "version", In: "path", Required: true, Description: "Any.", Schema: &oasSchema{Type: "string"}, Example: "v2"}
	user := &oasParameter{Name: "user", In: "path", Required: true, Description: "Whose key it is.", Schema: &oasSchema{Type: "string"}}
	b.sqlPaths("/api/{version}", "sqlJobs", version)
	b.sqlPaths("/user/{user}/api/{version}", "sqlJobsOfUser", user, version)
}

func sqlDefinition() *oasSchema {
	text := &oasSchema{Type: "string"}
	return &oasSchema{
		Type: "object", Required: []string{"query"},
		Properties: map[string]*oasSchema{
			"query": {
				Description: "A statement, a list of statements or of objects with query, onsuccess, onerror and repeatable, or an object with such a list as its query.",
				AnyOf:       []*oasSchema{text, {Type: "array", Items: &oasSchema{Type: []string{"string", "object"}}}, {Type: "object"}},
			},
			"onsuccess": {Type: "string", Description: "Runs when all is done."},
			"onerror":   {Type: "string", Description: "Runs when a statement has failed."},
		},
	}
}

func (b *oasBuilder) sqlPaths(prefix, id string, parameters ...*oasParameter) {
	one := append(parameters[:len(parameters):len(parameters)], &oasParameter{
		Name: "id", In: "path", Required: true, Description: "The job's id.", Schema: &oasSchema{Type: "string"},
	})
	job := oasMedia{refSchema("SQLJob")}
	list := oasMedia{&oasSchema{Type: "array", Items: refSchema("SQLJob")}}
	csv := oasMedia{&oasSchema{Type: "string"}}
	query := func(name, description string, schema *oasSchema) *oasParameter {
		return &oasParameter{Name: name, In: "query", Description: description, Schema: schema}
	}

	create := sqlOperation(id+".create", "Send a job", http.StatusCreated, map[string]oasMedia{typeJSON: job}, http.StatusRequestEntityTooLarge)
	create.RequestBody = &oasBody{Required: true, Content: map[string]oasMedia{}}
	for _, mediaType := range []string{typeJSON, typeForm, typeMultipart} {
		create.RequestBody.Content[mediaType] = oasMedia{refSchema("SQLDefinition")}
	}
	index := sqlOperation(id+".list", "The caller's jobs, newest first", http.StatusOK, map[string]oasMedia{typeJSON: list, "text/csv": csv})
	index.Parameters = []*oasParameter{
		query("status", "Jobs of this status only.", wordsSchema(jobs.SQLStatuses...)),
		query("limit", "Most jobs, "+strconv.Itoa(pageSize)+" unless it is given, "+strconv.Itoa(maxPage)+" at most.", &oasSchema{Type: "integer"}),
		query("cursor", "As the Link header of the page before has it.", &oasSchema{Type: "string"}),
		query("format", "csv, or anything else for JSON.", &oasSchema{Type: "string"}),
	}
	index.Responses["200"].Headers = map[string]oasHeader{"Link": {"The next page, rel=next.", &oasSchema{Type: "string"}}}
	b.document.Paths[prefix+"/sql/job"] = &oasPath{Parameters: parameters, Get: index, Post: create}

	b.document.Paths[prefix+"/sql/job/{id}"] = &oasPath{
		Parameters: one,
		Get:        sqlOperation(id+".show", "How a job stands", http.StatusOK, map[string]oasMedia{typeJSON: job}),
		Delete:     sqlOperation(id+".cancel", "Cancel a job", http.StatusOK, map[string]oasMedia{typeJSON: job}),
	}
	b.document.Paths[prefix+"/sql/job/{id}/result"] = &oasPath{
		Parameters: one,
		Get:        sqlOperation(id+".result", "The rows of a job that is done", http.StatusOK, map[string]oasMedia{"text/csv": csv}),
	}
	running := oasMedia{&oasSchema{Type: "object", Description: "Ids of running jobs, by user."}}
	b.document.Paths[prefix+"/jobs-wip"] = &oasPath{
		Parameters: parameters,
		Get:        sqlOperation(id+".running", "The caller's running jobs", http.StatusOK, map[string]oasMedia{typeJSON: running}),
	}
}

// sqlOperation has the errors that all of them have, in CartoDB's form.
func sqlOperation(id, summary string, success int, content map[string]oasMedia, more ...int) *oasOperation {
	o := &oasOperation{
		OperationID: id, Summary: summary, Tags: []string{sqlTag},
		Responses: map[string]*oasResponse{strconv.Itoa(success): {Description: http.StatusText(success) + ".", Content: content}},
		Security:  []oasSecurity{{"basic": {}}, {"bearer": {}}, {"api_key": {}}},
	}
	refused := map[string]oasMedia{typeJSON: {refSchema("SQLError")}}
	for _, status := range append(more, http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusServiceUnavailable) {
		o.Responses[strconv.Itoa(status)] = &oasResponse{Description: http.StatusText(status) + ".", Content: refused}
	}
	return o
}
