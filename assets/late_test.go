package assets

import (
	"fmt"
	"strings"
	"testing"
)

func (s shop) revision(batch int64) string {
	s.t.Helper()
	return s.value(`SELECT revision FROM slashbatch.batch WHERE id = $1`, batch)
}

// An outcome that comes too late changes its asset, which shows in what the batch's exports
// have; a success stays one, also when its record is gone.
func TestLateOutcomes(t *testing.T) {
	s := open(t)
	batch := s.post("good", "bad")
	s.record(batch, OutcomeCompleted, "", "good")
	s.record(batch, OutcomeError, "broken", "bad")
	s.wants(batch, "2/1/1 finished 1")
	asset := func(key string) string {
		return s.value(`SELECT format('%s %s %s', ingesting, error, width) FROM slashbatch.asset WHERE key = $1`, key)
	}
	before, wide := s.revision(batch), 640
	late, err := s.Record(t.Context(), s.customer, batch, []Outcome{{Space: 1, Key: "bad", Status: OutcomeCompleted, Width: &wide}})
	if err != nil || late != (Recorded{Late: 1}) || asset("bad") != "f  640" || s.revision(batch) == before {
		t.Errorf("%+v %v, the asset is %q, the revision %s was %s", late, err, asset("bad"), s.revision(batch), before)
	}
	before = s.revision(batch)
	s.record(batch, OutcomeCompleted, "", "bad")
	if s.revision(batch) != before {
		t.Error("a repetition changes the revision")
	}
	s.exec(`DELETE FROM slashbatch.batch_asset WHERE batch_id = $1`, batch)
	s.exec(`UPDATE slashbatch.batch SET pruned_count = 2, pruned_at = now() WHERE id = $1`, batch)
	s.record(batch, OutcomeError, "late", "good")
	if asset("good") != "f  " {
		t.Errorf("a success has become %q", asset("good"))
	}
	s.wants(batch, "2/1/1 finished 1")
	// Nothing came after it: what is gone says nothing.
	s.exec(`UPDATE slashbatch.asset SET batch = NULL`)
	if changed, err := s.Reconcile(t.Context(), s.customer, batch); changed || err != nil {
		t.Errorf("a pruned batch is reconciled: %v, %v", changed, err)
	}
	// Alone, the same.
	alone := Outcome{Space: 1, Key: "good", Status: OutcomeError, Error: "late"}
	if err := s.RecordAlone(t.Context(), s.customer, alone); err != nil || asset("good") != "f  " {
		t.Errorf("%v, the asset is %q", err, asset("good"))
	}
	if err := s.Reingest(t.Context(), s.customer, 1, "good"); err != nil {
		t.Fatal(err)
	}
	if err := s.RecordAlone(t.Context(), s.customer, alone); err != nil || asset("good") != "f late " {
		t.Errorf("%v, the asset is %q", err, asset("good"))
	}
}

// What PostgreSQL cannot take is the client's to mend, not a database that is away.
func TestValuesThatCannotBe(t *testing.T) {
	s := open(t)
	long := strings.Repeat("0123456789abcdef", 500)
	_, errName := s.CustomerByName(t.Context(), "a\xffb")
	_, errQuery := s.Query(t.Context(), s.customer, "a\x00b")
	_, errPost := s.CreateBatch(t.Context(), NewBatch{Customer: s.customer, IdempotencyKey: "\xff", Posting: Posting{Members: []Member{{ID: "a", Space: 1}}}})
	for _, err := range []error{errName, errQuery, errPost, s.DeleteAsset(t.Context(), s.customer, 1, "a\xff"), s.HasAsset(t.Context(), s.customer, 1, "\x00")} {
		s.refused(err, "the database does not take a value")
	}
	wantProblems(t, posted(good(fmt.Sprintf(`"string1":%q,"manifests":["m",%q]`, long, long))), four,
		"member[0].string1: is longer than 2000 bytes, which cannot be indexed", "member[0].manifests: has a name longer than 2000 bytes, which cannot be indexed")
	wantProblems(t, `{"member":[{"id":"..","space":1,"origin":"o","mediaType":"x"}]}`, four, "member[0].id: Asset Id cannot be ..: in a path it would lead elsewhere")
	wantProblems(t, `{"member":[{"id":"batch","space":1,"origin":"o","mediaType":"x"}]}`, Rules{Facade: "batch"}, "member[0].id: Asset Id cannot be batch: a path that ends so is an export's")
}

// A retry that is repeated with its key is one retry.
func TestRetryOnce(t *testing.T) {
	s := open(t)
	batch := s.post("a")
	s.record(batch, OutcomeError, "broken", "a")
	first, err := s.Retry(t.Context(), s.customer, batch, "once")
	again, errAgain := s.Retry(t.Context(), s.customer, batch, "once")
	other, errOther := s.Retry(t.Context(), s.customer, batch, "")
	if err != nil || errAgain != nil || errOther != nil || first != again || other == first {
		t.Errorf("%d, %d, %d: %v %v %v", first, again, other, err, errAgain, errOther)
	}
}
