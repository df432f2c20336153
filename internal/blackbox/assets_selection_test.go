package blackbox

import (
	"fmt"
	"net/http"
	"testing"
)

// f2 is upstream's second fixture: fourteen assets in three spaces, some of them in batches
// 101010 and 101011.
func (o *owner) f2() (first, second int64) {
	o.t.Helper()
	for i := 1; i <= 3; i++ {
		o.space(fmt.Sprint("space-", i))
	}
	for i, column := range []string{
		"string1 = 'foobar'", "string2 = 'foobar'", "string3 = 'foobar'", "number1 = 1", "number2 = 1", "number3 = 1",
	} {
		o.stored(1, fmt.Sprint(i+1), column)
	}
	o.stored(2, "7")
	o.stored(1, "8", "string1 = 'foo'", "string2 = 'bar'", "string3 = 'baz'", "number1 = 5", "number2 = 10", "number3 = 20")
	o.stored(2, "batch-1")
	for i := 2; i <= 4; i++ {
		o.stored(2, fmt.Sprint("batch-", i), "number3 = 1")
	}
	first = o.past(past{count: 3, completed: 1, errors: 1, rows: []string{}})
	for i, status := range []string{"waiting", "completed", "error"} {
		o.record(first, fmt.Sprint("2/batch-", i+1), status)
	}
	second = o.past(past{count: 2, completed: 2, finished: "now()", rows: []string{}})
	o.record(second, "2/batch-1", "completed")
	o.record(second, "2/batch-4", "completed")
	o.stored(3, "manifest-1", "manifests = '{foo,bar}'")
	o.stored(3, "manifest-2", "manifests = '{bar,baz}'", "number3 = 1")
	return first, second
}

func TestNamedQuerySelection(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	f2 := s.newOwner(t)
	first, second := f2.f2()
	n := 0
	selects := func(t *testing.T, o *owner, template string, keys ...string) {
		t.Helper()
		mine := *o
		mine.t, mine.s = t, s.in(t)
		n++
		name := fmt.Sprint("q", n)
		mine.named(name, template)
		mine.wantIDs(name, keys...)
	}
	ofSpace1 := []string{"1/1", "1/2", "1/3", "1/4", "1/5", "1/6", "1/8"}
	ofFirst := []string{"2/batch-1", "2/batch-2", "2/batch-3"}

	t.Run("P-164 Everything", func(t *testing.T) {
		selects(t, s.newOwner(t), "assetOrder=n1")
		o := *f2
		o.t, o.s = t, s.in(t)
		o.named("everything", "assetOrder=n1")
		if got := decode[[]string](t, o.run("everything").wantCode(t, http.StatusOK)); len(got) != 14 {
			t.Errorf("%d assets, want 14", len(got))
		}
	})
	t.Run("P-165 Tags", func(t *testing.T) {
		for template, key := range map[string]string{"s1=foobar": "1", "s2=foobar": "2", "s3=foobar": "3", "n1=1": "4", "n2=1": "5"} {
			selects(t, f2, template, "1/"+key)
		}
		selects(t, f2, "n3=1", "1/6", "2/batch-2", "2/batch-3", "2/batch-4", "3/manifest-2")
	})
	t.Run("P-166 Spaces", func(t *testing.T) {
		selects(t, f2, "space=1", ofSpace1...)
		selects(t, f2, "spacename=space-1", ofSpace1...)
		selects(t, f2, "space=1&spacename=nowhere", ofSpace1...)
		selects(t, f2, "spacename=nowhere")
	})
	t.Run("P-167 AllTags", func(t *testing.T) {
		selects(t, f2, "space=1&s1=foo&s2=bar&s3=baz&n1=5&n2=10&n3=20", "1/8")
		selects(t, f2, "space=1&s1=foo&s2=bar&s3=baz&n1=5&n2=10&n3=21")
	})
	t.Run("P-168 Batch", func(t *testing.T) { selects(t, f2, fmt.Sprint("batch=", first), ofFirst...) })
	t.Run("P-169 Batches", func(t *testing.T) {
		selects(t, f2, fmt.Sprintf("batch=%d,%d", first, second), append(ofFirst, "2/batch-4")...)
	})
	t.Run("P-171 Manifests", func(t *testing.T) {
		selects(t, f2, "manifest=bar", "3/manifest-1", "3/manifest-2")
		selects(t, f2, "manifest=foo,baz", "3/manifest-1", "3/manifest-2")
		selects(t, f2, "manifest=bar&n3=1", "3/manifest-2")
	})
	t.Run("P-172 Lookup", func(t *testing.T) {
		o, other := s.newOwner(t), s.newOwner(t)
		o.stored(o.space("s"), "own", "string1 = 'own'")
		o.stored(1, "global", "string1 = 'global'")
		other.stored(other.space("s"), "other", "string1 = 'global'")
		o.run("unknown/x").wantCode(t, http.StatusNotFound)
		t.Cleanup(func() { executeLate(t, s.db, "DELETE FROM slashbatch.named_query WHERE global") })
		other.globalQuery("everybodys", "s1=global")
		other.globalQuery("both", "s1=global")
		other.named("private", "s1=own")
		o.run("unknown/x").wantCode(t, http.StatusNotFound)
		o.run("private").wantCode(t, http.StatusNotFound)
		o.named("both", "s1=own")
		o.named("mine", "s1=own")
		o.wantIDs("mine", "1/own")
		o.wantIDs("both", "1/own")
		o.run("Both").wantCode(t, http.StatusNotFound)
		// A global one is run over the assets of whoever asks.
		o.wantIDs("everybodys", "1/global")
		other.wantIDs("everybodys", "1/other")
	})
	t.Run("P-173 UnknownFaultyFine", func(t *testing.T) {
		o := s.newOwner(t)
		o.stored(o.space("s"), "a", "number1 = 7")
		o.named("fine", "n1=p1")
		o.run("nothing/7").wantCode(t, http.StatusNotFound)
		o.run("fine/seven").wantCode(t, http.StatusBadRequest)
		o.wantIDs("fine/7", "1/a")
	})
	t.Run("P-174 AnothersBatch", func(t *testing.T) {
		o := s.newOwner(t)
		o.stored(o.space("s"), "a")
		o.named("q", "batch=p1")
		o.wantIDs(fmt.Sprint("q/", first))
		o.wantIDs(fmt.Sprintf("q/%d,%d", first, second))
	})
	t.Run("P-176 NotForDelivery", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		id := o.ingest(image(1, "a"), image(1, "b")).ID
		execute(t, s.db, fmt.Sprintf("UPDATE slashbatch.asset SET not_for_delivery = true WHERE id = '%d/1/b'", o.id))
		o.named("q", "batch=p1")
		o.wantIDs(fmt.Sprint("q/", id), "1/a")
		o.wantTotal(at(id, "/assets"), 2, 2)
	})
}
