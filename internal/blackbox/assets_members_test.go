package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// tagged are four assets, two of which have both tags of taggedQuery.
var tagged = [][]any{
	{"string1", "x", "number2", 5}, {"string1", "x", "number2", 5, "string2", "y"}, {"string1", "x", "number2", 6}, {"string1", "z", "number2", 5},
}

const taggedQuery = `{"string1": "x", "number2": 5}`

func TestAssetMembers(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	// three is a customer with a batch of so many images.
	with := func(t *testing.T, n int) (*owner, int64) {
		o := s.newOwner(t)
		space := o.space("s")
		var list []member
		for i := range n {
			list = append(list, image(space, fmt.Sprintf("a%d", i), tagged[i]...))
		}
		return o, o.ingest(list...).ID
	}
	t.Run("P-024 ImagesOfUnknownBatch", func(t *testing.T) {
		s.newOwner(t).get("/queue/batches/-1200/images").wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-025 Images", func(t *testing.T) {
		o, id := with(t, 3)
		o.wantTotal(at(id, "/images"), 3, 3)
	})
	t.Run("P-026 SecondPageOfImages", func(t *testing.T) {
		o, id := with(t, 3)
		o.wantTotal(at(id, "/images?pageSize=2&page=2"), 3, 1)
	})
	t.Run("P-028 AssetsOfUnknownBatch", func(t *testing.T) {
		s.newOwner(t).get("/queue/batches/-1200/assets").wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-029 AssetsOfAnothersBatch", func(t *testing.T) {
		_, id := with(t, 1)
		s.newOwner(t).get(at(id, "/assets")).wantHydra(t, http.StatusNotFound)
		s.newOwner(t).get(at(id, "/images")).wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-030 Assets", func(t *testing.T) {
		o, id := with(t, 2)
		o.outcome(id, 1, "a1", "error", "no such file").wantCode(t, http.StatusOK)
		c := o.wantTotal(at(id, "/assets?orderBy=id"), 2, 2)
		if m := c.Member[0]; m["id"] != "a0" || m["status"] != "waiting" || m["finished"] != nil || m["space"] != 1.0 || m["string1"] != "x" {
			t.Errorf("the waiting member is %v", m)
		}
		if m := c.Member[1]; m["id"] != "a1" || m["status"] != "error" || m["error"] != "no such file" || m["finished"] == nil {
			t.Errorf("the failed member is %v", m)
		}
		o.wantTotal(at(id, "/assets?status=error"), 1, 1)
		o.wantTotal(at(id, "/assets?status=waiting"), 1, 1)
		o.wantTotal(at(id, "/assets?status=completed"), 0, 0)
	})
	t.Run("P-031 SecondPageOfAssets", func(t *testing.T) {
		o, id := with(t, 3)
		first, second := o.wantTotal(at(id, "/assets?pageSize=2"), 3, 2), o.wantTotal(at(id, "/assets?pageSize=2&page=2"), 3, 1)
		// All created at once: the pages hold each member once all the same.
		seen := map[any]bool{first.Member[0]["id"]: true, first.Member[1]["id"]: true, second.Member[0]["id"]: true}
		if len(seen) != 3 {
			t.Errorf("the pages have %v", seen)
		}
	})
	t.Run("P-032 AssetsByQuery", func(t *testing.T) {
		o, id := with(t, 4)
		for _, list := range []string{"/assets", "/images"} {
			c := o.wantTotal(at(id, list, "?pageSize=1&q="+url.QueryEscape(taggedQuery)), 2, 1)
			if c.View == nil || c.View.Next == "" {
				t.Fatalf("%s: the first page of two has the view %+v", list, c.View)
			}
			// The link goes on in the same list.
			next := decode[collection[member]](t, s.in(t).get(c.View.Next, bearer(o.key)).wantCode(t, http.StatusOK))
			if next.TotalItems != 2 || len(next.Member) != 1 || next.Member[0]["id"] == c.Member[0]["id"] {
				t.Errorf("%s: behind %v comes %v, of %d", list, c.Member, next.Member, next.TotalItems)
			}
		}
	})
	t.Run("P-033 InTwoBatches", func(t *testing.T) {
		o, a := with(t, 1)
		b := o.ingest(image(1, "a0"))
		o.wantTotal(at(a, "/images"), 0, 0)
		o.wantTotal(at(b.ID, "/images"), 1, 1)
		o.wantTotal(at(a, "/assets"), 1, 1)
		o.wantTotal(at(b.ID, "/assets"), 1, 1)
		x := o.asset(1, "a0")
		if x["batch"] != b.URL {
			t.Errorf("the asset's batch is %v, want %s", x["batch"], b.URL)
		}
		if x["string1"] != "x" {
			t.Errorf("what the second POST left out has become %v", x["string1"])
		}
		c := o.wantTotal("/spaces/1/images/a0/batches", 2, 2)
		for i, want := range []int64{b.ID, a} {
			if got := fmt.Sprint(c.Member[i]); !strings.Contains(got, fmt.Sprint(want)) {
				t.Errorf("batch %d of the asset is %v, want %d", i, got, want)
			}
		}
	})
	t.Run("P-034 NothingMatches", func(t *testing.T) {
		o, id := with(t, 2)
		o.wantTotal(at(id, "/assets?string1=nobody"), 0, 0)
		o.wantTotal(at(id, "/images?string1=nobody"), 0, 0)
	})
	t.Run("P-035 BrokenQuery", func(t *testing.T) {
		o, id := with(t, 1)
		for _, q := range []string{"{broken", "x", "7", `"x"`} {
			o.get(at(id, "/assets?q="+url.QueryEscape(q))).wantHydra(t, http.StatusBadRequest, "Could not parse query")
			o.get(at(id, "/images?q="+url.QueryEscape(q))).wantHydra(t, http.StatusBadRequest, "Could not parse query")
		}
	})
	t.Run("P-036 DeletedAfterwards", func(t *testing.T) {
		o, id := with(t, 2)
		o.done(id, 1, "a0", "a1")
		o.do(http.MethodDelete, "/spaces/1/images/a0").wantCode(t, http.StatusNoContent)
		o.get("/spaces/1/images/a0").wantHydra(t, http.StatusNotFound)
		o.wantTotal(at(id, "/assets"), 1, 1)
		o.wantCounts(id, 2, 2, 0, true)
	})
	t.Run("P-038 BatchWithoutRecords", func(t *testing.T) {
		o := s.newOwner(t)
		space := o.space("s")
		id := o.past(past{count: 2, completed: 2, finished: "now()", rows: []string{}})
		for _, key := range []string{"a", "b"} {
			o.stored(space, key, fmt.Sprintf("batch = %d", id))
		}
		o.wantTotal(at(id, "/assets"), 0, 0)
		o.wantTotal(at(id, "/images"), 2, 2)
	})
}
