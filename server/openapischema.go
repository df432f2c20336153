package server

import (
	"encoding/json"
	"reflect"
	"strings"

	"slashbatch/jobs"
)

// structSchema is what a struct is as JSON, with what members says of its members; name
// is what they are listed under there. Members that may be missing are not required.
// Further members may come in later versions.
func structSchema(name string, t reflect.Type) *oasSchema {
	schema := &oasSchema{Type: "object", Properties: map[string]*oasSchema{}}
	addMembers(schema, name, t)
	return schema
}

func addMembers(schema *oasSchema, name string, t reflect.Type) {
	for field := range t.Fields() {
		member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && member == "":
			addMembers(schema, name, field.Type)
			continue
		case member == "-":
			continue
		}
		one := typeSchema(name+"."+member, field.Type)
		one.Description = explained(name, member)
		schema.Properties[member] = one
		if !strings.Contains(options, "omitempty") && !strings.Contains(options, "omitzero") {
			schema.Required = append(schema.Required, member)
		}
	}
}

// typeSchema is what a Go type is as JSON.
func typeSchema(name string, t reflect.Type) *oasSchema {
	switch t {
	case reflect.TypeFor[json.RawMessage]():
		return &oasSchema{}
	case reflect.TypeFor[jobs.Word]():
		return wordsSchema(jobs.WordPending, jobs.WordInProgress, jobs.WordCompleted, jobs.WordFailed, jobs.WordCancelled, jobs.WordUnknown)
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeSchema(name, t.Elem())
	case reflect.Struct:
		return structSchema(name, t)
	case reflect.Map:
		return &oasSchema{Type: "object", Additional: typeSchema(name, t.Elem())}
	case reflect.Slice:
		return &oasSchema{Type: "array", Items: typeSchema(name, t.Elem())}
	case reflect.Bool:
		return &oasSchema{Type: "boolean"}
	case reflect.Int32:
		return &oasSchema{Type: "integer", Format: "int32"}
	case reflect.Int, reflect.Int64:
		return &oasSchema{Type: "integer", Format: "int64"}
	case reflect.Float64:
		return &oasSchema{Type: "number"}
	}
	return &oasSchema{Type: "string"}
}

func wordsSchema[T any](words ...T) *oasSchema {
	schema := &oasSchema{Type: "string"}
	for _, word := range words {
		schema.Enum = append(schema.Enum, word)
	}
	return schema
}

// explained says what a member of a schema is.
func explained(schema, member string) string {
	at := schema + "." + member
	if text := members[at]; text != "" {
		return text
	}
	return assetMembers[at]
}

// members says what the members of answers mean, each under its schema's name and its own.
var members = map[string]string{
	"Meta.@id":       "The URL of this request.",
	"Meta.limit":     "The most rows of this answer.",
	"Meta.offset":    "How many rows were skipped.",
	"Meta.capped":    "Fewer rows than _limit asked for are given: the endpoint's hard limit is less.",
	"Meta.count":     "How many rows there are without limit, when _count asked.",
	"Meta.countIs":   "exact or estimated, as _count asked.",
	"Meta.next":      "The page after this one, if there is one.",
	"Meta.hasFormat": "The same request in each format.",
	"Meta.batch":     "The same request as an export.",

	"Status.key":             "Names the request: equal requests have equal keys.",
	"Status.status":          "How it stands. Unknown comes with 404 only.",
	"Status.url":             "Where the file is, once there is one.",
	"Status.positionInQueue": "0 is running, 1 the next to start.",
	"Status.eta":             "Milliseconds until it is complete.",
	"Status.started":         "When the run began, Unix time in milliseconds.",
	"Status.id":              "The job, told to those who wait for it.",
	"Status.submitted":       "When it was asked for, Unix time in milliseconds.",
	"Status.finished":        "When the run ended, Unix time in milliseconds.",
	"Status.attempt":         "Which attempt it is, from 1.",
	"Status.rows":            "Rows so far, or of the file.",
	"Status.bytes":           "Bytes so far, or of the file, uncompressed.",
	"Status.progress":        "From 0 to 1, where the number of rows can be estimated.",
	"Status.error":           "Why it failed.",
	"Status.generated":       "When the rows were read.",
	"Status.expires":         "Until when the file answers this request.",
	"Status.sha256":          "Checksum of the uncompressed file.",
	"Status.links":           "Where to go on.",
	"Status.links.status":    "This status.",
	"Status.links.result":    "The file.",
	"Status.links.cancel":    "What DELETE cancels.",
	"Status.links.formats":   "The same rows in the other formats, each by its word in _format.",

	"Link.url":           "Whoever knows it may read the result, without a key.",
	"Link.expires":       "Until when it leads there.",
	"Link.token":         "The secret that takes the link away, told only here.",
	"Link.links":         "Where to go on.",
	"Link.links.formats": "The link in each format, by its extension.",

	"Problem.type":            "about:blank: the status says what it is.",
	"Problem.title":           "The status in words.",
	"Problem.status":          "The HTTP status.",
	"Problem.detail":          "What is wrong, and what would be right.",
	"Problem.problems":        "The parameters at fault.",
	"Problem.problems.name":   "The parameter.",
	"Problem.problems.reason": "What is wrong with it, and what would be right.",
	"Problem.statusUrl":       "The status of the export in question.",
	"Problem.batchUrl":        "The same request as an export, which may take longer.",
	"Problem.timestamp":       "When this was answered.",
	"Problem.error":           "As title.",
	"Problem.message":         "The detail, and all problems.",
	"Problem.path":            "The path that was asked for.",

	"SQLJob.user":                   "Whose job it is.",
	"SQLJob.query":                  "As it was sent; steps that are objects with how each stands.",
	"SQLJob.onsuccess":              "As it was sent.",
	"SQLJob.onerror":                "As it was sent.",
	"SQLJob.repeatable":             "As it was sent.",
	"SQLJob.job_id":                 "The job's id.",
	"SQLJob.created_at":             "When it was sent.",
	"SQLJob.updated_at":             "When its status last changed.",
	"SQLJob.status":                 "How it stands.",
	"SQLJob.fallback_status":        "How its own onsuccess or onerror stands.",
	"SQLJob.failed_reason":          "Why it failed.",
	"SQLJob.fallback_failed_reason": "Why its fallback failed.",
}
