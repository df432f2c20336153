package server

import (
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"

	"slashbatch/server/endpoint"
)

// openapi describes what the caller may ask here as an OpenAPI 3.1 document. The paths of
// assets are no secret: callers without a key are told of them even where the endpoints are
// not for them, and so are customers, whose keys say nothing about endpoints.
func (s *Server) openapi(w http.ResponseWriter, r *http.Request) error {
	asks := r
	if _, err := s.caller(r); err != nil && s.Assets.Store != nil {
		if _, err := s.assetCaller(r); err != nil {
			return err
		}
		asks = r.Clone(r.Context())
		asks.Header.Del("Authorization")
	}
	list, err := s.listed(w, asks)
	if err != nil && (s.Assets.Store == nil || asks.Header.Get("Authorization") != "") {
		return err
	}
	return writeTagged(w, r, s.openapiDocument(list, s.base(r)))
}

func (s *Server) openapiDocument(list []listed, base string) *oasDocument {
	b := &oasBuilder{server: s, document: &oasDocument{
		OpenAPI: "3.1.1",
		Info: oasInfo{
			Title: "slashbatch", Version: version(), Description: "Rows of databases, at once or as an export.",
		},
		Servers: []oasServer{{URL: base}},
		Paths:   map[string]*oasPath{},
		Components: oasComponents{
			Schemas: map[string]*oasSchema{
				"Problem": structSchema("Problem", reflect.TypeFor[problemDocument]()),
				"Meta":    structSchema("Meta", reflect.TypeFor[meta]()),
			},
			Parameters: map[string]*oasParameter{},
			Responses:  map[string]*oasResponse{},
		},
	}}
	for _, l := range list {
		request, row := b.read(l)
		if s.offersBatch(l.spec) {
			b.twin(l, request, row)
		}
	}
	if s.SQLEnabled {
		b.sqlJobs()
	}
	if s.Assets.Store != nil {
		b.assets(base)
	}
	b.links()
	b.health()
	b.securitySchemes()
	return b.document
}

// oasBuilder puts a document together.
type oasBuilder struct {
	server   *Server
	document *oasDocument
}

// tag adds a tag. One that is there already, as of an endpoint with the name of a group, is
// not added again.
func (b *oasBuilder) tag(name, description string) {
	if !slices.ContainsFunc(b.document.Tags, func(t oasTag) bool { return t.Name == name }) {
		b.document.Tags = append(b.document.Tags, oasTag{Name: name, Description: description})
	}
}

// componentName is what names of components may be made of.
var componentName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// freeName is a name in the components that none there has, or that has the same already.
func freeName[V any](taken map[string]V, name string, component V) string {
	name = componentName.ReplaceAllString(name, "_")
	free := name
	for n := 2; ; n++ {
		if other, ok := taken[free]; !ok || reflect.DeepEqual(other, component) {
			return free
		}
		free = name + "." + strconv.Itoa(n)
	}
}

// parameters puts an endpoint's parameters into the components, under its name or that of
// a group that shares them, and returns what refers to them: several paths have them.
func (b *oasBuilder) parameters(endpoint string, list ...*oasParameter) []*oasParameter {
	components := b.document.Components.Parameters
	var refs []*oasParameter
	for _, p := range list {
		name := freeName(components, endpoint+"."+p.Name, p)
		components[name] = p
		refs = append(refs, &oasParameter{Ref: "#/components/parameters/" + name})
	}
	return refs
}

// schema puts a schema into the components, and returns what refers to it.
func (b *oasBuilder) schema(name string, schema *oasSchema) *oasSchema {
	name = freeName(b.document.Components.Schemas, name, schema)
	b.document.Components.Schemas[name] = schema
	return refSchema(name)
}

func refSchema(name string) *oasSchema { return &oasSchema{Ref: "#/components/schemas/" + name} }

// problemReasons says when an error is answered, by its status.
var problemReasons = map[int]string{
	http.StatusBadRequest:                   "A parameter was not understood; each problem is told with its parameter.",
	http.StatusUnauthorized:                 "A key is needed, or the one given is not known.",
	http.StatusForbidden:                    "This is not for the key that was given.",
	http.StatusNotFound:                     "There is no such thing.",
	http.StatusNotAcceptable:                "There is no such format here, or these rows do not fit it.",
	http.StatusConflict:                     "There is no result yet; the status, whose URL is told, says how it stands.",
	http.StatusGone:                         "Records of batches that it needs were pruned.",
	http.StatusRequestTimeout:               "The body did not arrive in time.",
	http.StatusRequestEntityTooLarge:        "The body or the request is too long.",
	http.StatusUnsupportedMediaType:         "The body is neither a form nor JSON.",
	http.StatusRequestedRangeNotSatisfiable: "The file is shorter than the range begins.",
	http.StatusTooManyRequests:              "Too many exports of the caller are waiting; nothing was queued.",
	http.StatusInternalServerError:          "Something went wrong; where it is about an export, detail says what.",
	http.StatusServiceUnavailable:           "A database or a store cannot be reached, or the export is not ready yet.",
	http.StatusGatewayTimeout:               "The query took longer than an interactive request may.",
}

// addsProblems adds errors to the answers of an operation, in one of their forms.
type addsProblems func(responses map[string]*oasResponse, statuses ...int)

// problems adds errors to the answers of an operation.
func (b *oasBuilder) problems(responses map[string]*oasResponse, statuses ...int) {
	for _, status := range statuses {
		b.errorAnswer(responses, "Problem", status, problemReasons[status], problemContent())
	}
}

// errorAnswer adds an error of one form, which is described once for all operations.
func (b *oasBuilder) errorAnswer(responses map[string]*oasResponse, form string, status int, reason string, content map[string]oasMedia) {
	name := form + strconv.Itoa(status)
	if b.document.Components.Responses[name] == nil {
		response := &oasResponse{Description: reason, Content: content}
		if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
			response.Headers = map[string]oasHeader{"Retry-After": {"Seconds after which trying again makes sense.", &oasSchema{Type: "integer"}}}
		}
		b.document.Components.Responses[name] = response
	}
	responses[strconv.Itoa(status)] = &oasResponse{Ref: "#/components/responses/" + name}
}

// accessProblems are the errors about who asks.
func (b *oasBuilder) accessProblems(problems addsProblems, responses map[string]*oasResponse, spec *endpoint.Spec) {
	problems(responses, http.StatusUnauthorized)
	if len(spec.Access.Users) > 0 || slices.Contains(spec.Sources(), endpoint.UserSource) {
		problems(responses, http.StatusForbidden)
	}
}

// security are the ways to show a key to an endpoint.
func (b *oasBuilder) security(spec *endpoint.Spec) []oasSecurity {
	ways := []oasSecurity{{"basic": {}}, {"bearer": {}}}
	switch {
	case spec.Access.Customer && spec.Name == listQuery && b.server.Assets.PublicQueries && b.server.AnonymousEnabled:
		return append([]oasSecurity{{}}, ways...)
	case spec.Access.Customer:
		return ways // of customers, who have keys even if there are no users
	case len(b.server.Users) == 0:
		return nil
	case spec.Access.Public && b.server.AnonymousEnabled:
		return append([]oasSecurity{{}}, ways...) // a key is taken, not needed
	}
	return ways
}

func (b *oasBuilder) securitySchemes() {
	schemes := map[string]oasScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "The token of a link, to take that away."},
	}
	b.document.Components.SecuritySchemes = schemes
	if len(b.server.Users) == 0 && b.server.Assets.Store == nil {
		return
	}
	whose := "The user's name"
	if b.server.Assets.Store != nil {
		whose = "The name of the user or the customer"
	}
	schemes["basic"] = oasScheme{Type: "http", Scheme: "basic", Description: whose + ", and a key as the password."}
	schemes["bearer"] = oasScheme{Type: "http", Scheme: "bearer", Description: "A key."}
	if b.server.SQLEnabled {
		schemes["api_key"] = oasScheme{Type: "apiKey", In: "query", Name: "api_key", Description: "A key, for SQL jobs only."}
	}
}

// health describes what operators' probes ask.
func (b *oasBuilder) health() {
	states := &oasSchema{Type: "object"}
	answer := func(description string) *oasResponse {
		return &oasResponse{Description: description, Content: map[string]oasMedia{"application/json": {states}}}
	}
	b.tag("Health", "")
	b.document.Paths["/healthz"] = &oasPath{Get: &oasOperation{
		OperationID: "healthz", Summary: "Is the process alive?", Tags: []string{"Health"},
		Responses: map[string]*oasResponse{"200": answer("It is.")},
	}}
	b.document.Paths["/readyz"] = &oasPath{Get: &oasOperation{
		OperationID: "readyz", Summary: "Do all dependencies answer?", Tags: []string{"Health"},
		Responses: map[string]*oasResponse{"200": answer("All do."), "503": answer("Those that are down are named.")},
	}}
}
