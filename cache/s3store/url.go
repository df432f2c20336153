package s3store

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"slashbatch/cache"
)

// knownOptions are the options of a store URL, see the package comment.
var knownOptions = []string{"endpoint", "path_style", "region"}

// maxPrefix leaves room for a name of 512 bytes in a key of 1,024.
const maxPrefix = 500

// target is what a store URL says.
type target struct {
	bucket    string
	prefix    string // of every key: empty, or ending with a slash
	region    string
	endpoint  string
	pathStyle bool
}

// parseURL reads a store URL. Its errors repeat options and never the whole
// URL, into which somebody may have put a password.
func parseURL(u *url.URL) (target, error) {
	switch {
	case u.Scheme != "s3":
		return target{}, fmt.Errorf("s3 store: the scheme is %q, not s3", u.Scheme)
	case u.User != nil:
		return target{}, errors.New("s3 store: credentials do not belong in the URL; the AWS environment variables, files or roles provide them")
	case u.Host == "" || u.Opaque != "":
		return target{}, errors.New("s3 store: the URL has no bucket: s3://bucket/prefix")
	case u.Port() != "":
		return target{}, errors.New("s3 store: the URL begins with the bucket, not with a host and port; those go into the option endpoint")
	case u.Fragment != "":
		return target{}, errors.New("s3 store: the URL has a fragment")
	}
	t := target{bucket: u.Host}

	if prefix := strings.Trim(u.Path, "/"); prefix != "" {
		if !cache.ValidName(prefix) || len(prefix) > maxPrefix {
			return target{}, fmt.Errorf("s3 store: the prefix %q is not a valid object name of at most %d bytes", prefix, maxPrefix)
		}
		t.prefix = prefix + "/"
	}

	options, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, errors.New("s3 store: the options of the URL cannot be read")
	}
	for name, values := range options {
		if !slices.Contains(knownOptions, name) {
			return target{}, fmt.Errorf("s3 store: unknown option %q in the URL; there are %s", name, strings.Join(knownOptions, ", "))
		}
		if len(values) > 1 {
			return target{}, fmt.Errorf("s3 store: the option %s is there %d times", name, len(values))
		}
	}
	t.region = options.Get("region")
	if options.Has("endpoint") {
		if t.endpoint, err = parseEndpoint(options.Get("endpoint")); err != nil {
			return target{}, err
		}
	}
	if options.Has("path_style") {
		if t.pathStyle, err = strconv.ParseBool(options.Get("path_style")); err != nil {
			return target{}, fmt.Errorf("s3 store: path_style is %q, not true or false", options.Get("path_style"))
		}
	}
	return t, nil
}

func parseEndpoint(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", errors.New("s3 store: the endpoint is not a URL")
	}
	if u.User != nil {
		return "", errors.New("s3 store: credentials do not belong in the endpoint")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("s3 store: the endpoint %q is not like https://host or http://host:port", text)
	}
	return u.String(), nil
}
