package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/config"
	"slashbatch/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// shelf is a Librarian over a catalogue and a store that can fail.
type shelf struct {
	*Librarian
	t      *testing.T
	store  *faulty
	folder string
	log    *bytes.Buffer
}

// faulty is a store in which committing and deleting may fail, before or after it has
// happened.
type faulty struct {
	cache.Store
	commit, remove func(do func() error) error
}

type faultyWriter struct {
	cache.Writer
	store *faulty
}

func (s *faulty) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	w, err := s.Store.Create(ctx, name, o)
	return faultyWriter{w, s}, err
}

func (w faultyWriter) Commit(ctx context.Context) (o cache.Object, err error) {
	return o, run(w.store.commit, func() (err error) { o, err = w.Writer.Commit(ctx); return err })
}

func (s *faulty) Delete(ctx context.Context, name string) error {
	return run(s.remove, func() error { return s.Store.Delete(ctx, name) })
}

func run(fault func(func() error) error, do func() error) error {
	if fault == nil {
		return do()
	}
	return fault(do)
}

var errBroken = errors.New("broken")

// The ways in which a call fails.
func before(func() error) error   { return errBroken }
func after(do func() error) error { return errors.Join(do(), errBroken) }

func newShelf(t *testing.T) *shelf {
	t.Helper()
	url, dir := pgtest.New(t), t.TempDir()
	file := filepath.Join(dir, "config.yaml")
	text := fmt.Sprintf(`
catalog: {url: %q}
dataSources: {default: {url: %q}}
cache: {url: "file://%s/store"}
endpoints: [{name: items, path: /item, query: SELECT 1 AS id, key: id}]
endpointsDir: ""
`, url, url, dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Load(file, nil)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := &shelf{t: t, folder: filepath.Join(dir, "store"), log: &bytes.Buffer{}}
	a, problems := New(t.Context(), c, Roles{}, slog.New(slog.DiscardHandler))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := a.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.Close()
	var err error
	if s.Librarian, err = OpenLibrarian(t.Context(), c, slog.New(slog.NewTextHandler(s.log, nil))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if _, err := s.app(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.store = &faulty{Store: s.service.store}
	s.service.store, s.pause = s.store, time.Millisecond
	return s
}

func (s *shelf) put(ctx context.Context, url, rows string) (Deposited, error) {
	return s.Put(ctx, Deposit{URL: url}, strings.NewReader(rows))
}

// holds checks what the store and the catalogue have.
func (s *shelf) holds(objects, results int) {
	s.t.Helper()
	files, err := filepath.Glob(filepath.Join(s.folder, "results", "*", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	temporary, err := filepath.Glob(filepath.Join(s.folder, ".tmp,", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	page, err := s.List(s.t.Context(), Choice{N: 10})
	if err != nil {
		s.t.Fatal(err)
	}
	if len(files) != objects || len(temporary) != 0 || len(page.Results) != results {
		s.t.Errorf("the store has %v and %v unfinished, the catalogue %d results; want %d and %d", files, temporary, len(page.Results), objects, results)
	}
}

// answers checks that a request is answered, and that its file is there.
func (s *shelf) answers(url string, rows int64) {
	s.t.Helper()
	r, err := s.request(s.t.Context(), url, "")
	if err != nil {
		s.t.Fatal(err)
	}
	e, err := s.service.catalog.ByKey(s.t.Context(), r.Key())
	if err != nil || !e.Valid || e.File.Rows != rows {
		s.t.Errorf("%s is answered by %+v, %v", url, e, err)
	}
	if _, err := s.store.Stat(s.t.Context(), e.File.Object); err != nil {
		s.t.Errorf("the file of %s: %v", url, err)
	}
}

// a put that fails, at whatever step and whether or not the step has
// happened, leaves nothing of its own, and what was there before untouched.
func TestR049PutFails(t *testing.T) {
	s := newShelf(t)
	if _, err := s.put(t.Context(), "/item", "id\n1\n"); err != nil {
		t.Fatal(err)
	}
	for about, fault := range map[string]func(func() error) error{"before": before, "after": after} {
		for _, rows := range []string{"id\n1\n", "id\n2\n"} { // the same rows, and others
			s.store.commit = fault
			if _, err := s.put(t.Context(), "/item", rows); !errors.Is(err, errBroken) {
				t.Errorf("%s: %v", about, err)
			}
			s.store.commit = nil
			s.holds(1, 1)
			s.answers("/item", 1)
		}
	}
	// The file ends in the middle.
	in := io.MultiReader(strings.NewReader("id\n"+strings.Repeat("1\n", 1<<20)), iotest.ErrReader(errBroken))
	if _, err := s.Put(t.Context(), Deposit{URL: "/item"}, in); !errors.Is(err, errBroken) {
		t.Error(err)
	}
	// Or its reader is told to stop.
	ctx, cancel := context.WithCancel(t.Context())
	in = io.MultiReader(strings.NewReader("id\n"+strings.Repeat("1\n", 1<<20)), readerFunc(func(p []byte) (int, error) { cancel(); return copy(p, "2\n"), nil }))
	if _, err := s.Put(ctx, Deposit{URL: "/item"}, in); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.holds(1, 1)
	s.answers("/item", 1)
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// Once the object is there the rest is done, also when the process is to stop.
func TestPutIsNotStoppedHalfway(t *testing.T) {
	s := newShelf(t)
	ctx, cancel := context.WithCancel(t.Context())
	s.store.commit = func(do func() error) error { defer cancel(); return do() }
	if _, err := s.put(ctx, "/item", "id\n1\n"); err != nil {
		t.Fatal(err)
	}
	s.holds(1, 1)
	s.answers("/item", 1)
}

// an object that could not be deleted, after its rows turned out to be stored
// already, does no harm to the result.
func TestR052DuplicateThatCannotBeDeleted(t *testing.T) {
	s := newShelf(t)
	if _, err := s.put(t.Context(), "/item", "id\n1\n"); err != nil {
		t.Fatal(err)
	}
	s.store.remove = before
	put, err := s.put(t.Context(), "/item?_limit=1", "id\n1\n")
	if err != nil || !put.Known {
		t.Errorf("%+v, %v", put, err)
	}
	s.holds(2, 1)
	s.answers("/item", 1)
	s.answers("/item?_limit=1", 1)
	if !strings.Contains(s.log.String(), "an unpublished object is left over") {
		t.Errorf("the log has %s", s.log)
	}
}

// when the catalogue goes away between the store and itself, the object is deleted;
// but if nobody knows what became of the publication, that is said, and the object is left
// for the sweeper.
func TestR051CatalogueGoesAway(t *testing.T) {
	s := newShelf(t)
	conn, err := pgx.Connect(t.Context(), s.config.Catalog.URL.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	for _, statement := range []string{
		"ALTER FUNCTION slashbatch.publish RENAME TO published", // as good as an answer that does not come
		"DROP SCHEMA slashbatch CASCADE",
	} {
		s.store.commit = func(do func() error) error {
			_, err := conn.Exec(t.Context(), statement)
			return errors.Join(err, do())
		}
		_, err := s.put(t.Context(), "/item", "id\n1\n")
		unknown := err != nil && strings.Contains(err.Error(), "it is not known whether it was published: put it in again")
		if !errors.Is(err, cache.ErrUnavailable) || unknown != strings.HasPrefix(statement, "ALTER") {
			t.Errorf("%v", err)
		}
		if statement[0] == 'A' {
			s.holds(1, 0)
		}
	}
	if files, err := filepath.Glob(filepath.Join(s.folder, "results", "*", "*")); err != nil || len(files) != 1 {
		t.Errorf("the store has %v, %v", files, err)
	}
}

// A queue whose clock is ahead has made what answers now; a file by hand replaces it all
// the same.
func TestPutReplacesWhatIsAhead(t *testing.T) {
	s := newShelf(t)
	if _, err := s.put(t.Context(), "/item", "id\n1\n2\n"); err != nil {
		t.Fatal(err)
	}
	r, err := s.request(t.Context(), "/item", "")
	if err != nil {
		t.Fatal(err)
	}
	p := cache.Publication{
		Key: r.Key(), Owner: cache.OwnerShared, Job: "ahead", Claim: "c", Submitted: time.Now().Add(time.Hour), Generated: time.Now(), MaxAge: time.Hour,
		File: cache.File{Object: "results/ah/ahead.c.csv.gz", SHA256: strings.Repeat("0", 64), Columns: []cache.Column{{Name: "id", OID: 23}}},
	}
	if _, _, err := s.service.catalog.Publish(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	put, err := s.put(t.Context(), "/item", "id\n1\n2\n3\n")
	if err != nil || put.File.Rows != 3 || time.Until(put.Generated) > time.Minute {
		t.Errorf("%+v, %v", put, err)
	}
	s.answers("/item", 3)
}
