package server

// The parts of an OpenAPI 3.1 document that are used here, each named as the
// specification names it. Maps come out by name, so equal documents are equal bytes.

type oasDocument struct {
	OpenAPI    string              `json:"openapi"`
	Info       oasInfo             `json:"info"`
	Servers    []oasServer         `json:"servers"`
	Tags       []oasTag            `json:"tags"`
	Paths      map[string]*oasPath `json:"paths"`
	Components oasComponents       `json:"components"`
}

type oasInfo struct {
	Title       string `json:"title"`
	Description string `json:"description"`
	Version     string `json:"version"`
}

type oasServer struct {
	URL string `json:"url"`
}

type oasTag struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
}

// oasPath is a path item; its parameters are those of all its operations.
type oasPath struct {
	Parameters []*oasParameter `json:"parameters,omitempty"`
	Get        *oasOperation   `json:"get,omitempty"`
	Head       *oasOperation   `json:"head,omitempty"`
	Put        *oasOperation   `json:"put,omitempty"`
	Post       *oasOperation   `json:"post,omitempty"`
	Delete     *oasOperation   `json:"delete,omitempty"`
	Options    *oasOperation   `json:"options,omitempty"`
}

type oasOperation struct {
	OperationID string                  `json:"operationId"`
	Summary     string                  `json:"summary"`
	Description string                  `json:"description,omitempty"`
	Tags        []string                `json:"tags"`
	Parameters  []*oasParameter         `json:"parameters,omitempty"`
	RequestBody *oasBody                `json:"requestBody,omitempty"`
	Responses   map[string]*oasResponse `json:"responses"`
	// Security are the ways to show a key; an empty one means none is needed.
	Security []oasSecurity `json:"security,omitempty"`
}

type oasSecurity map[string][]string

// oasParameter is a parameter, or refers to one.
type oasParameter struct {
	Ref         string     `json:"$ref,omitempty"`
	Name        string     `json:"name,omitempty"`
	In          string     `json:"in,omitempty"`
	Description string     `json:"description,omitempty"`
	Required    bool       `json:"required,omitempty"`
	Schema      *oasSchema `json:"schema,omitempty"`
	// Content is there instead of a schema where the value is a document of its own.
	Content map[string]oasMedia `json:"content,omitempty"`
	Example any                 `json:"example,omitempty"`
}

type oasBody struct {
	Description string              `json:"description,omitempty"`
	Required    bool                `json:"required,omitempty"`
	Content     map[string]oasMedia `json:"content"`
}

type oasMedia struct {
	Schema *oasSchema `json:"schema,omitempty"`
}

// oasResponse is an answer, or refers to one.
type oasResponse struct {
	Ref         string               `json:"$ref,omitempty"`
	Description string               `json:"description,omitempty"`
	Headers     map[string]oasHeader `json:"headers,omitempty"`
	Content     map[string]oasMedia  `json:"content,omitempty"`
}

type oasHeader struct {
	Description string     `json:"description"`
	Schema      *oasSchema `json:"schema"`
}

// oasSchema is a JSON Schema; the empty one takes anything.
type oasSchema struct {
	Ref string `json:"$ref,omitempty"`
	// Type is one type, or a list of them.
	Type            any                   `json:"type,omitempty"`
	Description     string                `json:"description,omitempty"`
	Format          string                `json:"format,omitempty"`
	ContentEncoding string                `json:"contentEncoding,omitempty"`
	Pattern         string                `json:"pattern,omitempty"`
	Enum            []any                 `json:"enum,omitempty"`
	Default         any                   `json:"default,omitempty"`
	Minimum         *int64                `json:"minimum,omitempty"`
	Maximum         *int64                `json:"maximum,omitempty"`
	Items           *oasSchema            `json:"items,omitempty"`
	Properties      map[string]*oasSchema `json:"properties,omitempty"`
	Required        []string              `json:"required,omitempty"`
	// Additional is false where no other properties are, else their schema.
	Additional any          `json:"additionalProperties,omitempty"`
	AnyOf      []*oasSchema `json:"anyOf,omitempty"`
	AllOf      []*oasSchema `json:"allOf,omitempty"`
}

type oasComponents struct {
	Schemas         map[string]*oasSchema    `json:"schemas"`
	Parameters      map[string]*oasParameter `json:"parameters,omitempty"`
	Responses       map[string]*oasResponse  `json:"responses"`
	SecuritySchemes map[string]oasScheme     `json:"securitySchemes,omitempty"`
}

type oasScheme struct {
	Type        string `json:"type"`
	Scheme      string `json:"scheme,omitempty"`
	In          string `json:"in,omitempty"`
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`
}
