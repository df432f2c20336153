package blackbox

import (
	"fmt"
	"net/http"
	"testing"
)

func TestAssetReingest(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	t.Run("P-116 UnknownAsset", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		o.post("/spaces/1/images/nobody/reingest").wantHydra(t, http.StatusNotFound)
		o.post("/spaces/7/images/nobody/reingest").wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-117 OnlyImages", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		o.ingest(image(1, "film", "family", "T", "mediaType", "video/mp4"), image(1, "file", "family", "F", "mediaType", "application/pdf"))
		for _, key := range []string{"film", "file"} {
			o.post("/spaces/1/images/"+key+"/reingest").wantHydra(t, http.StatusBadRequest, "cannot reingest non-Image asset")
		}
	})
	t.Run("P-118 ErrorIsForgotten", func(t *testing.T) {
		o := s.newOwner(t)
		o.stored(o.space("s"), "a", "error = 'Failed'", "finished = now()")
		x := decode[member](t, o.post("/spaces/1/images/a/reingest").wantCode(t, http.StatusOK))
		if again := o.asset(1, "a"); fmt.Sprint(again) != fmt.Sprint(x) {
			t.Errorf("answered %v, the asset is %v", x, again)
		}
		if text, _ := x["error"].(string); text != "" || x["ingesting"] != true {
			t.Errorf("the asset is %v", x)
		}
	})
	t.Run("P-119 LeavesItsBatch", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		o.ingest(image(1, "a"))
		if x := o.asset(1, "a"); x["batch"] == nil {
			t.Fatalf("the asset is %v", x)
		}
		o.post("/spaces/1/images/a/reingest").wantCode(t, http.StatusOK)
		if x := o.asset(1, "a"); x["batch"] != nil {
			t.Errorf("its batch is %v", x["batch"])
		}
	})
	t.Run("P-122 HistoryStays", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		id := o.ingest(image(1, "a"), image(1, "b")).ID
		o.done(id, 1, "a", "b")
		before, assets := o.batch(id), o.get(at(id, "/assets?orderBy=id"))
		o.post("/spaces/1/images/a/reingest").wantCode(t, http.StatusOK)
		o.post("/spaces/1/images/a/outcome", `{"status": "error", "error": "worse"}`).wantCode(t, http.StatusOK)
		if after := o.batch(id); after != before {
			t.Errorf("the batch is %+v, was %+v", after, before)
		}
		o.wantMember(id, "a", "completed", "")
		if c := o.wantTotal(at(id, "/assets?orderBy=id"), 2, 2); c.Member[0]["finished"] != decode[collection[member]](t, assets).Member[0]["finished"] {
			t.Errorf("finished is %v in %s", c.Member[0]["finished"], assets.body)
		}
		if c := o.wantTotal(at(id, "/images"), 1, 1); c.Member[0]["id"] != "b" {
			t.Errorf("its image is %v", c.Member[0])
		}
	})
}

// Sizes are counted, where upstream keeps counters: they cannot be too large or too small.
// An ingester learns the batch of what it is to do, and what it says that nobody understands
// changes nothing.
func TestAssetWork(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	t.Run("P-102 CarriesTheBatch", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		b := o.ingest(image(1, "in"), image(1, "out"))
		o.done(b.ID, 1, "out")
		o.post("/spaces/1/images/out/reingest").wantCode(t, http.StatusOK)
		work := decode[collection[member]](t, o.get("/queue/work?limit=5").wantCode(t, http.StatusOK)).Member
		if len(work) != 2 || work[0]["id"] != "in" || work[0]["batch"] != b.URL || work[1]["id"] != "out" || work[1]["batch"] != nil {
			t.Fatalf("the work is %v", work)
		}
		for _, w := range work {
			s.in(t).post(w["outcome"].(string), bearer(o.key), jsonBody(`{"status": "completed"}`)).wantCode(t, http.StatusOK)
		}
		o.wantCounts(b.ID, 2, 2, 0, true)
		if x := o.asset(1, "out"); x["ingesting"] != false || x["batch"] != nil {
			t.Errorf("the asset is %v", x)
		}
	})
	t.Run("P-103 NotUnderstood", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		b := o.ingest(image(1, "a"))
		for _, body := range []string{"", "{", "[]", `{"status": "done"}`, `{"error": "x"}`, `{"status": 1}`, "\xff"} {
			o.post(at(b.ID, "/assets/1/a"), body).wantHydra(t, http.StatusBadRequest)
		}
		if again := o.batch(b.ID); again != b {
			t.Errorf("the batch is %+v, was %+v", again, b)
		}
	})
}

func TestAssetQueueSize(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	// with is a customer with a batch of so many images.
	with := func(t *testing.T, n int) (*owner, int64) {
		o := s.newOwner(t)
		o.space("s")
		var list []member
		for i := range n {
			list = append(list, image(1, fmt.Sprint("a", i)))
		}
		return o, o.ingest(list...).ID
	}
	t.Run("P-123 FirstBatch", func(t *testing.T) {
		o, _ := with(t, 123)
		o.wantQueue("/queue", 123, 123, 1)
	})
	t.Run("P-124 AnotherBatch", func(t *testing.T) {
		o, _ := with(t, 3)
		o.ingest(image(1, "b0"), image(1, "b1"))
		o.wantQueue("/queue", 5, 5, 2)
	})
	t.Run("P-125 OutcomeWithoutBatch", func(t *testing.T) {
		o := s.newOwner(t)
		o.stored(o.space("s"), "a", "ingesting = true")
		o.post("/spaces/1/images/a/outcome", `{"status": "completed"}`).wantCode(t, http.StatusOK)
		o.wantQueue("/queue", 0, 0, 0)
	})
	t.Run("P-126 Outcomes", func(t *testing.T) {
		o, id := with(t, 5)
		o.done(id, 1, "a0")
		o.outcome(id, 1, "a1", "error", "broken").wantCode(t, http.StatusOK)
		o.wantQueue("/queue", 3, 3, 1)
	})
	t.Run("P-127 NeverBelowZero", func(t *testing.T) {
		o, id := with(t, 2)
		o.done(id, 1, "a0", "a1", "a0", "a1", "a1")
		o.wantQueue("/queue", 0, 0, 0)
	})
}
