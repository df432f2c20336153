// Package endpoint turns what an operator declared and what a client asked into
// what a database is sent. It is pure: no files, no network, no HTTP, no driver.
//
//	YAML ── Decode ──▶ Spec ── Probe ──▶ (the database describes it)
//	                     │                        │
//	                     └──────── Compile ◀──────┘
//	                                  │
//	path variables, query ── Endpoint.Parse ──▶ Request ──▶ Interactive, Page, Batch, Count, Rows: SQL and bound arguments
//	                                                   ├──▶ Key, Canonical, Path, FileName
//	                       the last row of a page ─────┴──▶ Cursor, Next
//
// # What holds
//
// No byte a client sends reaches SQL text. The text of a statement is made of
// the spec's query, column names that PostgreSQL described, and words written
// in this package; it depends only on which parameters were given, whether one
// or several values, on the words of exists-, _sort and _view, each of which
// is compared with a known list first, and on which values of _after are NULL.
// Everything else is a bound argument.
//
// A value is checked against the type that PostgreSQL will give it, range
// included, so that a request which parses does not fail in the database for
// its parameters' sake. Values of a cursor are not: they came from the database,
// and a digest says so.
//
// Pages that follow each other's cursors are, one behind the other, the rows
// in their order, each once; rows that come or change in between are met or not.
//
// Equal requests have equal keys: parameters are sorted, repeated values counted
// once, every value is written in one canonical way, and what equals the
// endpoint's defaults is dropped. Different requests have different keys.
//
// Every stage reports all its problems at once, each with its place.
package endpoint
