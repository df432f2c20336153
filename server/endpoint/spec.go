package endpoint

import (
	"regexp"
	"slices"
	"time"

	"slashbatch/internal/problem"
)

// Spec is one declared read endpoint. This struct is the manual of the YAML
// form: a field's YAML name is its Go name with a small first letter. Specs
// come from Decode, which fills in the defaults; they are not changed afterwards.
type Spec struct {
	// File is where the spec was read from; not a YAML field.
	File string

	// Name identifies the endpoint in keys, metrics and lists: a letter, then
	// letters, digits, - and _, at most 63. Required, unique.
	Name string

	// Path is the template of its URL path: "/stream/{stream}/package". A
	// variable takes one whole segment; what it admits is said in
	// PathParameters. Literal segments are made of letters, digits, - . _ ~.
	// Required. The service's own prefixes (Reserved) and paths that would be
	// somebody's batch twin are refused.
	Path string

	// Description says to readers of the endpoint list what the rows are.
	Description string

	// Example is a request to try, path and query: "/stream/AB-01/package?min-mass=1000".
	// It is checked like a client's request.
	Example string

	// DataSource names the data source interactive requests run on. Defaults to
	// "default". "user" is the caller's own data source and needs Scope "user".
	DataSource string

	// Query is one SELECT (or WITH … SELECT, VALUES, TABLE) without a
	// semicolon. {name} outside of quotes and comments is the path parameter of
	// that name, {_user} the caller's name (needs Scope "user"); both are always
	// bound, never inserted. Required.
	Query string

	// Key is a column of the query that is unique and sortable. It breaks the
	// ties of every order, so that paging neither skips nor repeats. Required.
	Key string

	// PathParameters says more about the variables of Path. One that is not
	// listed admits any value of the type PostgreSQL finds for it.
	PathParameters map[string]PathParameter

	// Properties says more about columns of the query, or about places inside
	// its json columns ("attrs.colour"). One that is not listed is taken as
	// PostgreSQL describes it.
	Properties map[string]Property

	// Views are named choices of columns, in order; _view chooses one.
	// "default" is what a request without _view gets. Defaults to all columns.
	Views map[string][]string

	// SoftLimit is the rows an interactive request without _limit gets.
	// Defaults to 100, or HardLimit where that is less.
	SoftLimit int64

	// HardLimit is the most rows an interactive request may get; a greater
	// _limit is capped. Defaults to 10000, or SoftLimit where that is more.
	HardLimit int64

	// Formats are the words of the interactive formats offered: json, csv,
	// ndjson, html. Empty, the default, means every one the server writes.
	Formats []string

	// MaxAge is the Cache-Control of interactive answers. Defaults to 60s;
	// 0 means that nothing may be kept without asking.
	MaxAge time.Duration

	// Access says who may ask: public, authenticated, or a list of user names.
	// Defaults to public, and to authenticated where Scope is "user".
	Access Access

	// Scope is "shared" (the default): equal requests of all users share one
	// result; or "user": the user is part of the request's key, and the query
	// may use {_user} or a data source "user". Scope user excludes public access.
	Scope string

	// Batch describes the /batch twin.
	Batch Batch

	// Own is of the service's own endpoints; nil for declared ones. Not a YAML field.
	Own *Own

	// Warnings are no reason to refuse the spec, but worth a reader's eye.
	// Not a YAML field.
	Warnings problem.List

	segments []segment
	patterns map[string]*regexp.Regexp
	query    *query
}

// PathParameter describes one variable of the path.
type PathParameter struct {
	// Type is string (or text), int, numeric, bool, date, timestamp or uuid.
	// Defaults to what PostgreSQL takes the parameter for in the query.
	Type string
	// Pattern is a regular expression (RE2) that the whole decoded value must
	// match, in the canonical form of its type: an int without leading zeros, a
	// uuid in small letters. Defaults to anything.
	Pattern string
	// Description is for readers.
	Description string
	// Sensitive keeps the value out of keys, file names, messages and logs.
	Sensitive bool
}

// Property describes one column, or one place inside a json column.
type Property struct {
	// Type must agree with the column's: string (or text), int, numeric, bool,
	// date, timestamp, uuid, json. Defaults to the column's. For a place inside a
	// jsonb column it chooses how values compare: string (the default), int,
	// numeric or bool.
	Type string
	// Description is for readers, with the unit.
	Description string
	// Filterable says whether it may be used in filters. Defaults to true, except for bytea.
	Filterable *bool
	// Sortable says whether _sort may name it. Defaults to whether its type has
	// an order. Cursors of pages in that order hold its values, also where the
	// view does not show it. PostgreSQL orders composite types and domains over
	// enums, but does not compare them with a cursor's text: give false, or
	// cast them in the query.
	Sortable *bool
	// Match says how a text filter compares: exact (the default), prefix,
	// contains, any, or fulltext. The last finds the words of a web search ("quoted
	// phrase", or, -without) as they stand, in no language's grammar; it is
	// also for tsvector columns. any is for arrays of text: the rows that have any of
	// the given values. What an index must have to help is
	// to_tsvector('simple', column), or the tsvector column itself; and where
	// texts may be long, only a column is safe: PostgreSQL makes no tsvector of
	// a text with a megabyte of different words, so that the query would fail.
	Match string
	// Sensitive keeps filter values, and cursors in its order, out of keys, file
	// names, messages and logs.
	Sensitive bool
}

// Access says who may ask. Exactly one of its fields is set.
type Access struct {
	// Public admits anybody.
	Public bool
	// Authenticated admits every known key.
	Authenticated bool
	// Users admits these.
	Users []string
	// Customer admits the customer that the path's {customer} names, and admins; for the
	// service's own endpoints only.
	Customer bool
}

// Batch describes the /batch twin of an endpoint.
type Batch struct {
	// Enabled offers the twin. Defaults to true.
	Enabled bool
	// DataSource is where batch queries run. Defaults to the endpoint's.
	DataSource string
	// StepsDataSource is where OnSuccess and OnError run, which may write.
	// Defaults to the endpoint's DataSource.
	StepsDataSource string
	// ContentType is the media type of the file that is served when no _format
	// is given. Defaults to text/csv.
	ContentType string
	// Estimate is how long a run is thought to take until runs have told.
	// Defaults to 60000 (ms).
	Estimate time.Duration
	// Formats are the words of the file formats offered: csv, json, ndjson,
	// parquet, xlsx. Empty, the default, means every one the server writes.
	Formats []string
	// MaxAge is how long a result answers its request. Defaults to 0: the
	// service's retention of results.
	MaxAge time.Duration
	// HardLimit is the most rows a batch may have: true for the endpoint's own
	// hard limit, or a number. Defaults to 0, no limit. The
	// field holds the number that results.
	HardLimit int64
	// Retry is the extra attempts before Failed. Defaults to nil: the service's
	// batch.process.retry.
	Retry *int64
	// Links lets callers mint public aliases of results. Defaults to true, and
	// to false where Scope is "user".
	Links bool
	// OnSuccess and OnError are SQL run after the rows were published, or the
	// run failed. Default to none.
	OnSuccess, OnError string
}

// The words of Spec.Scope.
const (
	ScopeShared = "shared"
	ScopeUser   = "user"
)

// UserSource is the data source name that means the caller's own login role.
const UserSource = "user"

// UserParameter is the query placeholder {_user}.
const UserParameter = "_user"

// Sources returns the names of the data sources the spec refers to, UserSource
// among them, each once, for the configuration to check.
func (s *Spec) Sources() []string {
	var names []string
	for _, name := range []string{s.DataSource, s.Batch.DataSource, s.Batch.StepsDataSource} {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// Admits reports whether the user may ask this endpoint; an anonymous caller
// has the empty name.
func (a Access) Admits(user string) bool {
	return a.Public || user != "" && (a.Authenticated || slices.Contains(a.Users, user))
}
