package endpoint

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostKeyBytes bounds a key, which becomes part of object names.
const mostKeyBytes = 200

// Key returns the request's name: equal for requests for the same rows in the
// same form, different for all others. Format and control parameters are not in it.
//
//	packages~AB-01~label=a~label=b~min-mass=1000~_limit=5@0d3c…
//
// It is the endpoint's name, the path's values, filters, directives and the
// user, joined by ~; names and values are percent-encoded so that no ~, = or @
// is theirs. Behind the @ are 32 hexadecimal digits of a digest over all this
// and Endpoint.Digest, which also keeps keys apart that differ only in case. A
// key over 200 bytes is cut, and one with sensitive values is only the name;
// then the digest has 64 digits and alone tells requests apart.
func (r *Request) Key() string {
	readable := strings.Join(r.components(), "~")
	sum := sha256.Sum256([]byte(r.Endpoint.digest + r.digest + "\n" + readable))
	digest := hex.EncodeToString(sum[:])
	if r.Sensitive() {
		return encode(r.Endpoint.Spec.Name) + "@" + digest
	}
	if key := readable + "@" + digest[:32]; len(key) <= mostKeyBytes {
		return key
	}
	cut := mostKeyBytes - len(digest) - 1
	// Do not cut a percent-encoded byte in two.
	if i := strings.LastIndexByte(readable[:cut], '%'); i > cut-3 {
		cut = i
	}
	return readable[:cut] + "@" + digest
}

// components are the parts of a key. A filter's name never begins with _, so
// that it cannot be taken for a directive; a path value has no =.
func (r *Request) components() []string {
	parts := []string{encode(r.Endpoint.Spec.Name)}
	for _, name := range r.Endpoint.Spec.Variables() {
		parts = append(parts, encode(r.vars[name].shown))
	}
	for _, p := range r.pairs() {
		parts = append(parts, encode(p.name)+"="+encode(p.value))
	}
	if r.Endpoint.Spec.Scope == ScopeUser {
		parts = append(parts, UserParameter+"="+encode(r.user))
	}
	return parts
}

// encode percent-encodes all but letters, digits, - . and _.
func encode(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < 0x80 && c != '$' && wordByte(c) || c == '-' || c == '.' {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}

// pair is one canonical parameter.
type pair struct {
	name, value string
	sensitive   bool
}

// pairs are the canonical parameters in order: filters by name and value, then
// _view, _sort, _limit, _offset, _after where they are not the defaults.
func (r *Request) pairs() []pair {
	var pairs []pair
	for _, f := range r.filters {
		if f.fixed {
			continue
		}
		for _, v := range f.values {
			pairs = append(pairs, pair{f.name(), v, f.property.sensitive})
		}
	}
	if r.View != DefaultView {
		pairs = append(pairs, pair{name: paramView, value: r.View})
	}
	for _, o := range r.sorts {
		if r.unsorted {
			break
		}
		pairs = append(pairs, pair{name: paramSort, value: o.String()})
	}
	if r.limit != nil {
		pairs = append(pairs, pair{name: paramLimit, value: strconv.FormatInt(*r.limit, 10)})
	}
	if r.offset > 0 {
		pairs = append(pairs, pair{name: paramOffset, value: strconv.FormatInt(r.offset, 10)})
	}
	if r.after != nil {
		pairs = append(pairs, pair{paramAfter, r.cursor(r.after), r.cursorSensitive()})
	}
	return pairs
}

// Sensitive reports whether the request carries a value that its spec wants
// kept out of keys, file names and logs.
func (r *Request) Sensitive() bool {
	for _, p := range r.Endpoint.parameters {
		if p.sensitive {
			return true
		}
	}
	for _, f := range r.filters {
		if f.property.sensitive {
			return true
		}
	}
	return r.cursorSensitive()
}

// cursorSensitive reports whether the request has a cursor with such a value.
func (r *Request) cursorSensitive() bool {
	return r.after != nil && slices.ContainsFunc(r.terms(), func(o order) bool { return o.property.sensitive })
}

// Digest returns a digest of everything in the endpoint that decides which
// rows a request means and how they look: path template, query, key, columns,
// properties, views, the batch's row limit and data source. A changed endpoint has other keys.
func (e *Endpoint) Digest() string { return e.digest }

func (e *Endpoint) computeDigest() string {
	type column struct{ Name, Type string }
	type declared struct{ Type, Match string }
	type contents struct {
		Path, Query, Key string
		Columns          []column
		Properties       map[string]declared
		Views            map[string][]string
		BatchLimit       int64
		Source           string
	}
	s := e.Spec
	c := contents{Path: s.Path, Query: s.Query, Key: s.Key, Properties: map[string]declared{}, Views: s.Views, BatchLimit: s.Batch.HardLimit, Source: s.Batch.DataSource}
	for _, col := range e.columns {
		// Type names rather than OIDs: those of an enum differ between a
		// database and its copy.
		c.Columns = append(c.Columns, column{col.Name, col.TypeName})
	}
	for name, p := range s.Properties {
		c.Properties[name] = declared{p.Type, p.Match}
	}
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // Strings and numbers only.
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}
