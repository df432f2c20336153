package endpoint

import "time"

// Document is what readers are told about an endpoint: its entry on the home
// page, and its part of the OpenAPI document. It holds nothing but what the
// spec and the database say: no value that a request carried, and no name of a user.
type Document struct {
	Name        string
	Path        string
	Description string
	// Example is a request to try, path and query; empty when the spec has none.
	Example string
	// PathParameters are in the order of the path.
	PathParameters []PathParameterDocument
	// Filters are in the order of the columns, each followed by the places that
	// are declared inside it.
	Filters []FilterDocument
	// Sortable are the names that _sort takes, without the - for descending, in
	// the same order.
	Sortable []string
	// Directives are the parameters that begin with _, in the order to tell them.
	Directives []DirectiveDocument
	// Views has DefaultView first, then the others by name.
	Views []ViewDocument
	// Formats are the interactive formats that the spec admits; the server
	// offers those of them that it writes.
	Formats []Format
	// SoftLimit is the number of rows without _limit, HardLimit the most there are.
	SoftLimit, HardLimit int64
	// MaxAge is how long an interactive answer may be kept.
	MaxAge time.Duration
	// Access is a word of AccessPublic, AccessAuthenticated and AccessNamed.
	Access string
	// Scope is ScopeShared or ScopeUser.
	Scope string
	Batch BatchDocument
}

// The words of Document.Access.
const (
	AccessPublic        = "public"
	AccessAuthenticated = "authenticated"
	// AccessNamed means users that the spec names. Who they are is not told.
	AccessNamed = "named"
)

// PathParameterDocument describes a variable of the path.
type PathParameterDocument struct {
	Name string
	// Type is string, int, numeric, bool, date, timestamp or uuid.
	Type string
	// Expected is a phrase for what a value looks like.
	Expected string
	// Pattern is a regular expression (RE2) that the whole value matches; empty
	// when there is none.
	Pattern     string
	Description string
	Sensitive   bool
}

// FilterDocument describes what rows can be chosen by: a column, or a declared
// place inside a json column.
type FilterDocument struct {
	// Name is the property's: a parameter is an operator's prefix and this.
	Name string
	// Type is string, int, numeric, bool, date, timestamp, uuid or json.
	Type string
	// Expected is a phrase for what a value looks like.
	Expected    string
	Description string
	// Operators are those that it has, in this order: "=", which is the bare
	// name and may be repeated, and the prefixes "min-", "max-", "mineq-",
	// "maxeq-", "exists-". The value of exists- is true or false.
	Operators []string
	// Match is how = compares: MatchExact, MatchPrefix, MatchContains or MatchFulltext.
	Match string
	// Places tells that it is json, and that any place inside it, Name.a.b, has
	// = for its text and exists-, declared or not.
	Places    bool
	Sensitive bool
}

// DirectiveDocument describes a parameter that begins with _.
type DirectiveDocument struct {
	Name        string
	Description string
	// Type is string, int or bool.
	Type string
	// Expected is a phrase for what a value looks like.
	Expected string
	// Words are all the values there are, where they can be listed; those of
	// _format are of the formats that the server writes.
	Words      []string
	Repeatable bool
}

// ViewDocument describes a choice of columns.
type ViewDocument struct {
	Name    string
	Columns []ColumnDocument
}

// ColumnDocument describes one column of the rows.
type ColumnDocument struct {
	Column
	// Type is string, int, numeric, bool, date, timestamp, uuid or json. It is
	// string where PostgreSQL's type has no other word, as arrays; the OID tells them.
	Type        string
	Description string
}

// BatchDocument describes the batch twin.
type BatchDocument struct {
	// Enabled tells that the spec has a twin; the other fields are empty otherwise.
	Enabled bool
	// ContentType is that of a file asked for without _format.
	ContentType string
	// Formats are those that the spec admits; the server offers those that it writes.
	Formats []Format
	// HardLimit is the most rows a file has; 0 means all there are.
	HardLimit int64
}

// Document describes the endpoint for readers.
func (e *Endpoint) Document() Document {
	s := e.Spec
	d := Document{
		Name: s.Name, Path: s.Path, Description: s.Description, Example: s.Example,
		Directives: e.directives(),
		Formats:    offered(s.Formats, func(f Format) bool { return f.Interactive }),
		SoftLimit:  s.SoftLimit, HardLimit: s.HardLimit, MaxAge: s.MaxAge,
		Access: s.Access.word(), Scope: s.Scope,
	}
	for _, name := range s.Variables() {
		p, declared := e.parameters[name], s.PathParameters[name]
		d.PathParameters = append(d.PathParameters, PathParameterDocument{
			Name: name, Type: p.types[0].kind.word(), Expected: p.types[0].expected(),
			Pattern: declared.Pattern, Description: declared.Description, Sensitive: p.sensitive,
		})
	}
	for _, p := range e.inOrder() {
		if p.filterable {
			d.Filters = append(d.Filters, p.document())
		}
		if p.sortable {
			d.Sortable = append(d.Sortable, p.name)
		}
	}
	d.Views = []ViewDocument{e.viewDocument(DefaultView)}
	for _, name := range sortedKeys(e.views) {
		if name != DefaultView {
			d.Views = append(d.Views, e.viewDocument(name))
		}
	}
	if b := s.Batch; b.Enabled {
		d.Batch = BatchDocument{
			Enabled: true, ContentType: b.ContentType, HardLimit: b.HardLimit,
			Formats: offered(b.Formats, func(f Format) bool { return f.Batch }),
		}
	}
	return d
}

// document describes the filters of one property.
func (p *property) document() FilterDocument {
	d := FilterDocument{
		Name: p.name, Type: p.typ.kind.word(), Expected: p.typ.expected(), Description: p.declared.Description,
		Match: p.match, Places: p.typ.kind == JSON && p.path == nil, Sensitive: p.sensitive,
	}
	for _, op := range p.operators() {
		word := string(op)
		if op == equal {
			word = "="
		}
		d.Operators = append(d.Operators, word)
	}
	return d
}

func (e *Endpoint) viewDocument(name string) ViewDocument {
	d := ViewDocument{Name: name}
	for _, c := range e.views[name] {
		p := e.properties[c.Name]
		d.Columns = append(d.Columns, ColumnDocument{Column: c, Type: p.typ.kind.word(), Description: p.declared.Description})
	}
	return d
}

// word returns the spec's type word for a kind.
func (k Kind) word() string {
	switch k {
	case Float:
		return string(Numeric)
	case TimestampTZ:
		return string(Timestamp)
	case Bytes, Other:
		return string(Text)
	}
	return string(k)
}

func (a Access) word() string {
	switch {
	case a.Public:
		return AccessPublic
	case a.Authenticated:
		return AccessAuthenticated
	}
	return AccessNamed
}

// offered returns the formats that a spec names, or all that fit when it names none.
func offered(words []string, fits func(Format) bool) []Format {
	var list []Format
	if len(words) == 0 {
		for _, f := range formats {
			if fits(f) {
				list = append(list, f)
			}
		}
	}
	for _, word := range words {
		if f, ok := formatByWord(word); ok {
			list = append(list, f)
		}
	}
	return list
}
