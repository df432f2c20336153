package upkeep

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
)

// day is older than any walk of these tests lets orphans be.
const day = 24 * time.Hour

// old puts an object into the rig's folder that was written long ago.
func (r *rig) old(name string, ago time.Duration) {
	r.Helper()
	put(r.T, r.store, name, []byte("content"))
	at := time.Now().Add(-ago)
	if err := os.Chtimes(filepath.Join(r.dir, filepath.FromSlash(name)), at, at); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) listed() []string {
	r.Helper()
	rows, err := r.tables.Query(r.Context(), `SELECT object FROM slashbatch.removal ORDER BY object`)
	if err != nil {
		r.Fatal(err)
	}
	defer rows.Close()
	all := []string{}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			r.Fatal(err)
		}
		all = append(all, s)
	}
	return all
}

// I-21: objects that nobody knows go when they are old, and younger ones stay, as does
// what is not a result; then Remove takes them out of the store.
func TestI21Orphans(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(30)
	r.settle()
	r.old("results/aa/old", 3*day)
	r.old("results/zz/older", 30*day)
	r.old("results/k0", 3*day) // between the others, by name
	r.old("results/young", day/2)
	r.old("premade/key.csv", 30*day)
	r.old("somebody/else", 30*day)
	r.old("resultsnot", 30*day)
	r.old("results/going", 30*day) // listed already
	r.change(`INSERT INTO slashbatch.removal (store, object) VALUES ($1, 'results/going')`, r.store.ID)

	report, err := Walk(ctx, r, r.store, day)
	if want := (WalkReport{Files: 30, Orphans: 3, Listed: 3}); err != nil || report != want {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	want := []string{"results/aa/old", "results/going", "results/k0", "results/zz/older"}
	if diff := cmp.Diff(want, r.listed()); diff != "" {
		t.Errorf("listed (-want +got):\n%s", diff)
	}
	if removed, err := Remove(ctx, r, r.store); err != nil || removed.Objects != 4 {
		t.Errorf("removed %+v, %v", removed, err)
	}
	if names := r.objects(r.store); len(names) != 30+4 {
		t.Errorf("the store has %d objects, want the 30 files and 4 that nobody was to touch: %q", len(names), names)
	}
	if report, err := Walk(ctx, r, r.store, day); err != nil || report != (WalkReport{Files: 30}) {
		t.Errorf("the next walk finds %+v, %v", report, err)
	}
	if _, err := r.store.Stat(ctx, cache.MarkerObject); err != nil {
		t.Errorf("the marker: %v", err)
	}
}

// I-20, R-133: a file that is not there is marked as missing, if it is one of few; one that
// the store does not speak of clearly is not.
func TestI20Missing(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(100)
	r.settle()
	for _, key := range []string{"k010", "k020"} {
		if err := r.store.Delete(ctx, "results/"+key+".c.csv.gz"); err != nil {
			t.Fatal(err)
		}
	}
	r.publish("young", "rows") // while the walk goes on, so to say
	r.change(`UPDATE slashbatch.location SET verified = now() + interval '1 hour' WHERE object LIKE '%young%'`)
	if err := r.store.Delete(ctx, "results/young.c.csv.gz"); err != nil {
		t.Fatal(err)
	}
	s := broken(r.store, func(op, name string) error {
		if op == "stat" && name == "results/k020.c.csv.gz" {
			return errBroken
		}
		return nil
	})
	report, err := Walk(ctx, r, s, day)
	if want := (WalkReport{Files: 100, Missing: 2, Marked: 1, Unclear: 1}); err != nil || report != want {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	if n := r.count(`location WHERE state = 'missing'`); n != 1 {
		t.Errorf("%d files are marked", n)
	}
	if _, err := r.ByKey(ctx, "k010"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a file that is missing: %v, want ErrNotFound", err)
	}
	for _, key := range []string{"k020", "young"} {
		if _, err := r.ByKey(ctx, key); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// I-20: when more than 5 % of the files seem to be missing, or the marker is not
// ours, a walk stops, says so, and changes nothing.
func TestI20Brake(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(100)
	r.settle()
	r.old("results/orphan", 30*day)
	lose := func(from, to int) {
		for i := from; i < to; i++ {
			if err := r.store.Delete(ctx, fmt.Sprintf("results/k%03d.c.csv.gz", i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	untouched := func() {
		t.Helper()
		if n := r.count(`location WHERE state <> 'live'`) + r.count(`removal`); n > 0 {
			t.Errorf("%d rows were changed", n)
		}
	}
	lose(0, 6)
	report, err := Walk(ctx, r, r.store, day)
	brake, stopped := errors.AsType[*BrakeError](err)
	if !stopped || brake.Missing != 6 || brake.Files != 100 || report.Marked+report.Listed > 0 {
		t.Errorf("6 of 100 are missing: %+v, %v; want a stop", report, err)
	}
	untouched()

	t.Run("another folder is mounted there", func(t *testing.T) {
		empty := openFolder(t, t.TempDir())
		_, err := Walk(ctx, r, Store{Store: empty, ID: r.store.ID, URL: r.store.URL}, day)
		wantMarker(t, err)
		untouched()
	})
	t.Run("the store goes away while it is walked over", func(t *testing.T) {
		r.publish("filler", "rows") // so that the brake is not what stops it
		r.settle()
		looked := 0
		s := broken(r.store, func(op, name string) error {
			if looked++; op == "open" && name == cache.MarkerObject && looked > 1 {
				return fmt.Errorf("open: %w", cache.ErrNotFound)
			}
			return nil
		})
		for i := range 3 {
			put(t, r.store, fmt.Sprintf("results/k%03d.c.csv.gz", i), nil) // as if: 3 missing of 101
		}
		_, err := Walk(ctx, r, s, day)
		wantMarker(t, err)
		untouched()
	})
	t.Run("of another catalogue", func(t *testing.T) {
		_, err := Walk(ctx, newRig(t), r.store, day)
		wantMarker(t, err)
	})
	t.Run("5 of 100 are few enough", func(t *testing.T) {
		report, err := Walk(ctx, r, r.store, day)
		if err != nil || report.Marked != 3 || report.Listed != 1 {
			t.Errorf("%+v, %v; want 3 marked and 1 listed", report, err)
		}
	})
}

// A walk acts on a bounded number; the next one takes the rest. Rows and objects are
// read page by page.
func TestWalkInPages(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	const files = 2300
	r.change(`
		WITH r AS (
			INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns)
			SELECT 'shared', sha256(convert_to(g::text, 'UTF8')), 7, 1, '[]' FROM generate_series(1, $1::int) g RETURNING id
		), v AS (
			INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks)
			SELECT id, 'csv', '', 'text/csv', false, 7, repeat('0', 64), 7, '[]' FROM r RETURNING id, result
		)
		INSERT INTO slashbatch.location (variant, store, object, state, verified)
		SELECT id, 1, 'results/' || to_char(rank() OVER (ORDER BY id), 'FM0000'), 'live', now() - interval '1 hour' FROM v`, files)
	for i := 1; i <= files; i++ {
		if i%100 != 0 { // 23 are missing
			r.old(fmt.Sprintf("results/%04d", i), time.Hour)
		}
		if i%2 == 0 {
			r.old(fmt.Sprintf("results/%04d.orphan", i), 2*day)
		}
	}
	report, err := Walk(ctx, r, r.store, day)
	if want := (WalkReport{Files: files, Missing: 23, Orphans: files / 2, Marked: 23, Listed: files / 2}); err != nil || report != want {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
}

// Temporary files of the dead go, and so do copies that nobody goes on with.
func TestSweepTemps(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(1)
	other := r.folder(t.TempDir())
	files, err := r.ToCopy(ctx, r.store.ID, other.ID, 0, 10)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if ok, err := r.Intend(ctx, files[0], r.store.ID, other.ID); !ok || err != nil {
		t.Fatal(ok, err)
	}
	put(t, other, files[0].Object, []byte("half"))
	w, err := r.store.Create(ctx, "results/writing", cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	temps, err := filepath.Glob(filepath.Join(r.dir, ".tmp,", "*"))
	if err != nil || len(temps) != 1 {
		t.Fatal(temps, err)
	}
	stores := []Store{r.store, other}
	if n, err := SweepTemps(ctx, r, stores, day); n != 0 || err != nil {
		t.Errorf("%d were swept while they are young, %v", n, err)
	}
	long := time.Now().Add(-2 * day)
	if err := os.Chtimes(temps[0], long, long); err != nil {
		t.Fatal(err)
	}
	r.change(`UPDATE slashbatch.location SET verified = now() - interval '2 days' WHERE state = 'copying'`)
	if n, err := SweepTemps(ctx, r, stores, day); n != 2 || err != nil {
		t.Errorf("%d were swept, %v; want the file and the copy", n, err)
	}
	if n := r.count(`location WHERE state = 'copying'`); n != 0 {
		t.Errorf("%d copies are left", n)
	}
	if _, err := Remove(ctx, r, other); err != nil || len(r.objects(other)) > 0 {
		t.Errorf("what was copied is left: %q, %v", r.objects(other), err)
	}
	r.agree(r.store, 1)
}

// The same in a bucket.
func TestSweepUploads(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	s := r.bucket()
	w, err := s.Create(ctx, "results/large", cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := w.Write(make([]byte, 20<<20)); err != nil { // in several parts
		t.Fatal(err)
	}
	if n, err := SweepTemps(ctx, r, []Store{s}, day); n != 0 || err != nil {
		t.Errorf("%d uploads were ended while they are young, %v", n, err)
	}
	if n, err := SweepTemps(ctx, r, []Store{s}, -time.Hour); n != 1 || err != nil {
		t.Errorf("%d uploads were ended, %v; want the one", n, err)
	}
}
