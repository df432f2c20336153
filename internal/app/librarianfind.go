package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/internal/config"
	"slashbatch/internal/rows"
	"slashbatch/server/endpoint"
)

// NotFoundError says that a word leads nowhere; it is a cache.ErrNotFound.
type NotFoundError struct{ message string }

func (e *NotFoundError) Error() string { return e.message }

// Unwrap returns cache.ErrNotFound.
func (e *NotFoundError) Unwrap() error { return cache.ErrNotFound }

func notFound(format string, args ...any) error {
	return &NotFoundError{fmt.Sprintf(format, args...)}
}

// aliasPath is where aliases are served.
const aliasPath = "/results/"

// isURL tells a URL, or the path of one, from the other words for a result: no id or key
// or alias has a slash.
func isURL(word string) bool { return strings.Contains(word, "/") }

func isNumber(word string) bool { return word != "" && strings.Trim(word, "0123456789") == "" }

// find returns what a word leads to.
func (l *Librarian) find(ctx context.Context, word, user string) (catalog.Name, error) {
	if !isURL(word) {
		name, err := l.catalog.Find(ctx, word)
		if errors.Is(err, cache.ErrNotFound) {
			err = notFound("there is no result, request or alias %q", word)
		}
		return name, err
	}
	u, err := url.Parse(word)
	if err != nil {
		return catalog.Name{}, errors.New("this is not a URL") // url.Error quotes it
	}
	if alias, ok := strings.CutPrefix(l.path(u), aliasPath); ok {
		alias, _, _ = strings.Cut(alias, ".") // the extension chooses a file
		name, err := l.catalog.Find(ctx, alias)
		if errors.Is(err, cache.ErrNotFound) || err == nil && name.Alias == "" {
			err = notFound("there is no alias %q", alias)
		}
		return name, err
	}
	r, err := l.request(ctx, word, user)
	if err != nil {
		return catalog.Name{}, err
	}
	name, err := l.catalog.Find(ctx, r.Key())
	if errors.Is(err, cache.ErrNotFound) {
		err = notFound("nothing answers this request, whose key is %s", r.Key())
	}
	return name, err
}

// path is the escaped path of a URL as this service sees it: a proxy takes away what
// server.publicUrl has before it.
func (l *Librarian) path(u *url.URL) string {
	path := u.EscapedPath()
	if public, err := url.Parse(l.config.Server.PublicURL); err == nil && u.IsAbs() {
		if rest, ok := strings.CutPrefix(path, strings.TrimRight(public.EscapedPath(), "/")+"/"); ok {
			path = "/" + rest
		}
	}
	return path
}

// asked is a request that was named by its URL.
type asked struct {
	*endpoint.Request
	// columns are those of its rows, with the modifiers of their types.
	columns []rows.Column
}

// request understands a URL as a server would: that of a plain request or of its twin. Its
// host does not matter. The database is asked to describe the endpoint's query; it runs nothing.
func (l *Librarian) request(ctx context.Context, raw, user string) (asked, error) {
	u, err := url.Parse(raw)
	if err != nil || !strings.HasPrefix(u.EscapedPath(), "/") {
		return asked{}, errors.New("this is neither a URL nor the path of one, like /stream/AB-01/package?min-mass=1000")
	}
	a, err := l.app(ctx)
	if err != nil {
		return asked{}, err
	}
	found, ok := endpoint.Find(a.specs, l.path(u), l.config.Batch.Path)
	if !ok {
		return asked{}, fmt.Errorf("no endpoint answers the path %s", l.path(u))
	}
	spec := found.Spec
	if !spec.Batch.Enabled || !l.config.Batch.Enabled {
		return asked{}, fmt.Errorf("the endpoint %s has no batch twin, and so no results", spec.Name)
	}
	if err := l.mayBe(user, spec); err != nil {
		return asked{}, err
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return asked{}, errors.New("the query string is not well encoded")
	}
	compiled, description, err := a.compile(ctx, spec)
	if err != nil {
		return asked{}, err
	}
	r, problems := compiled.Parse(endpoint.Input{Vars: found.Vars, Params: params, User: user})
	if len(problems) > 0 {
		return asked{}, problems
	}
	return asked{r, columnsOf(r, description)}, nil
}

// mayBe checks whose request of an endpoint it is.
func (l *Librarian) mayBe(user string, spec *endpoint.Spec) error {
	own := spec.Scope == endpoint.ScopeUser
	switch {
	case user == "" && own:
		return fmt.Errorf("the endpoint %s answers each user with rows of their own: say whose with -user NAME", spec.Name)
	case user == "":
		return nil
	case !own:
		return fmt.Errorf("-user is for endpoints of scope user; what %s answers is everybody's", spec.Name)
	case !slices.ContainsFunc(l.config.Auth.Users, func(u config.User) bool { return u.Name == user }):
		return fmt.Errorf("there is no user %q in auth.users", user)
	case !spec.Access.Admits(user):
		return fmt.Errorf("the endpoint %s is not for %s", spec.Name, user)
	}
	return nil
}

// compile has the endpoint's database describe it, as at the start of a server.
func (a *App) compile(ctx context.Context, spec *endpoint.Spec) (*endpoint.Endpoint, rows.Description, error) {
	source, ok := a.describing(spec.DataSource)
	if !ok {
		return nil, rows.Description{}, fmt.Errorf("no user has a data source, so nobody could ask %s", spec.Name)
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	description, err := source.Describe(ctx, spec.Probe())
	if err != nil {
		return nil, description, fmt.Errorf("the data source %s could not describe the endpoint %s: %w", spec.DataSource, spec.Name, err)
	}
	compiled, problems := endpoint.Compile(spec, describedBy(description))
	if len(problems) > 0 {
		return nil, description, problems
	}
	return compiled, description, nil
}

// columnsOf are the columns of a request's rows as a run would have them.
func columnsOf(r *endpoint.Request, d rows.Description) []rows.Column {
	var columns []rows.Column
	for _, c := range r.Columns() {
		column := rows.Column{Name: c.Name, OID: c.OID, Type: c.TypeName}
		for _, described := range d.Columns {
			if described.Name == c.Name {
				column.Mod = described.Mod
			}
		}
		columns = append(columns, column)
	}
	return columns
}
