package server

import (
	"fmt"
	"slices"
	"strings"

	"slashbatch/server/endpoint"
)

// collectionParameters are those that collections have beside the ones of all endpoints.
func collectionParameters(l listed, pageSize int) []*oasParameter {
	if l.Name == listQuery {
		return nil
	}
	ordering := sentences("A property, or nothing for the usual order", among(l))
	list := []*oasParameter{
		queryParameter("page", "The page, from 1. Not with _limit, _offset or _after. A twin exports that page only; without it, all.", &oasSchema{Type: "integer", Default: 1}),
		queryParameter("pageSize", fmt.Sprintf("Members of a page, at most %d; anything else means %d.", mostPageSize, pageSize), &oasSchema{Type: "integer", Default: pageSize}),
		queryParameter("orderBy", ordering+" Not with _sort.", &oasSchema{Type: "string"}),
		queryParameter("orderByDescending", ordering+" Not with _sort; orderBy goes before it.", &oasSchema{Type: "string"}),
	}
	q := &oasSchema{Type: "object", Properties: map[string]*oasSchema{}, Additional: false}
	for _, f := range l.Filters {
		if slices.Contains(collectionFilters, f.Name) {
			q.Properties[f.Name] = valueSchema(f.Type)
		}
	}
	if len(q.Properties) == 0 {
		return list
	}
	if one := q.Properties["manifests"]; one != nil {
		q.Properties["manifests"] = &oasSchema{Type: "array", Items: one, Description: "Any of them."}
	}
	return append(list, &oasParameter{
		Name: "q", In: "query", Description: "Filters as a JSON object; the same ones beside it go before them.",
		Content: map[string]oasMedia{typeJSON: {q}},
	})
}

// among tells what a collection can be ordered by.
func among(l listed) string {
	names := slices.DeleteFunc(slices.Clone(l.Sortable), func(name string) bool { return name == "asset" })
	if len(names) == 0 {
		return ""
	}
	return "One of " + strings.Join(names, ", ")
}

func queryParameter(name, description string, schema *oasSchema) *oasParameter {
	return &oasParameter{Name: name, In: "query", Description: description, Schema: schema}
}

// assetRows is what an endpoint over assets' tables answers in JSON.
func (b *oasBuilder) assetRows(l listed, row *oasSchema) *oasSchema {
	if l.Name != listQuery {
		return b.collection(b.member(l))
	}
	ids := &oasSchema{Type: "array", Items: &oasSchema{Type: "string"}, Description: "The assets' ids: customer/space/id."}
	return &oasSchema{AnyOf: []*oasSchema{ids, {Type: "array", Items: row}}}
}

// collection is a Hydra collection of such members.
func (b *oasBuilder) collection(member *oasSchema) *oasSchema {
	return &oasSchema{AllOf: []*oasSchema{refSchema("Collection"), {
		Type: "object", Properties: map[string]*oasSchema{"member": {Type: "array", Items: member}},
	}}}
}

// memberSchemas are the names of what the members of lists are.
var memberSchemas = map[string]string{
	listCustomers: "Customer", listSpaces: "Space", listQueries: "NamedQuery",
	listBatches: "Batch", listActive: "Batch", listRecent: "Batch", listAssetBatches: "BatchAsset",
	listImages: "Image", listBatchImages: "Image", listBatchAssets: "BatchMember", listWork: "Work",
}

// memberOf is a member of a list, by the list's name.
func (b *oasBuilder) memberOf(list string) *oasSchema {
	return b.member(b.server.list(b.server.assetList(list), caller{}, ""))
}

// member is a member of a list as memberSink writes it: its columns, but for NULLs, and its
// links. Lists whose members are the same have one schema.
func (b *oasBuilder) member(l listed) *oasSchema {
	name := memberSchemas[l.Name]
	if b.document.Components.Schemas[name] == nil {
		b.document.Components.Schemas[name] = memberSchema(l)
	}
	return refSchema(name)
}

func memberSchema(l listed) *oasSchema {
	kind := resources[l.Name]
	schema := &oasSchema{
		Type: "object", Required: []string{"@context", "@id", "@type"},
		Properties: map[string]*oasSchema{
			"@context": {Type: "string", Description: "What the names mean."},
			"@id":      {Type: "string", Format: "uri", Description: "Where it is."},
			"@type":    {Type: "string", Enum: []any{"vocab:" + kind.class}},
		},
	}
	for _, c := range memberColumns(l) {
		if slices.Contains(kind.hidden, c.Name) {
			continue
		}
		one := columnShapes[c.Name]
		if one == nil {
			one = withoutNull(columnSchema(c))
		}
		schema.Properties[c.Name] = withDescription(one, explained(kind.class, c.Name))
		if c.Name == l.spec.Key || c.Name == "id" {
			schema.Required = append(schema.Required, c.Name)
		}
	}
	if kind.links == nil {
		return schema
	}
	// Links that are there without any column are always there.
	for _, l := range kind.links("1", "/own", func(string) string { return "1" }) {
		schema.Properties[l[0]] = &oasSchema{Type: "string", Format: "uri", Description: explained(kind.class, l[0])}
	}
	for _, l := range kind.links("1", "/own", func(string) string { return "" }) {
		if l[1] != "" {
			schema.Required = append(schema.Required, l[0])
		}
	}
	return schema
}

// memberColumns are the columns that members are made of; none while nobody has asked the
// database.
func memberColumns(l listed) []endpoint.ColumnDocument {
	for _, name := range []string{viewHydra, endpoint.DefaultView} {
		for _, v := range l.Views {
			if v.Name == name {
				return v.Columns
			}
		}
	}
	return nil
}

// withoutNull is the schema of a column whose NULLs are left out.
func withoutNull(schema *oasSchema) *oasSchema {
	if types, several := schema.Type.([]string); several {
		types = slices.DeleteFunc(slices.Clone(types), func(one string) bool { return one == "null" })
		schema.Type = types
		if len(types) == 1 {
			schema.Type = types[0]
		}
	}
	for _, one := range schema.AnyOf {
		withoutNull(one)
	}
	return schema
}

// withDescription is a schema with what it says of itself.
func withDescription(schema *oasSchema, description string) *oasSchema {
	described := *schema
	described.Description = description
	return &described
}
