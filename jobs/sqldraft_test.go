package jobs

import (
	"context"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/queue"
)

// results are the objects of the site's store.
func (s *site) results(t *testing.T) (names []string) {
	t.Helper()
	for o, err := range s.store.List(t.Context(), "results/") {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, o.Name)
	}
	return names
}

// noOrphans wants a walk to know all objects of the site's store.
func (s *site) noOrphans(t *testing.T, record *catalog.Catalog) {
	t.Helper()
	unlisted, err := record.Unlisted(t.Context(), 1, s.results(t))
	if err != nil || len(unlisted) > 0 {
		t.Errorf("a walk takes %q, %v", unlisted, err)
	}
}

// The rows of a step are nobody's orphan while the steps behind it take their time, and once
// they are superseded, or the job has failed, nothing is left of them.
func TestSQLRowsAreKnownBeforeTheyArePublished(t *testing.T) {
	const wait = "SELECT pg_advisory_lock(4711)::text"
	for name, tt := range map[string]struct {
		last  string
		state queue.State
		left  int // objects in the end
	}{
		"published":  {"DO 'BEGIN PERFORM pg_advisory_lock(4711); END'", queue.Done, 1},
		"superseded": {wait + ", 2 AS n", queue.Done, 1},
		"failed":     {wait + "; SELECT 1/0", queue.Failed, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSQLSite(t)
			record := s.Catalog.(*catalog.Catalog)
			gate, err := s.pool.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer gate.Release()
			if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_lock(4711)"); err != nil {
				t.Fatal(err)
			}
			s.start(t)
			id := s.submitSQL(t, SQLStep{SQL: "SELECT 1 AS n"}, SQLStep{SQL: "INSERT INTO seen VALUES ('2')"}, SQLStep{SQL: tt.last})
			for end := time.Now().Add(20 * time.Second); s.steps(t, id) != "done, done, running"; time.Sleep(time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the steps are %s", s.steps(t, id))
				}
			}
			if objects, drafts := len(s.results(t)), s.rowsOf(t, "draft"); objects == 0 || drafts != 1 {
				t.Errorf("%d objects and %d drafts while the last step runs", objects, drafts)
			}
			s.noOrphans(t, record)
			if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_unlock(4711)"); err != nil {
				t.Fatal(err)
			}
			s.await(t, id, tt.state, 20*time.Second)
			if _, err := record.Expire(t.Context(), cache.Retention{Grace: time.Hour, Results: time.Hour, Runs: time.Hour}); err != nil {
				t.Fatal(err)
			}
			s.noOrphans(t, record)
			if n := s.rowsOf(t, "draft"); n > 0 {
				t.Errorf("%d drafts are left", n)
			}
			if n := len(s.results(t)); n != tt.left {
				t.Errorf("%d objects are left, want %d", n, tt.left)
			}
		})
	}
}

// forgetful is a catalogue that takes no drafts.
type forgetful struct{ cache.Catalog }

func (forgetful) Draft(context.Context, string) error { return cache.ErrUnavailable }

// The catalogue is away when a step has given rows: they are published once it is back.
func TestSQLRowsSurviveACatalogueThatIsAway(t *testing.T) {
	t.Parallel()
	s := newSQLSite(t)
	s.open(t)
	s.RetryInit = time.Millisecond
	s.Catalog = forgetful{s.Catalog}
	s.start(t)
	id := s.submitSQL(t, SQLStep{SQL: "SELECT 1 AS n"}, SQLStep{SQL: "INSERT INTO seen VALUES ('2')"})
	s.await(t, id, queue.Done, 20*time.Second)
	if _, err := s.Catalog.ByKey(t.Context(), ResultKey(id)); err != nil {
		t.Errorf("the rows: %v", err)
	}
}
