package server

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"slashbatch/assets"

	gocmp "github.com/google/go-cmp/cmp"
)

// Callers without a key are told of all paths of assets, even where nothing else is for them;
// a server without assets has none.
func TestOpenAPITellsOfAssets(t *testing.T) {
	assetPaths := func(document []byte) (paths []string) {
		var d struct {
			Paths map[string]any
			Tags  []oasTag
		}
		if err := json.Unmarshal(document, &d); err != nil {
			t.Fatal(err)
		}
		for path := range d.Paths {
			first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
			if slices.Contains([]string{"customers", "queue", "raw-resource"}, first) {
				paths = append(paths, path)
			}
		}
		slices.Sort(paths)
		return paths
	}
	if got := assetPaths(openapiOf(t, describedServer(t), "a-key")); len(got) > 0 {
		t.Errorf("without assets there are %v", got)
	}
	if text := openapiOf(t, describedServer(t), "a-key"); bytes.Contains(text, []byte("Hydra")) {
		t.Error("without assets there are their schemas")
	}
	all := assetPaths(openapiOf(t, assetServer(t, func(*Options) {}), "a-key"))
	if !slices.Contains(all, "/customers/{customer}/queue") || !slices.Contains(all, "/raw-resource/{customer}/{name}/{_args}/batch/status") {
		t.Errorf("there are only %v", all)
	}
	for name, change := range map[string]func(*Options){
		"something is public": func(*Options) {},
		"nothing is":          func(o *Options) { o.AnonymousEnabled = false },
		"there is nothing":    withoutEndpoints,
	} {
		if diff := gocmp.Diff(all, assetPaths(openapiOf(t, assetServer(t, change), ""))); diff != "" {
			t.Errorf("%s: -to a user +to nobody in particular:\n%s", name, diff)
		}
	}
}

// Paths of customers need a key, but for the sums of the queues, and for named queries where
// those are everybody's.
func TestOpenAPISecurityOfAssets(t *testing.T) {
	for _, public := range []bool{false, true} {
		document, err := valid(openapiOf(t, assetServer(t, func(o *Options) {
			withoutEndpoints(o)
			o.Users, o.Assets.PublicQueries = nil, public
		}), ""))
		if err != nil {
			t.Fatal(err)
		}
		for path, item := range document.Paths.Map() {
			for method, operation := range item.Operations() {
				raw := strings.HasPrefix(path, "/raw-resource/")
				if !raw && !strings.HasPrefix(path, "/customers") || method == http.MethodOptions {
					if path == "/queue" && operation.Security != nil {
						t.Errorf("%s %s needs a key", method, path)
					}
					continue
				}
				var ways []string
				for _, way := range *operation.Security {
					name := ""
					for name = range way {
					}
					ways = append(ways, name)
				}
				want := []string{"basic", "bearer"}
				if raw && public {
					want = append([]string{""}, want...)
				}
				if !slices.Equal(ways, want) {
					t.Errorf("%s %s: %v, want %v", method, path, ways, want)
				}
			}
		}
		for _, scheme := range []string{"basic", "bearer"} {
			if document.Components.SecuritySchemes[scheme] == nil {
				t.Errorf("there is no %s", scheme)
			}
		}
	}
}

// While the database has not told about its columns, the paths are described without them.
func TestOpenAPIOfAssetsThatAreAway(t *testing.T) {
	s := assetServer(t, func(o *Options) { o.Registry = NewRegistry() })
	document, err := valid(openapiOf(t, s, "a-key"))
	if err != nil {
		t.Fatal(err)
	}
	if document.Paths.Value("/customers/{customer}/queue/batches/batch") == nil {
		t.Error("there is no twin")
	}
	if batch := document.Components.Schemas["Batch"].Value; batch.Properties["count"] != nil || batch.Properties["images"] == nil {
		t.Errorf("a batch has %v", batch.Properties)
	}
}

// Every member of the documents about assets is explained, and nothing else.
func TestAssetMembersAreExplained(t *testing.T) {
	seen := map[string]bool{}
	walk := func(at string, schema *oasSchema) { walkMembers(t, seen, at, schema) }
	for name, schema := range assetSchemas() {
		explainedAs := map[string]string{
			"NewCustomer": "Customer", "NewSpace": "Space", "NewNamedQuery": "NamedQuery", "ChangedNamedQuery": "NamedQuery",
			"NewMember": "Image", "MemberOutcome": "Outcome",
		}
		walk(cmp.Or(explainedAs[name], name), schema)
	}
	s := assetServer(t, func(*Options) {})
	for list := range memberSchemas {
		schema := memberSchema(s.list(s.assetList(list), caller{}, ""))
		for _, always := range []string{"@context", "@id", "@type"} {
			delete(schema.Properties, always)
		}
		walk(resources[list].class, schema)
	}
	for name := range assetMembers {
		if !seen[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// The members of a batch and the columns of CSV are the same.
func TestOpenAPIMembersAreColumns(t *testing.T) {
	line := `{"member": [{"space": 1, "origin": "o", "mediaType": "image/png", "family": "I", "string1": "x", "tags": ["t"], "deliveryChannels": [{"channel": "c"}]}]}`
	posting, problems := assets.ParseMembers([]byte(line), assets.Rules{})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	text, err := json.Marshal(posting.Members[0])
	if err != nil {
		t.Fatal(err)
	}
	var sent map[string]any
	if err := json.Unmarshal(text, &sent); err != nil {
		t.Fatal(err)
	}
	schema := assetSchemas()["NewMember"]
	for name := range sent {
		if schema.Properties[name] == nil {
			t.Errorf("the document has no %s", name)
		}
	}
	var header []string
	for name := range schema.Properties {
		header = append(header, name)
	}
	_, problems = assets.ParseMembersCSV([]byte(strings.Join(header, ",")+"\n"), assets.Rules{})
	for _, p := range problems {
		if p.Path != "member" { // there is none
			t.Error(p)
		}
	}
}

// An endpoint that is named as a group shares its tag.
func TestOpenAPITagsAreUnique(t *testing.T) {
	s := assetServer(t, func(o *Options) {
		for _, spec := range o.Specs {
			if spec.Name == "away" {
				spec.Name = tagCustomers
			}
		}
	})
	document, err := valid(openapiOf(t, s, "a-key"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, tag := range document.Tags {
		if seen[tag.Name] {
			t.Errorf("%s is there twice", tag.Name)
		}
		seen[tag.Name] = true
	}
	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			for _, tag := range operation.Tags {
				if !seen[tag] {
					t.Errorf("%s %s: there is no tag %s", method, path, tag)
				}
			}
		}
	}
}

// A key that may be a customer's is looked up; others do not need the store.
func TestOpenAPIWithoutTheStore(t *testing.T) {
	s := assetServer(t, func(*Options) {})
	for key, want := range map[string]int{"a-key": http.StatusOK, "": http.StatusOK, "a-customer's": http.StatusServiceUnavailable} {
		if w := askHandler(s, s.openapi, http.MethodGet, key); w.Code != want {
			t.Errorf("%q: %d, want %d", key, w.Code, want)
		}
	}
}
