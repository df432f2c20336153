package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/config"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/queue"

	"github.com/google/uuid"
)

// Deposit is a result that is made by hand.
type Deposit struct {
	// URL is that of the request it answers, or of its twin; User whose request it is, where
	// the endpoint answers each user with rows of their own.
	URL, User string
	// MaxAge is how long it answers; 0: as long as results of the endpoint do. Pinned: for ever.
	MaxAge time.Duration
	Pinned bool
}

// Deposited is what has become of one.
type Deposited struct {
	cache.Entry
	// URL is where the file is served now.
	URL string
	// Typed: the columns are the endpoint's; else the header is another one, and they
	// are text.
	Typed bool
	// Known: the same rows were stored already, and have one name more now.
	Known bool
}

// FileProblems are what is wrong with a file, line by line.
type FileProblems = rows.CSVErrors

// Put makes an entry by hand: a file of CSV, plain or as gzip, answers a request from now
// on as if a run had made it. Everything about the request is checked before the file is
// read, and the file before anything is published; *FileProblems tells them all.
// What it replaces loses this name.
func (l *Librarian) Put(ctx context.Context, d Deposit, file io.Reader) (Deposited, error) {
	r, err := l.request(ctx, d.URL, d.User)
	if err != nil {
		return Deposited{}, err
	}
	if c := r.Control; c.Format != "" && c.Format != rows.FormatCSV || c.BOM || c.Safe || c.Delimiter != 0 && c.Delimiter != ',' {
		return Deposited{}, errors.New("a result is put in as CSV with commas, and its other forms are made from that: leave out _format, _delimiter, _bom and _safe")
	}
	a := l.service
	if err := a.stores.register(ctx, a.catalog); err != nil {
		return Deposited{}, err
	}
	if err := l.mayReplace(ctx, r, d.Pinned); err != nil {
		return Deposited{}, err
	}
	publication := cache.Publication{
		Key: r.Key(), Endpoint: r.Endpoint.Spec.Name, User: d.User, Owner: cache.OwnerShared,
		Job: uuid.NewString(), Claim: uuid.NewString(), SpecDigest: r.Endpoint.Digest(),
		MaxAge: d.MaxAge, MinFresh: a.config.Batch.MinFresh.Std(), Pinned: d.Pinned,
	}
	if user := r.User(); user != "" {
		publication.Owner = cache.OwnerUser(user)
	}
	if publication.MaxAge == 0 {
		publication.MaxAge = maxAge(a.config, r.Endpoint.Spec.Batch.MaxAge)
	}
	deposited, err := l.deposit(ctx, publication, r, file)
	if err != nil {
		return Deposited{}, err
	}
	publication.File = *deposited
	// The object is there. What is left takes a moment, and is not to be stopped halfway.
	ctx = context.WithoutCancel(ctx)
	out := Deposited{URL: r.twinURL(a.config), Typed: typed(publication.File.Columns, r.columns)}
	var kept, unknown bool
	out.Entry, kept, unknown, err = l.enter(ctx, publication)
	if out.Known = !kept; !kept && !unknown {
		l.discard(ctx, publication.File.Object)
	}
	return out, err
}

// mayReplace refuses in words what the catalogue would refuse at the end.
func (l *Librarian) mayReplace(ctx context.Context, r asked, pinned bool) error {
	e, err := l.service.catalog.ByKey(ctx, r.Key())
	if err == nil && e.Pinned && !pinned {
		err = errors.New("what answers this request is pinned, and nothing takes its place but what is pinned as well: put it in with -pin, or take the old one away first with rm")
	}
	return ignore(err, cache.ErrNotFound)
}

// maxAge is how long results of an endpoint answer.
func maxAge(c *config.Config, own time.Duration) time.Duration {
	if own > 0 {
		return own
	}
	return c.Batch.MaxAge.Std()
}

// deposit writes a file into the store, as an export does. After an error nothing is left
// there, as far as anybody can tell.
func (l *Librarian) deposit(ctx context.Context, p cache.Publication, r asked, in io.Reader) (*cache.File, error) {
	writing, stop := context.WithCancel(ctx)
	defer stop()
	object := jobs.ObjectName(queue.Holder{Job: p.Job, Claim: p.Claim}, "csv.gz")
	writer, err := l.service.store.Create(writing, object, cache.ObjectOptions{ContentType: csvType})
	if err != nil {
		return nil, err
	}
	defer func() { _ = writer.Abort() }() // after Commit it does nothing
	adopted, err := rows.AdoptAs(writing, in, writer, r.columns, int64(l.config.Batch.Limits.ResultBytes))
	if _, told := errors.AsType[*FileProblems](err); err != nil && !told {
		err = fmt.Errorf("while the file was read and stored: %w", err)
	}
	if err != nil {
		return nil, err
	}
	stored, err := writer.Commit(writing)
	if err == nil && stored.Size != adopted.Stored {
		err = errors.New("the store confirmed another size than was written")
	}
	if err != nil {
		l.discard(context.WithoutCancel(ctx), object) // it may be there after all
		return nil, err
	}
	return jobs.FileOf(object, adopted.Rows, adopted.Written, adopted.Columns, csvType, r.FileName("csv")), nil
}

const csvType = "text/csv"

// typed reports whether a file has taken the endpoint's columns for its own.
func typed(file []cache.Column, known []rows.Column) bool {
	if len(file) != len(known) {
		return false
	}
	for i, c := range known {
		if file[i].Name != c.Name || file[i].OID != c.OID || file[i].Mod != c.Mod {
			return false
		}
	}
	return true
}

// enterTries is how often the catalogue is asked to publish, with pauses of enterPause.
const (
	enterTries = 5
	enterPause = time.Second
)

// enter publishes an entry as submitted now, and returns what answers the key then. An
// answer of the catalogue that never came is asked for again. While that is unknown, the
// object may be the published one; it is left to the sweeper.
func (l *Librarian) enter(ctx context.Context, p cache.Publication) (e cache.Entry, kept, unknown bool, err error) {
	for try := range enterTries {
		if try > 0 {
			time.Sleep(l.pause)
		}
		if e, kept, err = l.tryEnter(ctx, &p); err == nil || !errors.Is(err, cache.ErrUnavailable) {
			return e, kept, false, err
		}
	}
	if p.Submitted.IsZero() {
		return e, false, false, err // it was never asked to publish
	}
	return e, kept, true, fmt.Errorf("%w\nthe file is in the store, and it is not known whether it was published: put it in again", err)
}

func (l *Librarian) tryEnter(ctx context.Context, p *cache.Publication) (e cache.Entry, kept bool, err error) {
	c := l.service.catalog
	if p.Submitted.IsZero() {
		if p.Generated, p.Submitted, err = c.Now(ctx, p.Key); err != nil {
			return e, false, err
		}
	}
	published, kept, err := c.Publish(ctx, *p)
	if err != nil {
		return e, false, err
	}
	if !kept {
		// These rows are not given up for a file that is not there.
		if err := l.there(ctx, published.File.Object); err != nil {
			return e, false, err
		}
	}
	e, err = c.ByKey(ctx, p.Key)
	if errors.Is(err, cache.ErrNotFound) || err == nil && e.Job != p.Job {
		return e, kept, errors.New("this very moment somebody else has published or removed a result of this request: put yours in again")
	}
	return e, kept, err
}

// there looks whether an object is in a store. One that is not is noted, and
// cache.ErrUnavailable returned: what took it for its file is to be published again.
func (l *Librarian) there(ctx context.Context, object string) error {
	_, err := l.service.store.Stat(ctx, object)
	if !errors.Is(err, cache.ErrNotFound) {
		return err
	}
	if err := l.service.catalog.Missing(ctx, object); err != nil {
		return err
	}
	return fmt.Errorf("%w: the file that has the same rows is missing", cache.ErrUnavailable)
}

// discard removes an object that nothing refers to. One that stays is swept later.
func (l *Librarian) discard(ctx context.Context, object string) {
	if err := l.service.store.Delete(ctx, object); err != nil {
		l.log.Warn("an unpublished object is left over", "object", object, "error", err)
	}
}

// twinURL is where the file of a request is: absolute where the configuration says how
// clients reach the service.
func (r asked) twinURL(c *config.Config) string {
	u := c.Server.PublicURL + r.Path() + c.Batch.Path
	if query := r.Canonical(); query != "" {
		u += "?" + query
	}
	return u
}
