package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
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
	// A file may have landed whose answer came too late to be counted.
	if all := rest.Copied + report.Copied; err != nil || all > 20 || all < 20-o.Parallel || rest.Failed > 0 {
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
