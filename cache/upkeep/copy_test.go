package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
)

// quick tries often and waits little.
var quick = CopyOptions{Parallel: 4, Tries: 3, Pause: time.Millisecond}

// copyAll copies from the rig's store, and wants no error.
func (r *rig) copyAll(target Store, o CopyOptions) CopyReport {
	r.Helper()
	report, err := Copy(r.Context(), r, r.store, target, o)
	if err != nil {
		r.Fatal(err)
	}
	return report
}

// I-19, R-121, R-122, R-126, R-129: files are copied once, what is there already is
// skipped, and what came meanwhile is found; the source stays as it was.
func TestI19Copy(t *testing.T) {
	for _, kind := range []string{"file", "s3"} {
		t.Run(kind, func(t *testing.T) {
			r := newRig(t)
			r.some(40)
			before := r.objects(r.store)
			var target Store
			if kind == "s3" {
				target = r.bucket()
			} else {
				target = r.folder(t.TempDir())
			}
			var steps []Progress
			o := quick
			o.Progress = func(p Progress) { steps = append(steps, p) }
			report := r.copyAll(target, o)
			if report.Copied != 40 || report.Failed+report.Missing+report.Gone > 0 {
				t.Errorf("%+v, want 40 copied", report)
			}
			r.agree(target, 40)
			if diff := cmp.Diff(before, r.objects(r.store)); diff != "" {
				t.Errorf("the source has changed (-before +after):\n%s", diff)
			}
			// progress stays within its total and only grows.
			last := Progress{}
			for _, p := range steps {
				if p.Files > p.OfFiles || p.Bytes > p.OfBytes || p.Files < last.Files || p.Bytes < last.Bytes {
					t.Fatalf("%+v came after %+v", p, last)
				}
				last = p
			}
			if last.Files != 40 || last.OfFiles != 40 || last.Bytes != report.Bytes {
				t.Errorf("at the end it is at %+v", last)
			}
			r.publish("later", "more rows")
			if report := r.copyAll(target, quick); report.Copied != 1 {
				t.Errorf("the second run: %+v, want the one that is new", report)
			}
			if report := r.copyAll(target, quick); report.Copied != 0 {
				t.Errorf("the third run: %+v", report)
			}
			if n := r.count(`store_copy WHERE finished IS NULL`); n != 0 {
				t.Errorf("%d copies are noted as going on", n)
			}
			r.agree(target, 41)
			r.agree(r.store, 41)
		})
	}
}

// nothing to copy is success, and few files are no mistake in the progress.
func TestR119NothingToCopy(t *testing.T) {
	r := newRig(t)
	var last *Progress
	o := quick
	o.Progress = func(p Progress) { last = &p }
	if report := r.copyAll(r.folder(t.TempDir()), o); !cmp.Equal(report, CopyReport{}) {
		t.Errorf("%+v of nothing", report)
	}
	if last == nil || *last != (Progress{}) {
		t.Errorf("progress %+v", last)
	}
	r.some(1)
	if report := r.copyAll(r.folder(t.TempDir()), o); report.Copied != 1 || last.Files != 1 {
		t.Errorf("%+v, progress %+v", report, last)
	}
}

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

// Results that go, or get another file, while they are copied leave nothing behind.
func TestCopyWhileThingsGo(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(3)
	target := r.folder(t.TempDir())
	object := func(i int) string { return fmt.Sprintf("results/k%03d.c.csv.gz", i) }
	rows := func(i int) string { return fmt.Sprintf("id\n%d\n%s", i, strings.Repeat("row\n", i)) }
	done := map[string]bool{}
	s := broken(target, func(op, name string) error {
		if op != "create" || done[name] {
			return nil
		}
		done[name] = true
		switch name {
		case object(0): // evicted, and removed
			r.change(`UPDATE slashbatch.request SET expires = now() WHERE key = 'k000'`)
			r.change(`UPDATE slashbatch.result SET accessed = now() - interval '1 year' WHERE id = (SELECT result FROM slashbatch.request WHERE key = 'k000')`)
			if freed, err := r.Evict(ctx, cache.Retention{Grace: time.Hour, Results: time.Hour}); err != nil || freed.Results() != 1 {
				t.Error(freed, err)
			}
			if _, err := Remove(ctx, r, r.store); err != nil {
				t.Error(err)
			}
		case object(1): // found to be missing, and made again by another run
			if err := r.store.Delete(ctx, object(1)); err != nil {
				t.Error(err)
			}
			if err := r.Missing(ctx, object(1)); err != nil {
				t.Error(err)
			}
			again, sum := packed(rows(1))
			put(t, r.store, "results/again.gz", again)
			if _, kept, err := r.Publish(ctx, cache.Publication{
				Key: "k001", Owner: cache.OwnerShared, Job: "again", Claim: "c", Submitted: time.Now(), Generated: time.Now(), MaxAge: time.Hour,
				File: cache.File{Object: "results/again.gz", Stored: int64(len(again)), Rows: 1, Bytes: int64(len(rows(1))), SHA256: sum, ContentType: "text/csv"},
			}); err != nil || !kept {
				t.Error(kept, err)
			}
		}
		return nil
	})
	o := quick
	o.Parallel = 1
	report, err := Copy(ctx, r, r.store, s, o)
	if err != nil || report.Failed > 0 || report.Copied != 2 {
		t.Errorf("%+v, %v; want the two that are left copied", report, err)
	}
	if diff := cmp.Diff([]string{"results/again.gz", object(2)}, r.objects(target)); diff != "" {
		t.Errorf("in the target (-want +got):\n%s", diff)
	}
	r.agree(target, 2)
	r.agree(r.store, 2)
}

// Of two copies from one store the second is told to wait.
func TestOneCopyAtATime(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(1)
	target := r.folder(t.TempDir())
	release, err := r.LockCopy(ctx, r.store.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Copy(ctx, r, r.store, target, quick); !errors.Is(err, cache.ErrBusy) {
		t.Errorf("got %v, want ErrBusy", err)
	}
	release()
	for deadline := time.Now().Add(10 * time.Second); ; { // the server ends the session in a moment
		report, err := Copy(ctx, r, r.store, target, quick)
		if err == nil && report.Copied == 1 {
			break
		}
		if !errors.Is(err, cache.ErrBusy) || time.Now().After(deadline) {
			t.Fatal(report, err)
		}
	}
}

// A copy that is interrupted says so, and is gone on with by the next.
func TestCopyInterrupted(t *testing.T) {
	r := newRig(t)
	r.some(20)
	target := r.folder(t.TempDir())
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o := quick
	o.Progress = func(p Progress) {
		if p.Files == 7 {
			stop()
		}
	}
	report, err := Copy(ctx, r, r.store, target, o)
	if !errors.Is(err, context.Canceled) || report.Copied < 7 || report.Copied == 20 {
		t.Errorf("%+v, %v; want it to be interrupted", report, err)
	}
	var rest CopyReport
	for range 100 { // until the lock of the first is gone
		if rest, err = Copy(t.Context(), r, r.store, target, quick); !errors.Is(err, cache.ErrBusy) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil || rest.Copied+report.Copied != 20 || rest.Failed > 0 {
		t.Errorf("%d were copied, then %+v, %v; want 20 in all", report.Copied, rest, err)
	}
	r.agree(target, 20)
}

// While files are copied, and afterwards without the source, readers find all of them.
func TestReadersThroughFallback(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(30)
	target := r.folder(t.TempDir())
	r.Use(target.ID, r.store.ID)
	both := cache.Fallback(target.Store, r.store.Store)
	read := func(i int) {
		e, err := r.ByKey(ctx, fmt.Sprintf("k%03d", i))
		if err != nil {
			t.Errorf("result %d: %v", i, err)
			return
		}
		body, _, err := both.Open(ctx, e.File.Object, 0, -1)
		if err == nil {
			_, err = io.Copy(io.Discard, body)
			body.Close()
		}
		if err != nil {
			t.Errorf("file %d: %v", i, err)
		}
	}
	o := quick
	o.Progress = func(p Progress) { read(p.Files % 30) }
	r.copyAll(target, o)
	r.Use(target.ID)
	both = target.Store
	for i := range 30 {
		read(i)
	}
}
