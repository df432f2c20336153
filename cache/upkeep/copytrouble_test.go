package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"slashbatch/cache"
)

// a file that is missing from the source is an error that names the
// side, after some tries; or it is skipped and marked. The others are copied.
func TestR124MissingFromTheSource(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(10)
	target := r.folder(t.TempDir())
	for _, key := range []string{"k003", "k007"} {
		if err := r.store.Delete(ctx, "results/"+key+".c.csv.gz"); err != nil {
			t.Fatal(err)
		}
	}
	var tried atomic.Int64
	source := broken(r.store, func(op, name string) error {
		if op == "open" && name == "results/k003.c.csv.gz" {
			tried.Add(1)
		}
		return nil
	})
	report, err := Copy(ctx, r, source, target, quick)
	if err != nil || report.Copied != 8 || report.Failed != 2 || len(report.Failures) != 2 {
		t.Fatalf("%+v, %v; want 8 copied and 2 failed", report, err)
	}
	for _, f := range report.Failures {
		if !strings.Contains(f.Reason, "source: ") || !strings.HasPrefix(f.Object, "results/k00") {
			t.Errorf("the failure %+v does not name the side", f)
		}
	}
	if n := tried.Load(); n != 6 { // three times, and once more after all others
		t.Errorf("it was tried %d times, want 3 in each look", n)
	}
	if n := r.count(`location WHERE state = 'missing'`) + r.count(`store_copy WHERE finished IS NOT NULL`); n > 0 {
		t.Error("something was marked that nobody asked for")
	}
	o := quick
	o.SkipMissing = true
	if report := r.copyAll(target, o); report.Missing != 2 || report.Failed != 0 || report.Copied != 0 {
		t.Errorf("%+v, want 2 missing", report)
	}
	if n := r.count(`location WHERE state = 'missing' AND store = $1`, r.store.ID); n != 2 {
		t.Errorf("%d are marked as missing", n)
	}
	if n := r.count(`location WHERE state = 'copying'`); n > 0 {
		t.Errorf("%d copies are left half done", n)
	}
	r.agree(target, 8)
	r.agree(r.store, 8)

	t.Run("a source that is not mounted loses nothing", func(t *testing.T) {
		r.publish("new", "new rows")
		looks := 0
		gone := broken(r.store, func(op, name string) error {
			if looks++; name != cache.MarkerObject || looks > 1 { // after the check before the start
				return fmt.Errorf("%s %s: %w", op, name, cache.ErrNotFound)
			}
			return nil
		})
		_, err := Copy(ctx, r, gone, target, o)
		wantMarker(t, err)
		if n := r.count(`location WHERE state = 'missing'`); n != 2 {
			t.Errorf("%d are marked as missing, want the 2 of before", n)
		}
	})
}

// what goes wrong in the target is tried again, a file that is not found there, too.
func TestR123TroubleInTheTarget(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail func(string, string) error
	}{
		{"it cannot be written to", times(3, "create", errBroken)},
		{"what was written is not found", times(3, "open", fmt.Errorf("open: %w", cache.ErrNotFound))},
		{"what was written cannot be read", times(3, "open", errBroken)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.some(5)
			target := r.folder(t.TempDir())
			o := quick
			o.Parallel, o.Tries = 1, 4
			report, err := Copy(t.Context(), r, r.store, broken(target, tt.fail), o)
			if err != nil || report.Copied != 5 || report.Failed > 0 {
				t.Errorf("%+v, %v; want 5 copied in the end", report, err)
			}
			r.agree(target, 5)
		})
	}
	t.Run("for good", func(t *testing.T) {
		r := newRig(t)
		r.some(3)
		target := broken(r.folder(t.TempDir()), times(1000, "create", errBroken))
		report, err := Copy(t.Context(), r, r.store, target, quick)
		if err != nil || report.Failed != 3 || !strings.Contains(report.Failures[0].Reason, "target: ") {
			t.Errorf("%+v, %v; want 3 failures that name the side", report, err)
		}
	})
	t.Run("for good, with many files", func(t *testing.T) {
		r := newRig(t)
		r.some(hopeless + 20)
		o := quick
		o.Tries = 1
		_, err := Copy(t.Context(), r, r.store, broken(r.folder(t.TempDir()), times(1000, "create", errBroken)), o)
		if !errors.Is(err, ErrHopeless) {
			t.Errorf("got %v, want the rest not to be tried", err)
		}
	})
}

// a store that cannot be reached is told before anything is done.
func TestR128ChecksBefore(t *testing.T) {
	r := newRig(t)
	r.some(2)
	target := r.folder(t.TempDir())
	for name, stores := range map[string][2]Store{
		"target": {r.store, broken(target, times(1, "ping", errBroken))},
		"source": {broken(r.store, func(string, string) error { return errBroken }), target},
	} {
		if _, err := Copy(t.Context(), r, stores[0], stores[1], quick); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("%s out of reach: %v", name, err)
		}
	}
	lost := r.folder(t.TempDir())
	if err := lost.Delete(t.Context(), cache.MarkerObject); err != nil {
		t.Fatal(err)
	}
	for _, stores := range [][2]Store{{lost, target}, {r.store, lost}} {
		_, err := Copy(t.Context(), r, stores[0], stores[1], quick)
		wantMarker(t, err)
	}
	if n := r.count("store_copy") + r.count(`location WHERE store <> $1`, r.store.ID); n > 0 {
		t.Error("something was begun")
	}
}

// A file that is not what the catalogue has of it is not copied, and named.
func TestCopyDamaged(t *testing.T) {
	r := newRig(t)
	r.some(4)
	target := r.folder(t.TempDir())
	whole, _ := packed("other\nrows\n")
	put(t, r.store, "results/k001.c.csv.gz", whole)
	put(t, r.store, "results/k002.c.csv.gz", []byte("no gzip file at all"))
	report := r.copyAll(target, quick)
	if report.Copied != 2 || report.Failed != 2 {
		t.Errorf("%+v, want two of each", report)
	}
	for _, f := range report.Failures {
		if !strings.Contains(f.Reason, "damaged") || !strings.Contains(f.Reason, f.Object) {
			t.Errorf("the failure %+v", f)
		}
	}
	if names := r.objects(target); len(names) != 2 {
		t.Errorf("the target has %q", names)
	}
}

// Bytes that change on their way into the target are found out, and written again.
func TestCopyVerifiesTheTarget(t *testing.T) {
	r := newRig(t)
	r.some(6)
	target := r.folder(t.TempDir())
	var spoiled atomic.Int64
	s := target
	s.Store = &spoiling{Store: target.Store, left: 3, spoiled: &spoiled}
	o := quick
	o.Parallel, o.Tries = 1, 5
	report, err := Copy(t.Context(), r, r.store, s, o)
	if err != nil || report.Copied != 6 || report.Failed > 0 || spoiled.Load() != 3 {
		t.Errorf("%+v, %v, %d spoiled; want 6 copied in spite of 3 spoiled", report, err, spoiled.Load())
	}
	r.agree(target, 6)
}

// spoiling changes the last byte of the first objects that it is given.
type spoiling struct {
	cache.Store
	left    int
	spoiled *atomic.Int64
}

func (s *spoiling) Create(ctx context.Context, name string, o cache.ObjectOptions) (cache.Writer, error) {
	w, err := s.Store.Create(ctx, name, o)
	if s.left--; s.left < 0 {
		return w, err
	}
	s.spoiled.Add(1)
	return &spoiler{Writer: w}, err
}

type spoiler struct{ cache.Writer }

func (s *spoiler) Write(p []byte) (int, error) {
	p = bytes.Clone(p)
	p[len(p)-1] ^= 1
	return s.Writer.Write(p)
}
