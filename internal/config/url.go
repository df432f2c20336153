package config

import (
	"net/url"
	"strings"
)

// hidden stands where a secret was.
const hidden = "xxxxx"

// URL is a URL that may hold a password. It prints, logs and marshals without
// it; only Reveal gives the whole.
type URL string

// Reveal returns the URL with its secrets, for the one who connects.
func (u URL) Reveal() string { return string(u) }

// String returns the URL with its secrets hidden.
func (u URL) String() string { return Redact(string(u)) }

// GoString is String, so that %#v hides secrets too.
func (u URL) GoString() string { return u.String() }

// MarshalText is String, so that YAML, JSON and log/slog hide secrets too.
func (u URL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// Scheme returns what stands before the colon, which chooses a backend.
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(string(u), ":")
	return scheme
}

// Redact returns a URL with its password, and parameters that look like
// secrets, as xxxxx. What cannot be read as a URL is hidden whole.
func Redact(raw string) string {
	if raw == "" {
		return ""
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return hidden
	}
	if u.User == nil && strings.Contains(raw, "@") {
		return hidden // a password with a bare / ? or # ends up anywhere
	}
	if u.RawQuery != "" {
		params := strings.Split(u.RawQuery, "&")
		for i, p := range params {
			if name, _, ok := strings.Cut(p, "="); ok && secretParam(name) {
				params[i] = name + "=" + hidden
			}
		}
		u.RawQuery = strings.Join(params, "&")
	}
	return u.Redacted()
}

func secretParam(name string) bool {
	if n, err := url.QueryUnescape(name); err == nil {
		name = n
	}
	name = strings.ToLower(name)
	for _, word := range []string{"pass", "pwd", "secret", "token", "key", "credential", "auth"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}
