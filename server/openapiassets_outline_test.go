package server

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

// outlined is a document in brief: a line for each operation, and the schemas.
type outlined struct {
	Paths   map[string]map[string]string `json:"paths"`
	Schemas map[string]*oasSchema        `json:"schemas"`
}

// outline has of each operation its tag, its parameters but for those of single properties,
// what is sent, and what is answered.
func outline(document *oasDocument) (o outlined) {
	o.Paths = map[string]map[string]string{}
	describe := func(path string, item *oasPath, method string, operation *oasOperation) {
		if operation == nil || strings.HasPrefix(path, linkPath) || operation.Tags[0] == "Health" {
			return
		}
		var parameters, sent, answers []string
		for _, p := range slices.Concat(item.Parameters, operation.Parameters) {
			if name, shared := strings.CutPrefix(p.Ref, "#/components/parameters/"); shared {
				p = document.Components.Parameters[name]
			}
			if describedColumn(strings.TrimPrefix(p.Name, "exists-")) && p.In == "query" || strings.HasPrefix(p.Name, "m") && strings.Contains(p.Name, "-") {
				continue
			}
			parameters = append(parameters, p.In+":"+p.Name)
		}
		if operation.RequestBody != nil {
			sent = slices.Sorted(maps.Keys(operation.RequestBody.Content))
		}
		for status, response := range operation.Responses {
			for mediaType, media := range response.Content {
				if mediaType == typeJSON {
					text, _ := json.Marshal(media.Schema)
					status += " " + strings.ReplaceAll(string(text), `"`, "")
				}
			}
			answers = append(answers, status)
		}
		slices.Sort(answers)
		if o.Paths[path] == nil {
			o.Paths[path] = map[string]string{}
		}
		o.Paths[path][method] = strings.Join([]string{operation.Tags[0], strings.Join(parameters, " "), strings.Join(sent, " "), strings.Join(answers, ", ")}, " | ")
	}
	for path, item := range document.Paths {
		for method, operation := range map[string]*oasOperation{
			"get": item.Get, "head": item.Head, "post": item.Post, "put": item.Put, "delete": item.Delete, "options": item.Options,
		} {
			describe(path, item, method, operation)
		}
	}
	o.Schemas = maps.Clone(document.Components.Schemas)
	maps.DeleteFunc(o.Schemas, func(name string, _ *oasSchema) bool {
		return slices.Contains([]string{"Problem", "Meta", "Status", "Link"}, name) || strings.HasPrefix(name, "assets.")
	})
	return o
}

func describedColumn(name string) bool {
	for _, columns := range describedLists {
		if strings.Contains(" "+columns, " "+name+" ") {
			return true
		}
	}
	return false
}

// The whole would be too long to be read.
func TestOpenAPIOfAssetsGolden(t *testing.T) {
	s := assetServer(t, withoutEndpoints)
	if !bytes.Equal(openapiOf(t, s, ""), openapiOf(t, assetServer(t, withoutEndpoints), "")) {
		t.Error("the same document came out differently")
	}
	var brief bytes.Buffer
	encoder := json.NewEncoder(&brief)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(outline(s.openapiDocument(nil, "https://data.example/x"))); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/openapi-assets.json", brief.Bytes())
}
