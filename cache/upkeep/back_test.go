package upkeep

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
)

// mislaid is a rig whose files were all noted as missing, as by downloads while another
// folder was mounted.
func mislaid(t *testing.T, files int) *rig {
	t.Helper()
	r := newRig(t)
	r.some(files)
	for _, object := range r.objects(r.store) {
		if err := r.Missing(t.Context(), object); err != nil {
			t.Fatal(err)
		}
	}
	r.settle()
	return r
}

// found wants some keys to be answered, and no others.
func (r *rig) found(all []string, want ...string) {
	r.Helper()
	for _, key := range all {
		_, err := r.ByKey(r.Context(), key)
		if is := slices.Contains(want, key); is && err != nil || !is && !errors.Is(err, cache.ErrNotFound) {
			r.Errorf("%s: %v, want it found: %t", key, err, is)
		}
	}
}

var four = []string{"k000", "k001", "k002", "k003"}

// A walk brings back what is there with its size. What is not, or is cut short, or was noted
// as missing after the walk began, stays as it is.
func TestWalkBringsBackWhatIsThere(t *testing.T) {
	r, ctx := mislaid(t, 4), t.Context()
	put(t, r.store, "results/k001.c.csv.gz", []byte("cut"))
	if err := r.store.Delete(ctx, "results/k002.c.csv.gz"); err != nil {
		t.Fatal(err)
	}
	r.change(`UPDATE slashbatch.location SET verified = now() + interval '1 hour' WHERE object LIKE '%k003%'`)
	report, err := Walk(ctx, r, r.store, day)
	if want := (WalkReport{Back: 1}); err != nil || report != want || !strings.Contains(report.String(), "1 files came back") {
		t.Errorf("%+v, %v; want %+v", report, err, want)
	}
	r.found(four, "k000")
	r.settle()
	if report, err := Walk(ctx, r, r.store, day); err != nil || report != (WalkReport{Files: 1, Back: 1}) {
		t.Errorf("the next one: %+v, %v", report, err)
	}
	r.found(four, "k000", "k003")
}

// Verify looks at the content, and brings back only what is whole, if it is asked to.
func TestVerifyBringsBackWhatIsWhole(t *testing.T) {
	r, ctx := mislaid(t, 4), t.Context()
	whole := "results/k001.c.csv.gz"
	body, o, err := r.store.Open(ctx, whole, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_ = body.Close()
	put(t, r.store, whole, make([]byte, o.Size)) // of the right length
	if err := r.store.Delete(ctx, "results/k002.c.csv.gz"); err != nil {
		t.Fatal(err)
	}
	for _, mark := range []bool{false, true} {
		report, found := r.findings(r.store, VerifyOptions{MarkMissing: mark})
		if report.Back != 2 || report.Files != 0 || report.Missing != 0 || len(found) != 1 || found[whole] != KindDamaged {
			t.Errorf("marking %t: %+v, %v; want 2 that came back, and one damaged", mark, report, found)
		}
		if mark {
			r.found(four, "k000", "k003")
		} else {
			r.found(four)
		}
	}
}

// The rows of an early step of a SQL job are an object long before the job publishes them.
// A walk leaves them alone, but not for ever.
func TestWalkLeavesDraftsAlone(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	const object = "results/ab/job.claim.1-1.csv.gz"
	r.old(object, 40*day)
	if err := r.Draft(ctx, object); err != nil {
		t.Fatal(err)
	}
	if report, err := Walk(ctx, r, r.store, day); err != nil || report != (WalkReport{}) {
		t.Errorf("%+v, %v; want nothing", report, err)
	}
	if report, found := r.findings(r.store, VerifyOptions{}); len(found) > 0 {
		t.Errorf("%+v, %v", report, found)
	}
	if n, err := r.AddOrphans(ctx, r.store.ID, []string{object}); n != 0 || err != nil {
		t.Errorf("%d listed, %v", n, err)
	}
	// Listed before it was noted: the note takes it off the list.
	r.change(`INSERT INTO slashbatch.removal (store, object) VALUES ($1, $2)`, r.store.ID, object)
	if err := r.Draft(ctx, object); err != nil || len(r.listed()) > 0 {
		t.Errorf("listed %q, %v", r.listed(), err)
	}
	if _, removed, err := Tidy(ctx, r, []Store{r.store}, cache.Retention{Grace: day, Results: day, Runs: day}); err != nil || removed.Objects > 0 || r.count("draft") != 1 {
		t.Errorf("removed %+v, %v; %d drafts", removed, err, r.count("draft"))
	}
	r.change(`UPDATE slashbatch.draft SET made = now() - interval '31 days'`)
	if report, err := Walk(ctx, r, r.store, day); err != nil || report.Listed != 1 {
		t.Errorf("after 31 days: %+v, %v", report, err)
	}
	if _, _, err := Tidy(ctx, r, []Store{r.store}, cache.Retention{Grace: day, Results: day, Runs: day}); err != nil || r.count("draft") > 0 || len(r.objects(r.store)) > 0 {
		t.Errorf("%d drafts and %q are left, %v", r.count("draft"), r.objects(r.store), err)
	}
}

// The draft of an object that has become a file is swept, a young one without is not.
func TestExpireDropsDraftsOfFiles(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	e := r.publish("k", "id\n1\n")
	for _, object := range []string{e.File.Object, "results/young"} {
		if err := r.Draft(ctx, object); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Expire(ctx, cache.Retention{Grace: time.Hour, Results: time.Hour, Runs: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if n := r.count(`draft WHERE object = 'results/young'`); n != 1 || r.count("draft") != 1 {
		t.Errorf("%d drafts are left, want the young one", r.count("draft"))
	}
}
