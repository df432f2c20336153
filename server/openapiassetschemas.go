package server

import (
	"maps"
	"reflect"

	"slashbatch/assets"
	"slashbatch/internal/problem"
)

// columnShapes are what columns are whose types in PostgreSQL say less than is known, and
// the properties of members that are posted by the same names.
var columnShapes = map[string]*oasSchema{
	"family":           wordsSchema("I", "T", "F"),
	"status":           wordsSchema(outcomeWords...),
	"tags":             listSchema(&oasSchema{Type: "string"}),
	"roles":            listSchema(&oasSchema{Type: "string"}),
	"manifests":        listSchema(&oasSchema{Type: "string"}),
	"deliveryChannels": listSchema(refSchema("DeliveryChannel")),
	"retention":        refSchema("Retention"),
}

func listSchema(items *oasSchema) *oasSchema { return &oasSchema{Type: "array", Items: items} }

// objectSchema is an object whose members are explained under its name.
func objectSchema(name string, properties map[string]*oasSchema, required ...string) *oasSchema {
	schema := &oasSchema{Type: "object", Properties: map[string]*oasSchema{}, Required: required}
	for member, one := range properties {
		schema.Properties[member] = withDescription(one, explained(name, member))
	}
	return schema
}

// assetSchemas are the documents about assets that are no rows of a list.
func (b *oasBuilder) assetSchemas() {
	maps.Copy(b.document.Components.Schemas, assetSchemas())
}

func assetSchemas() map[string]*oasSchema {
	text, whole, url := &oasSchema{Type: "string"}, &oasSchema{Type: "integer", Format: "int64"}, &oasSchema{Type: "string", Format: "uri"}
	least := int64(0)
	count := &oasSchema{Type: "integer", Minimum: &least}
	duration := &oasSchema{AnyOf: []*oasSchema{text, count}}
	hydra := structSchema("HydraError", reflect.TypeFor[hydraError]())
	hydra.Properties["problems"] = withDescription(typeSchema("HydraError.problems", reflect.TypeFor[problem.List]()), explained("HydraError", "problems"))
	outcome := shaped(structSchema("Outcome", reflect.TypeFor[assets.Outcome]()))
	named := *outcome
	outcome.Required = []string{"status"} // the path names the member
	newMember := shaped(structSchema("Image", reflect.TypeFor[assets.Member]()))
	newMember.Required = []string{"space", "origin", "mediaType"}

	return map[string]*oasSchema{
		"HydraError": hydra,
		"View":       structSchema("View", reflect.TypeFor[assets.View]()),
		"Collection": objectSchema("Collection", map[string]*oasSchema{
			"@context": text, "@id": url, "@type": wordsSchema("Collection"), "totalItems": whole, "pageSize": whole,
			"member": listSchema(&oasSchema{Type: "object"}), "view": refSchema("View"), "batch": url,
			"prunedAt": {Type: "string", Format: "date-time"}, "prunedCount": whole,
		}, "@context", "@id", "@type", "totalItems", "pageSize", "member"),
		"CustomerQueue": structSchema("CustomerQueue", reflect.TypeFor[customerQueue]()),
		"QueueSummary":  structSchema("QueueSummary", reflect.TypeFor[queueSummary]()),
		"Reconciled":    objectSchema("Reconciled", map[string]*oasSchema{"success": {Type: "boolean"}}, "success"),

		"DeliveryChannel": objectSchema("DeliveryChannel", map[string]*oasSchema{"channel": text, "policy": text}, "channel"),
		"Retention": objectSchema("Retention", map[string]*oasSchema{
			"completed": duration, "errors": duration, "superseded": duration, "keepLast": count,
		}),
		"NewCustomer": objectSchema("Customer", map[string]*oasSchema{
			"name": {Type: "string", Pattern: plainCustomer.String()}, "displayName": text, "retention": refSchema("Retention"),
		}, "name"),
		"NewSpace":  objectSchema("Space", map[string]*oasSchema{"name": text}, "name"),
		"NewMember": newMember,
		"NewBatch": objectSchema("NewBatch", map[string]*oasSchema{
			"member": listSchema(refSchema("NewMember")), "retention": refSchema("Retention"),
		}, "member"),
		"Outcome":       outcome,
		"MemberOutcome": &named,
		"Outcomes": {AnyOf: []*oasSchema{
			listSchema(refSchema("MemberOutcome")),
			objectSchema("Outcomes", map[string]*oasSchema{"member": listSchema(refSchema("MemberOutcome"))}, "member"),
		}},
		"Recorded": objectSchema("Recorded", map[string]*oasSchema{"recorded": whole, "unchanged": whole, "late": whole}, "recorded", "unchanged", "late"),
		"NewNamedQuery": objectSchema("NamedQuery", map[string]*oasSchema{
			"name": text, "template": text, "global": {Type: "boolean"},
		}, "name", "template"),
		"ChangedNamedQuery": objectSchema("NamedQuery", map[string]*oasSchema{
			"template": text, "global": {Type: "boolean"},
		}, "template"),
		"CustomerKey": objectSchema("CustomerKey", map[string]*oasSchema{"key": text}, "key"),
	}
}

// shaped gives the properties of a struct's schema the shapes of columns with their names.
func shaped(schema *oasSchema) *oasSchema {
	for name, one := range schema.Properties {
		if shape := columnShapes[name]; shape != nil {
			schema.Properties[name] = withDescription(shape, one.Description)
		}
	}
	return schema
}

// with is a schema with the members of another beside its own.
func with(schema, more *oasSchema) *oasSchema { return &oasSchema{AllOf: []*oasSchema{schema, more}} }
