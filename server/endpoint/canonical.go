package endpoint

import (
	"net/url"
	"strings"
)

// Values returns the canonical parameters, without control parameters. The
// order of repeated values is canonical; that of _sort is its meaning.
func (r *Request) Values() url.Values {
	values := url.Values{}
	for _, p := range r.pairs() {
		values.Add(p.name, p.value)
	}
	return values
}

// Canonical returns Values as a query string, sorted by name; empty when the
// request has no parameters. Parsing it gives an equal request.
func (r *Request) Canonical() string { return r.Values().Encode() }

// Redacted is Canonical for logs: sensitive values are replaced by ***.
func (r *Request) Redacted() string {
	values := url.Values{}
	for _, p := range r.pairs() {
		if p.sensitive {
			p.value = "***"
		}
		values.Add(p.name, p.value)
	}
	return values.Encode()
}

// Path returns the request's canonical path, escaped, without a trailing slash.
func (r *Request) Path() string { return r.path(false) }

// RedactedPath is Path for logs: sensitive variables are replaced by ***.
func (r *Request) RedactedPath() string { return r.path(true) }

func (r *Request) path(redact bool) string {
	var b strings.Builder
	for _, seg := range r.Endpoint.Spec.segments {
		if seg.rest {
			if rest := r.vars[seg.text].shown; rest != "" {
				b.WriteString("/" + rest)
			}
			continue
		}
		text := seg.text
		if seg.variable {
			text = r.vars[seg.text].shown
			if redact && r.Endpoint.parameters[seg.text].sensitive {
				text = "***"
			}
		}
		b.WriteString("/" + escapeSegment(text))
	}
	return b.String()
}

// escapeSegment escapes a value for a path.
func escapeSegment(text string) string {
	// A segment of dots would be taken as a way up; %2E keeps it a value.
	if text == "." || text == ".." {
		return strings.ReplaceAll(text, ".", "%2E")
	}
	return url.PathEscape(text)
}
