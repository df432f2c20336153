package blackbox

import (
	"net/http"
	"slices"
	"testing"
)

// reconcile has a batch counted again, and reports whether anything changed.
func (o *owner) reconcile(id int64) bool {
	o.t.Helper()
	got := decode[struct{ Success *bool }](o.t, o.post(at(id, "/test")).wantCode(o.t, http.StatusOK))
	if got.Success == nil {
		o.t.Fatal("the answer has no success")
	}
	return *got.Success
}

// wantReconciled checks what counting again says, and the events of the batch.
func (o *owner) wantReconciled(id int64, changed bool, events int) {
	o.t.Helper()
	if got := o.reconcile(id); got != changed {
		o.t.Errorf("success %t, want %t", got, changed)
	}
	if n := o.announced(id); n != events {
		o.t.Errorf("announced %d times, want %d", n, events)
	}
}

// Batches are counted from what is recorded of their members, never from the assets' present
// state, and what is finished stays as it is.
func TestAssetReconcile(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	// replaced is a batch whose only member is in a newer one, too.
	replaced := func(t *testing.T, finish bool) (*owner, int64) {
		o := s.newOwner(t)
		o.space("s")
		a := o.ingest(image(1, "x"))
		if finish {
			o.done(a.ID, 1, "x")
		}
		o.ingest(image(1, "x"))
		return o, a.ID
	}
	t.Run("P-078 UnknownBatch", func(t *testing.T) {
		s.newOwner(t).post("/queue/batches/-1200/test").wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-079 Superseded", func(t *testing.T) {
		o, id := replaced(t, false)
		o.wantReconciled(id, true, 1)
		b := o.batch(id)
		if !b.Superseded || b.Finished == "" || b.Count != 1 || b.Completed+b.Errors != 1 {
			t.Errorf("the batch is %+v", b)
		}
		o.wantBatches("/queue/recent", id)
	})
	t.Run("P-080 SupersededWhenFinished", func(t *testing.T) {
		o, id := replaced(t, true)
		before := o.batch(id)
		o.wantReconciled(id, true, 1) // the event of when it finished
		if b := o.batch(id); !b.Superseded || b.Finished != before.Finished {
			t.Errorf("the batch is %+v, was %+v", b, before)
		}
	})
	t.Run("P-081 CountedAgain", func(t *testing.T) {
		o := s.newOwner(t)
		rows := []string{"completed", "completed", "error", "completed"}
		id := o.past(past{count: 4, rows: rows, assets: true})
		o.wantReconciled(id, true, 1)
		if b := o.wantCounts(id, 4, 3, 1, true); b.Superseded {
			t.Error("it is superseded")
		}
		// The number of members is that of the POST, whatever is recorded.
		id = o.past(past{count: 100, completed: 90, errors: 4, rows: rows, assets: true})
		o.reconcile(id)
		if b := o.batch(id); b.Count != 100 || b.Superseded {
			t.Errorf("the batch is %+v", b)
		}
	})
	t.Run("P-082 NotYet", func(t *testing.T) {
		o := s.newOwner(t)
		id := o.past(past{count: 100, completed: 2, rows: []string{"completed", "completed", "waiting"}, assets: true})
		o.wantReconciled(id, false, 0)
		if b := o.wantCounts(id, 100, 2, 0, false); b.Superseded {
			t.Error("it is superseded")
		}
	})
	t.Run("P-083 FinishedStays", func(t *testing.T) {
		o := s.newOwner(t)
		id := o.past(past{count: 13, completed: 13, finished: "now() - interval '3 days'", rows: slices.Repeat([]string{"completed"}, 3), assets: true})
		before := o.batch(id)
		o.wantReconciled(id, false, 0)
		if b := o.batch(id); b != before {
			t.Errorf("the batch is %+v, was %+v", b, before)
		}
	})
	t.Run("P-085 Twice", func(t *testing.T) {
		o, id := replaced(t, false)
		o.wantReconciled(id, true, 1)
		before := o.batch(id)
		o.wantReconciled(id, false, 1)
		if b := o.batch(id); b != before {
			t.Errorf("the batch is %+v, was %+v", b, before)
		}
	})
	t.Run("P-086 HistoryOfTheSuperseded", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		a := o.ingest(image(1, "x"), image(1, "y"))
		o.done(a.ID, 1, "x")
		o.outcome(a.ID, 1, "y", "error", "broken").wantCode(t, http.StatusOK)
		o.ingest(image(1, "x"), image(1, "y"))
		o.wantReconciled(a.ID, true, 1)
		if b := o.wantCounts(a.ID, 2, 1, 1, true); !b.Superseded {
			t.Error("it is not superseded")
		}
		o.wantTotal(at(a.ID, "/assets"), 2, 2)
	})
	t.Run("DeletedIsNotSuperseded", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		id := o.ingest(image(1, "x")).ID
		o.done(id, 1, "x")
		o.do(http.MethodDelete, "/spaces/1/images/x").wantCode(t, http.StatusNoContent)
		o.wantReconciled(id, false, 1)
		if b := o.batch(id); b.Superseded {
			t.Error("it is superseded, by no other batch")
		}
	})
}
