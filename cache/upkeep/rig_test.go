package upkeep

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/cache/s3store"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/klauspost/compress/gzip"
)

// rig is a catalogue with one store, which is in use.
type rig struct {
	*testing.T
	*catalog.Catalog
	tables *pgxpool.Pool // the same tables, for the test's own statements
	store  Store
	dir    string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	database := pgtest.New(t)
	c, err := catalog.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	if _, err := c.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	tables, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tables.Close)
	r := &rig{T: t, Catalog: c, tables: tables, dir: t.TempDir()}
	r.store = r.folder(r.dir)
	r.Use(r.store.ID)
	return r
}

// folder registers a store in a folder.
func (r *rig) folder(dir string) Store {
	r.Helper()
	s, err := filestore.Open(dir)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { s.Close() })
	return r.register(s, "file://"+filepath.ToSlash(dir))
}

// bucket registers a store in S3.
func (r *rig) bucket() Store {
	r.Helper()
	u, err := url.Parse(testenv.S3(r.T))
	if err != nil {
		r.Fatal(err)
	}
	u.Path = "/upkeep-" + rand.Text()
	s, err := s3store.OpenURL(r.Context(), u, s3store.Options{})
	if err != nil {
		r.Fatal(err)
	}
	return r.register(s, "s3://"+u.Host+u.Path)
}

func (r *rig) register(s cache.Store, url string) Store {
	r.Helper()
	registered, err := Register(r.Context(), r, s, url)
	if err != nil || !registered.Marked {
		r.Fatal(registered, err)
	}
	return Store{Store: s, ID: registered.ID, URL: url}
}

// change runs a statement on the tables.
func (r *rig) change(sql string, args ...any) int {
	r.Helper()
	tag, err := r.tables.Exec(r.Context(), sql, args...)
	if err != nil {
		r.Fatal(err)
	}
	return int(tag.RowsAffected())
}

// count is the number of rows of a table, or of what follows FROM slashbatch.
func (r *rig) count(what string, args ...any) (n int) {
	r.Helper()
	if err := r.tables.QueryRow(r.Context(), "SELECT count(*) FROM slashbatch."+what, args...).Scan(&n); err != nil {
		r.Fatal(err)
	}
	return n
}

// put writes an object.
func put(t *testing.T, s cache.Store, name string, content []byte) {
	t.Helper()
	w, err := s.Create(t.Context(), name, cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// publish writes a file of these rows and publishes it, under the key that is also its job.
func (r *rig) publish(key, rows string) cache.Entry {
	r.Helper()
	packed, sum := packed(rows)
	object := "results/" + key + ".c.csv.gz"
	put(r.T, r.store, object, packed)
	e, kept, err := r.Publish(r.Context(), cache.Publication{
		Key: key, Owner: cache.OwnerShared, Job: key, Claim: "c", Submitted: time.Now(), Generated: time.Now(), MaxAge: time.Hour,
		File: cache.File{
			Object: object, Stored: int64(len(packed)), Rows: 1, Bytes: int64(len(rows)), SHA256: sum, Gzipped: true,
			ContentType: "text/csv", FileName: "x.csv",
		},
	})
	if err != nil || !kept {
		r.Fatal(kept, err)
	}
	return e
}

// some publishes so many results of different rows.
func (r *rig) some(n int) {
	r.Helper()
	for i := range n {
		r.publish(fmt.Sprintf("k%03d", i), fmt.Sprintf("id\n%d\n%s", i, strings.Repeat("row\n", i)))
	}
}

func packed(text string) (gz []byte, sum string) {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	digest := sha256.Sum256([]byte(text))
	return b.Bytes(), hex.EncodeToString(digest[:])
}

// settle makes all rows older than any walk that begins now.
func (r *rig) settle() {
	r.change(`UPDATE slashbatch.location SET verified = now() - interval '1 hour'`)
}

// objects are the names in a store, without its marker.
func (r *rig) objects(s cache.Store) []string {
	r.Helper()
	var names []string
	for o, err := range s.List(r.Context(), "") {
		if err != nil {
			r.Fatal(err)
		}
		if o.Name != cache.MarkerObject {
			names = append(names, o.Name)
		}
	}
	return names
}

// agree wants every file of a store to be there and whole, and nothing else.
func (r *rig) agree(s Store, files int) {
	r.Helper()
	var wrong []Finding
	report, err := Verify(r.Context(), r, s, VerifyOptions{Found: func(f Finding) { wrong = append(wrong, f) }})
	if err != nil || !report.Clean() || report.Files != files {
		r.Errorf("%s: %+v, %v, findings %v; want %d files and nothing wrong", s.URL, report, err, wrong, files)
	}
}

// odd is a store in which some calls fail.
type odd struct {
	cache.Store
	// fail is asked before each call; nil: it goes on.
	fail func(op, name string) error
}

func (s *odd) on(op, name string) error {
	if s.fail == nil {
		return nil
	}
	return s.fail(op, name)
}

func (s *odd) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, cache.Object, error) {
	if err := s.on("open", name); err != nil {
		return nil, cache.Object{}, err
	}
	return s.Store.Open(ctx, name, offset, length)
}

func (s *odd) Stat(ctx context.Context, name string) (cache.Object, error) {
	if err := s.on("stat", name); err != nil {
		return cache.Object{}, err
	}
	return s.Store.Stat(ctx, name)
}

func (s *odd) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	if err := s.on("create", name); err != nil {
		return nil, err
	}
	return s.Store.Create(ctx, name, o)
}

func (s *odd) Delete(ctx context.Context, name string) error {
	if err := s.on("delete", name); err != nil {
		return err
	}
	return s.Store.Delete(ctx, name)
}

func (s *odd) Ping(ctx context.Context) error {
	if err := s.on("ping", ""); err != nil {
		return err
	}
	return s.Store.Ping(ctx)
}

var errBroken = fmt.Errorf("%w: broken for this test", cache.ErrUnavailable)

// broken makes a store fail whenever fail says so.
func broken(s Store, fail func(op, name string) error) Store {
	s.Store = &odd{s.Store, fail}
	return s
}

// times lets an operation fail so many times.
func times(n int64, op string, err error) func(string, string) error {
	var left atomic.Int64
	left.Store(n)
	return func(now, name string) error {
		if now == op && name != cache.MarkerObject && left.Add(-1) >= 0 {
			return err
		}
		return nil
	}
}

// wantMarker wants an error that is about the marker.
func wantMarker(t *testing.T, err error) {
	t.Helper()
	if _, ok := errors.AsType[*MarkerError](err); !ok {
		t.Errorf("got %v, want a MarkerError", err)
	}
}
