package upkeep

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
)

// findings runs Verify, and returns what it has found, by object.
func (r *rig) findings(s Store, o VerifyOptions) (VerifyReport, map[string]string) {
	r.Helper()
	found := map[string]string{}
	o.OrphanAge = day
	o.Found = func(f Finding) { found[f.Object] = f.Kind }
	report, err := Verify(r.Context(), r, s, o)
	if err != nil {
		r.Fatal(err)
	}
	return report, found
}

func TestVerify(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(20)
	r.settle()
	r.agree(r.store, 20)
	object := func(i int) string { return fmt.Sprintf("results/k%03d.c.csv.gz", i) }
	spoiled, _ := packed("spoiled")
	put(t, r.store, object(3), spoiled)
	for _, i := range []int{5, 6} {
		if err := r.store.Delete(ctx, object(i)); err != nil {
			t.Fatal(err)
		}
	}
	r.old("results/orphan", 2*day)
	r.old("results/young", time.Hour)
	r.old("results/going", 2*day)
	r.change(`INSERT INTO slashbatch.removal (store, object) VALUES ($1, 'results/going')`, r.store.ID)
	s := broken(r.store, func(op, name string) error {
		if op == "open" && name == object(9) {
			return errBroken
		}
		return nil
	})
	want := map[string]string{object(3): KindDamaged, object(5): KindMissing, object(6): KindMissing, object(9): KindUnreadable, "results/orphan": KindOrphan}
	last := Progress{}
	report, found := r.findings(s, VerifyOptions{Progress: func(p Progress) {
		if p.Files > p.OfFiles || p.Files < last.Files || p.Bytes > p.OfBytes {
			t.Errorf("%+v came after %+v", p, last)
		}
		last = p
	}})
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	counted := report
	counted.Bytes = 0
	if counted != (VerifyReport{Files: 16, Missing: 2, Damaged: 1, Unreadable: 1, Orphaned: 1}) || report.Clean() || last.Files != 20 {
		t.Errorf("%+v, progress %+v", report, last)
	}
	if n := r.count(`location WHERE state <> 'live'`); n > 0 || len(r.listed()) != 1 {
		t.Error("looking has changed something")
	}

	// Asked to, it marks what is missing, and nothing else.
	if report, _ := r.findings(s, VerifyOptions{MarkMissing: true}); report.Marked != 2 {
		t.Errorf("%+v, want 2 marked", report)
	}
	if n := r.count(`location WHERE state = 'missing' AND object IN ($1, $2)`, object(5), object(6)); n != 2 {
		t.Errorf("%d are marked", n)
	}
	if report, found := r.findings(s, VerifyOptions{}); report.Missing != 0 || len(found) != 3 {
		t.Errorf("afterwards %+v, %v", report, found)
	}
}

// A store without its marker is looked at, and changed only in the right order.
func TestVerifyMarker(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(20)
	r.settle()
	if err := r.store.Delete(ctx, cache.MarkerObject); err != nil {
		t.Fatal(err)
	}
	if report, found := r.findings(r.store, VerifyOptions{}); report.Marker == "" || report.Clean() || len(found) > 0 {
		t.Errorf("without marker %+v, %v", report, found)
	}
	_, err := Verify(ctx, r, r.store, VerifyOptions{MarkMissing: true})
	wantMarker(t, err)
	if report, _ := r.findings(r.store, VerifyOptions{RestoreMarker: true}); !report.Restored || !report.Clean() {
		t.Errorf("the marker restored: %+v", report)
	}
	if err := ours(ctx, r, r.store); err != nil {
		t.Error(err)
	}

	// A bucket that was cleared: the marker alone does not come back, but with the files
	// marked as missing it does.
	cleared := Store{Store: openFolder(t, t.TempDir()), ID: r.store.ID, URL: r.store.URL}
	_, err = Verify(ctx, r, cleared, VerifyOptions{RestoreMarker: true})
	if _, stopped := errors.AsType[*BrakeError](err); !stopped {
		t.Errorf("got %v, want a stop", err)
	}
	if report, _ := r.findings(cleared, VerifyOptions{RestoreMarker: true, MarkMissing: true}); !report.Restored || report.Marked != 20 {
		t.Errorf("%+v, want 20 marked and the marker restored", report)
	}
}

func TestRetire(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	r.some(120) // more than go at a time
	target := r.folder(t.TempDir())
	others := []Store{target}
	r.Use(target.ID, r.store.ID)
	_, err := Retire(ctx, r, r.store, others)
	if sole, ok := errors.AsType[*SoleError](err); !ok || sole.Files != 120 {
		t.Errorf("got %v, want 120 files that no other store has", err)
	}
	r.agree(r.store, 120)
	r.copyAll(target, quick)
	if err := target.Delete(ctx, "results/k110.c.csv.gz"); err != nil {
		t.Fatal(err)
	}
	if _, err := r.MarkMissing(ctx, target.ID, []string{"results/k110.c.csv.gz"}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	_, err = Retire(ctx, r, r.store, others)
	if sole, ok := errors.AsType[*SoleError](err); !ok || sole.Files != 1 {
		t.Errorf("got %v, want the file that is missing from the other store", err)
	}
	r.agree(r.store, 120)
	r.copyAll(target, quick)
	r.old("results/orphan", time.Hour)
	r.old("premade/mine.csv", time.Hour)

	// Interrupted after each of its steps, it goes on.
	for i, fail := range []func(string, string) error{
		times(1, "delete", errBroken),
		func(op, name string) error {
			if op == "delete" && name == cache.MarkerObject {
				return errBroken
			}
			return nil
		},
	} {
		if _, err := Retire(ctx, r, broken(r.store, fail), others); !errors.Is(err, cache.ErrUnavailable) {
			t.Fatalf("interruption %d: %v", i, err)
		}
		if n := r.count(`store WHERE id = $1`, r.store.ID); n != 1 {
			t.Fatalf("interruption %d: the store is forgotten", i)
		}
	}
	if err := r.store.Delete(ctx, cache.MarkerObject); err != nil { // and died before the last step
		t.Fatal(err)
	}
	if _, err := Retire(ctx, r, r.store, others); err != nil {
		t.Fatal(err)
	}
	if _, err := Retire(ctx, r, r.store, others); err != nil {
		t.Errorf("once more: %v", err)
	}
	if n := r.count(`store WHERE id = $1`, r.store.ID) + r.count("removal"); n > 0 {
		t.Error("the store is still known")
	}
	if diff := cmp.Diff([]string{"premade/mine.csv"}, r.objects(r.store)); diff != "" {
		t.Errorf("left in the store (-want +got):\n%s", diff)
	}
	r.Use(target.ID)
	r.agree(target, 120)

	foreign := newRig(t).store
	foreign.ID = target.ID
	_, err = Retire(ctx, r, foreign, others)
	wantMarker(t, err)
}
