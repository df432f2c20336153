package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/user"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/internal/config"
)

// Librarian looks into the record of results and changes it by hand. It asks the
// catalogue only, so it works where the queue and the store cannot be reached from; what
// is named by a URL needs the endpoints and the data source, too.
type Librarian struct {
	catalog *catalog.Catalog
	config  *config.Config
	log     *slog.Logger
	service *App          // once something is named by a URL
	pause   time.Duration // enterPause
}

// OpenLibrarian connects to the catalogue of a configuration. The caller closes the
// Librarian.
func OpenLibrarian(ctx context.Context, c *config.Config, log *slog.Logger) (*Librarian, error) {
	opened, err := openCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Librarian{catalog: opened, config: c, log: log, pause: enterPause}, nil
}

// Close lets go of everything.
func (l *Librarian) Close() {
	l.catalog.Close()
	if l.service != nil {
		l.service.Close()
	}
}

// app is the service of the configuration, which is neither served nor worked for.
func (l *Librarian) app(ctx context.Context) (*App, error) {
	if l.service == nil {
		a, problems := New(ctx, l.config, Roles{}, l.log)
		if len(problems) > 0 {
			a.Close()
			return nil, problems
		}
		l.service = a
	}
	return l.service, nil
}

// Grace is how long a result without a name stays.
func (l *Librarian) Grace() time.Duration { return l.config.Cache.Grace.Std() }

// What the catalogue tells.
type (
	ListedPage  = catalog.Page
	Listed      = catalog.Listed
	Details     = catalog.Details
	StoredFile  = catalog.StoredFile
	RequestName = catalog.RequestName
	Purged      = catalog.Purged
	Extent      = catalog.Extent
)

// MostListed is the most results on one page.
const MostListed = catalog.MostListed

// ErrCursor is wrapped by what List answers to a cursor that is none.
var ErrCursor = catalog.ErrCursor

// Choice chooses a page of results.
type Choice struct {
	// Endpoint is one that a request of the result has, Owner the result's; empty: any.
	Endpoint, Owner string
	// After and Before are places in the list, as its pages tell them; at most one.
	After, Before string
	// N is how many at most; more than MostListed is taken as that.
	N int
}

// List returns a page of results, newest first.
func (l *Librarian) List(ctx context.Context, c Choice) (ListedPage, error) {
	f := catalog.Filter{Endpoint: c.Endpoint, Owner: c.Owner}
	for _, side := range []struct {
		text string
		into *catalog.Cursor
	}{{c.After, &f.After}, {c.Before, &f.Before}} {
		if side.text == "" {
			continue
		}
		var err error
		if *side.into, err = catalog.ParseCursor(side.text); err != nil {
			return ListedPage{}, fmt.Errorf("%q is %w", side.text, err)
		}
	}
	return l.catalog.List(ctx, f, c.N)
}

// Show returns everything about the result that a word leads to: an id, a request key, an
// alias, or the URL of a request or of an alias. user is whose request it is, where the
// endpoint answers each user with rows of their own.
func (l *Librarian) Show(ctx context.Context, word, user string) (Details, error) {
	name, err := l.find(ctx, word, user)
	if err != nil {
		return Details{}, err
	}
	return l.catalog.Details(ctx, name.Result)
}

// Removed is a name that was removed.
type Removed struct {
	catalog.Name
	// Left is how many other names the result has.
	Left int
}

// ErrIsResult says that a word is a result's own id, which is no name to remove.
var ErrIsResult = errors.New("this is the id of a result; what is removed are its names, request keys, URLs and aliases, while -purge kills the result with all of them")

// Remove takes one name away from its result, and nothing else.
func (l *Librarian) Remove(ctx context.Context, word, user string) (Removed, error) {
	name, err := l.find(ctx, word, user)
	switch {
	case err != nil:
		return Removed{}, err
	case name.Key != "":
		err = l.catalog.DropRequest(ctx, name.Key)
	case name.Alias != "":
		err = l.catalog.RemoveAlias(ctx, name.Alias)
	default:
		err = ErrIsResult
	}
	if err != nil {
		return Removed{}, err
	}
	d, err := l.catalog.Details(ctx, name.Result)
	return Removed{name, d.RequestCount + d.AliasCount}, ignore(err, cache.ErrNotFound)
}

// Purge kills the result that a word leads to, with all its names and files. An id that
// no result has is purged already: found is false then.
func (l *Librarian) Purge(ctx context.Context, word, user string) (p Purged, found bool, err error) {
	name, err := l.find(ctx, word, user)
	if errors.Is(err, cache.ErrNotFound) && isNumber(word) {
		return Purged{}, false, nil
	}
	if err != nil {
		return Purged{}, false, err
	}
	p, found, err = l.catalog.Purge(ctx, name.Result)
	if found {
		l.audit(p)
	}
	return p, found, err
}

// audit leaves a record of a purge in the log. Aliases are not told there: who knows one
// may read what it leads to, and one may have been minted again.
func (l *Librarian) audit(p Purged) {
	l.log.Info("result purged", "result", p.ID, "owner", p.Owner, "requests", len(p.Keys), "aliases", len(p.Aliases), "files", p.Objects, "by", operatorName())
}

// operatorName says who runs this process, and where.
func operatorName() string {
	name := fmt.Sprint("uid ", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return name + "@" + host
}

// chunk is how many names, or results, go in one transaction.
const chunk = 200

// Count tells what there is to clear: all results, or those of an endpoint.
func (l *Librarian) Count(ctx context.Context, endpoint string, pinned bool) (Extent, error) {
	return l.catalog.Count(ctx, endpoint, pinned)
}

// Clear removes the requests that were counted. It tells after each transaction how many
// have gone so far, and can be stopped and repeated at any time.
func (l *Librarian) Clear(ctx context.Context, e Extent, tell func(requests int)) error {
	all, last := 0, ""
	for {
		n, next, err := l.catalog.ClearRequests(ctx, e, last, chunk)
		if err != nil || next == "" {
			return err
		}
		all, last = all+n, next
		tell(all)
	}
}

// PurgeAll purges the results that were counted, and tells each.
func (l *Librarian) PurgeAll(ctx context.Context, e Extent, tell func(Purged)) error {
	last := int64(0)
	for {
		gone, next, err := l.catalog.PurgeNext(ctx, e, last, chunk)
		for _, p := range gone {
			l.audit(p)
			tell(p)
		}
		if err != nil || next == 0 {
			return err
		}
		last = next
	}
}
