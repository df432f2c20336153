package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// noted is what an ingester is told about its outcomes.
type noted struct{ Recorded, Unchanged, Late int }

func (o *owner) wantTold(a answer, want noted) {
	o.t.Helper()
	if got := decode[noted](o.t, a.wantCode(o.t, http.StatusOK)); got != want {
		o.t.Errorf("told %+v, want %+v", got, want)
	}
}

// wantMember checks what a batch says about one of its members.
func (o *owner) wantMember(id int64, key, status, why string) {
	o.t.Helper()
	for _, m := range o.assets(at(id, "/assets")).Member {
		if m["id"] != key {
			continue
		}
		text, _ := m["error"].(string)
		if m["status"] != status || text != why || (m["finished"] != nil) != (status != "waiting") {
			o.t.Errorf("%s is %v (%q, finished %v), want %s (%q)", key, m["status"], text, m["finished"], status, why)
		}
		return
	}
	o.t.Errorf("%s is not recorded", key)
}

func TestAssetOutcomes(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	// with is a customer with a batch of images a, b, c and so on: so many that wait, and those
	// that are over, E in error and C completed.
	with := func(t *testing.T, waiting int, over string) (*owner, int64) {
		o := s.newOwner(t)
		o.space("s")
		var list []member
		for i := range waiting + len(over) {
			list = append(list, image(1, string(rune('a'+i))))
		}
		id := o.ingest(list...).ID
		for i, status := range over {
			key := string(rune('a' + waiting + i))
			if status == 'C' {
				o.done(id, 1, key)
			} else {
				o.outcome(id, 1, key, "error", "earlier").wantCode(t, http.StatusOK)
			}
		}
		return o, id
	}
	t.Run("P-087 OnlyTheBatchThatIsNamed", func(t *testing.T) {
		o, first := with(t, 1, "")
		second, third := o.ingest(image(1, "a")).ID, o.ingest(image(1, "a")).ID
		o.done(first, 1, "a")
		o.wantCounts(first, 1, 1, 0, true)
		for _, id := range []int64{second, third} {
			o.wantCounts(id, 1, 0, 0, false)
			o.wantMember(id, "a", "waiting", "")
		}
	})
	t.Run("P-088 NotOfThisBatch", func(t *testing.T) {
		o, id := with(t, 1, "")
		o.ingest(image(1, "z"))
		o.outcome(id, 1, "z", "completed", "").wantHydra(t, http.StatusNotFound)
		o.wantCounts(id, 1, 0, 0, false)
	})
	t.Run("P-089 WithoutBatch", func(t *testing.T) {
		o, id := with(t, 1, "")
		o.post("/spaces/1/images/a/reingest").wantCode(t, http.StatusOK)
		o.post("/spaces/1/images/a/outcome", `{"status": "completed"}`).wantCode(t, http.StatusOK)
		o.wantCounts(id, 1, 0, 0, false)
		o.wantMember(id, "a", "waiting", "")
	})
	t.Run("P-090 UnknownAsset", func(t *testing.T) {
		o, id := with(t, 1, "")
		o.outcome(id, 1, "nobody", "completed", "").wantHydra(t, http.StatusNotFound)
		o.post("/spaces/1/images/nobody/outcome", `{"status": "completed"}`).wantHydra(t, http.StatusNotFound)
		o.wantCounts(id, 1, 0, 0, false)
	})
	t.Run("P-091 OneFails", func(t *testing.T) {
		o, id := with(t, 2, "EC")
		o.wantTold(o.outcome(id, 1, "a", "error", "broken state"), noted{Recorded: 1})
		o.wantCounts(id, 4, 1, 2, false)
		o.wantMember(id, "a", "error", "broken state")
		if x := o.asset(1, "a"); x["error"] != "broken state" {
			t.Errorf("the asset is %v", x)
		}
		if o.announced(id) != 0 {
			t.Error("it was announced")
		}
	})
	t.Run("P-092 OneSucceeds", func(t *testing.T) {
		o, id := with(t, 2, "EC")
		o.done(id, 1, "a")
		o.wantCounts(id, 4, 2, 1, false)
		o.wantMember(id, "a", "completed", "")
		if o.announced(id) != 0 {
			t.Error("it was announced")
		}
	})
	t.Run("P-093 NotFinishedYet", func(t *testing.T) {
		o, id := with(t, 2, "E")
		o.outcome(id, 1, "a", "waiting", "").wantCode(t, http.StatusOK)
		o.wantCounts(id, 3, 0, 1, false)
		o.wantMember(id, "a", "waiting", "")
		if x := o.asset(1, "a"); x["ingesting"] != true || o.announced(id) != 0 {
			t.Errorf("the asset is %v, announced %d times", x, o.announced(id))
		}
	})
	for status, counts := range map[string][2]int{"completed": {2, 1}, "error": {1, 2}} {
		t.Run("P-094 LastOne "+status, func(t *testing.T) {
			o, id := with(t, 1, "EC")
			o.outcome(id, 1, "a", status, strings.TrimPrefix(status, "completed")).wantCode(t, http.StatusOK)
			o.wantCounts(id, 3, counts[0], counts[1], true)
			if n := o.announced(id); n != 1 {
				t.Errorf("announced %d times, want once", n)
			}
		})
	}
	t.Run("P-096 OutsideOfAnyBatch", func(t *testing.T) {
		o := s.newOwner(t)
		o.stored(o.space("s"), "a", "ingesting = true", "error = 'before'")
		o.post("/spaces/1/images/a/outcome", `{"status": "completed"}`).wantCode(t, http.StatusOK)
		if x := o.asset(1, "a"); x["ingesting"] == true || x["finished"] == nil || x["error"] == "before" {
			t.Errorf("the asset is %v", x)
		}
		if n := o.value("SELECT count(*) FROM slashbatch.outbox WHERE customer = %d", o.id); n != "0" {
			t.Errorf("%s events", n)
		}
	})
	t.Run("P-097 NoOutcome", func(t *testing.T) {
		o, id := with(t, 1, "")
		for _, body := range []string{"", "{", "{}", "[]", `{"status": "done"}`, `{"status": 3}`, `{"status": ""}`, `{"status": "Completed!"}`} {
			o.post(at(id, "/assets/1/a"), body).wantHydra(t, http.StatusBadRequest)
		}
		for _, body := range []string{"{}", `{"member": []}`, `{"member": [{"space": 1, "id": "a"}]}`, `{"member": [{"id": "a", "status": "completed"}]}`} {
			o.post(at(id, "/outcomes"), body).wantHydra(t, http.StatusBadRequest)
		}
		o.wantCounts(id, 1, 0, 0, false)
		o.wantMember(id, "a", "waiting", "")
	})
	t.Run("P-098 EndToEnd", func(t *testing.T) {
		o, id := with(t, 1, "")
		if work := o.assets("/queue/work?limit=5").Member; len(work) != 1 || work[0]["id"] != "a" {
			t.Fatalf("the work is %v", work)
		}
		o.done(id, 1, "a")
		o.wantMember(id, "a", "completed", "")
		if x := o.asset(1, "a"); x["finished"] == nil || x["ingesting"] == true || (x["error"] != nil && x["error"] != "") {
			t.Errorf("the asset is %v", x)
		}
	})
	t.Run("P-101 NoSuchBatch", func(t *testing.T) {
		o, id := with(t, 1, "")
		for _, none := range []int64{0, -1, id + 1_000_000} {
			o.outcome(none, 1, "a", "completed", "").wantHydra(t, http.StatusNotFound)
		}
		o.wantMember(id, "a", "waiting", "")
	})
	t.Run("P-105 NewMembersWait", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		id := o.ingest(image(1, "a")).ID
		if got := o.value("SELECT status || ' ' || (finished IS NULL) FROM slashbatch.batch_asset WHERE batch_id = %d", id); got != "waiting true" {
			t.Errorf("recorded as %q", got)
		}
		o.wantMember(id, "a", "waiting", "")
	})
	t.Run("P-106 Twice", func(t *testing.T) {
		o, id := with(t, 2, "")
		o.wantTold(o.outcome(id, 1, "a", "completed", ""), noted{Recorded: 1})
		before := o.batch(id)
		o.wantTold(o.outcome(id, 1, "a", "completed", ""), noted{Unchanged: 1})
		if b := o.wantCounts(id, 2, 1, 0, false); b != before {
			t.Errorf("the batch is %+v, was %+v", b, before)
		}
		o.done(id, 1, "b", "b", "a")
		o.wantCounts(id, 2, 2, 0, true)
		if n := o.announced(id); n != 1 {
			t.Errorf("announced %d times, want once", n)
		}
	})
	t.Run("P-110 DeletedWhileWaiting", func(t *testing.T) {
		o, id := with(t, 1, "CC")
		o.do(http.MethodDelete, "/spaces/1/images/a").wantCode(t, http.StatusNoContent)
		o.wantCounts(id, 3, 2, 1, true)
		if got := o.value("SELECT status || ': ' || error FROM slashbatch.batch_asset WHERE batch_id = %d AND asset_id LIKE '%%/a'", id); got != "error: deleted" {
			t.Errorf("recorded as %q", got)
		}
		if n := o.announced(id); n != 1 {
			t.Errorf("announced %d times, want once", n)
		}
	})
	t.Run("P-112 AfterPruning", func(t *testing.T) {
		o, id := with(t, 1, "C")
		o.done(id, 1, "a")
		execute(t, s.db, fmt.Sprintf("DELETE FROM slashbatch.batch_asset WHERE batch_id = %d; UPDATE slashbatch.batch SET pruned_at = now(), pruned_count = 2 WHERE id = %[1]d", id))
		a := o.outcome(id, 1, "a", "error", "too late")
		if a.code != http.StatusOK && a.code != http.StatusNotFound {
			t.Errorf("answered %d: %s", a.code, a.body)
		}
		o.wantCounts(id, 2, 2, 0, true)
	})
	t.Run("ErrorThenSuccess", func(t *testing.T) {
		o, id := with(t, 2, "")
		o.outcome(id, 1, "a", "error", "first try").wantCode(t, http.StatusOK)
		o.done(id, 1, "a")
		o.wantMember(id, "a", "completed", "")
		o.done(id, 1, "b")
		// Finished is frozen: later outcomes are late, and a success stays one.
		before := o.batch(id)
		o.wantTold(o.outcome(id, 1, "a", "error", "too late"), noted{Late: 1})
		if b := o.batch(id); b != before {
			t.Errorf("the batch is %+v, was %+v", b, before)
		}
		o.wantMember(id, "a", "completed", "")
		if x := o.asset(1, "a"); x["error"] != "" {
			t.Errorf("the asset is %v", x)
		}
	})
	t.Run("Many", func(t *testing.T) {
		o, id := with(t, 3, "C")
		o.wantTold(o.post(at(id, "/outcomes"), `{"member": [{"space": 1, "id": "a", "status": "completed"}, {"space": 1, "id": "b", "status": "error", "error": "why"},
			{"space": 1, "id": "c", "status": "waiting"}, {"space": 1, "id": "d", "status": "completed"}]}`), noted{Recorded: 2, Unchanged: 2})
		o.wantCounts(id, 4, 2, 1, false)
	})
}
