package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The checks below say what would be right. None of them repeats a URL or a
// key; of a URL that cannot be read not even the reason is told, since
// net/url puts pieces of passwords into it.

// url checks a required URL against the schemes a backend understands.
func (l *loader) url(path string, u URL, schemes ...string) (*url.URL, bool) {
	at := path + ".url"
	if place, ok := l.fromFile[at]; ok {
		at = place
	}
	if u == "" {
		if !l.given[path+".urlFile"] { // else its problem is told already
			l.add(at, "is required, here or as urlFile")
		}
		return nil, false
	}
	return l.urlAt(at, u, schemes...)
}

// urlAt checks a URL that is there.
func (l *loader) urlAt(at string, u URL, schemes ...string) (*url.URL, bool) {
	p, err := url.Parse(string(u))
	switch {
	case err != nil || p.Scheme == "":
		l.add(at, "is not a URL; it begins with %s, and / ? # @ : in a password are percent-encoded", oneOf(schemes))
	case !slices.Contains(schemes, p.Scheme):
		l.add(at, "expected a URL that begins with %s, not with %q", oneOf(schemes), p.Scheme+":")
	default:
		return p, true
	}
	return nil, false
}

// postgres checks the URL of a database.
func (l *loader) postgres(path string, u URL) {
	if p, ok := l.url(path, u, "postgres", "postgresql"); ok && p.Opaque != "" {
		l.add(path+".url", "expected postgres://user:password@host:5432/database")
	}
}

// address checks a host:port to listen on.
func (l *loader) address(path, addr string) {
	_, port, err := net.SplitHostPort(addr)
	n, perr := strconv.ParseUint(port, 10, 16)
	if err != nil || perr != nil || n > 65535 {
		l.add(path, `expected an address to listen on such as ":8080" or "127.0.0.1:9090", got %q`, addr)
	}
}

// between checks a number.
func (l *loader) between(path string, n, least, most int) {
	switch {
	case n < least:
		l.add(path, "is %d, at least %d is wanted", n, least)
	case n > most:
		l.add(path, "is %d, at most %d is possible", n, most)
	}
}

// lanesBetween checks a number for each lane.
func (l *loader) lanesBetween(path string, n Lanes, least, most int) {
	l.between(path+".export", n.Export, least, most)
	l.between(path+".sql", n.SQL, least, most)
}

// year is how long anything may be configured to take; beyond it, a unit was
// mistaken.
const year = 365 * 24 * time.Hour

// duration checks a length of time.
func (l *loader) duration(path string, d Duration, least, most time.Duration) {
	switch {
	case d <= 0 && least > 0:
		l.add(path, "is %v, a time above 0 is wanted", d)
	case d.Std() < least:
		l.add(path, "is %v, at least %v is wanted", d, Duration(least))
	case d.Std() > most:
		l.add(path, "is %v, at most %v is possible", d, Duration(most))
	}
}

// size checks a number of bytes.
func (l *loader) size(path string, s, least, most Size) {
	switch {
	case s < least:
		l.add(path, "is %v, at least %v is wanted", s, least)
	case most > 0 && s > most:
		l.add(path, "is %v, at most %v is possible", s, most)
	}
}

// word checks a value against the words there are.
func (l *loader) word(path, value string, words ...string) {
	if !slices.Contains(words, value) {
		l.add(path, "expected %s, got %q", oneOf(words), value)
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// name checks a name that appears in URLs, Redis keys and files.
func (l *loader) name(path, name string) {
	if !plainName.MatchString(name) || name == "." || name == ".." {
		l.add(path, "expected a name of at most 64 letters, digits and . _ -")
	}
}

// origin checks scheme://host[:port] of a web page.
func (l *loader) origin(path, origin string) {
	p, err := url.Parse(origin)
	if origin != "*" && (err != nil || !httpURL(p) || p.Path != "") {
		l.add(path, `expected an origin such as https://app.example.org, or "*"`)
	}
}

// httpURL reports whether p is an absolute http or https URL without login,
// query and fragment.
func httpURL(p *url.URL) bool {
	return (p.Scheme == "http" || p.Scheme == "https") && p.Hostname() != "" &&
		p.User == nil && p.RawQuery == "" && !p.ForceQuery && p.Fragment == ""
}

// oneOf joins words as "a, b or c".
func oneOf(words []string) string {
	last := len(words) - 1
	if last < 1 {
		return strings.Join(words, "")
	}
	return fmt.Sprintf("%s or %s", strings.Join(words[:last], ", "), words[last])
}
