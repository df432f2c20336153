// Package carto reads and shows the definitions of SQL jobs, in all the forms in
// which clients of CartoDB's batch queries write them. It is pure: bytes, HTTP and
// queues are its caller's.
//
// These forms there are, each with "repeatable" and fallbacks ("onsuccess",
// "onerror") or without:
//
//	{"query": "…"}                            simple
//	{"query": ["…", {"query": "…"}]}          several, texts and objects in any mixture
//	{"query": {"query": ["…", {"query": "…"}]}}  nested
//
// Parse turns any of them into one Definition. What the client wrote is kept in
// it, so that Echo can show it as written, with how each step stands.
package carto
