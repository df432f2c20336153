package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// queueSize is what waits in a queue.
type queueSize struct{ Size, ImagesWaiting, BatchesWaiting *int }

func (o *owner) wantQueue(path string, size, images, batches int) {
	o.t.Helper()
	a := o.get(path).wantCode(o.t, http.StatusOK)
	if d := cmp.Diff(queueSize{&size, &images, &batches}, decode[queueSize](o.t, a)); d != "" {
		o.t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// wantBatches checks the numbers of the batches of a list, in order.
func (o *owner) wantBatches(path string, want ...int64) {
	o.t.Helper()
	got, want := []int64{}, append([]int64{}, want...)
	list := o.batches(path)
	for _, b := range list.Member {
		got = append(got, b.ID)
	}
	if d := cmp.Diff(want, got); d != "" || list.Member == nil {
		o.t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// What is in the queue is counted from the open batches: upstream's stored sizes are not.
func TestAssetQueueSummary(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	three := func(o *owner, priority bool) {
		o.past(past{count: 5, completed: 5, priority: priority})
		o.past(past{count: 5, priority: priority})
		o.past(past{count: 100, superseded: true, priority: priority})
	}
	t.Run("P-001 UnknownCustomer", func(t *testing.T) {
		for _, id := range []string{"-1", "0", "2147483647", "99999999999999999999"} {
			s.in(t).get("/customers/"+id+"/queue", bearer(rootKey)).wantHydra(t, http.StatusNotFound)
		}
	})
	t.Run("P-002 NoBatches", func(t *testing.T) { s.newOwner(t).wantQueue("/queue", 0, 0, 0) })
	t.Run("P-003 OpenAndSuperseded", func(t *testing.T) {
		o := s.newOwner(t)
		three(o, false)
		o.wantQueue("/queue", 5, 5, 2)
	})
	t.Run("P-004 PriorityOfUnknownCustomer", func(t *testing.T) {
		s.in(t).get("/customers/-1/queue/priority", bearer(rootKey)).wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-005 PriorityWithoutBatches", func(t *testing.T) { s.newOwner(t).wantQueue("/queue/priority", 0, 0, 0) })
	t.Run("P-006 BatchesOfBothQueues", func(t *testing.T) {
		o := s.newOwner(t)
		three(o, false)
		o.past(past{count: 4, completed: 1, priority: true})
		o.wantQueue("/queue", 5, 8, 3)
		o.wantQueue("/queue/priority", 3, 8, 3)
	})
	t.Run("P-007 SummaryForAnybody", func(t *testing.T) {
		o := s.newOwner(t)
		before := decode[map[string]any](t, s.in(t).get("/queue").wantCode(t, http.StatusOK))
		o.past(past{count: 5, completed: 1})
		o.past(past{count: 3, priority: true})
		after := decode[map[string]any](t, s.in(t).get("/queue").wantCode(t, http.StatusOK))
		for name, more := range map[string]float64{"incoming": 4, "priority": 3} {
			from, _ := before[name].(float64)
			if to, ok := after[name].(float64); !ok || to != from+more {
				t.Errorf("%s: %v, then %v; want %v more", name, before[name], after[name], more)
			}
		}
	})
	t.Run("P-022 ErrorsDoNotWait", func(t *testing.T) {
		o := s.newOwner(t)
		o.past(past{count: 5, completed: 3, errors: 2})
		o.wantQueue("/queue", 0, 0, 1)
	})
}

func TestAssetBatchLists(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	f1 := s.newOwner(t)
	b := f1.f1()
	// on is the customer with the fixture in a subtest.
	on := func(t *testing.T) *owner {
		o := *f1
		o.t, o.s = t, s.in(t)
		return &o
	}
	t.Run("P-008 NoneActive", func(t *testing.T) { s.newOwner(t).wantBatches("/queue/active") })
	t.Run("P-009 Active", func(t *testing.T) { on(t).wantBatches("/queue/active", b[2], b[3], b[4]) })
	t.Run("P-010 PageOfActive", func(t *testing.T) {
		on(t).wantBatches("/queue/active?pageSize=2", b[2], b[3])
		on(t).wantBatches("/queue/active?pageSize=2&page=2", b[4])
	})
	t.Run("P-011 NoneRecent", func(t *testing.T) { s.newOwner(t).wantBatches("/queue/recent") })
	t.Run("P-012 RecentLatestFirst", func(t *testing.T) { on(t).wantBatches("/queue/recent", b[0], b[6], b[5]) })
	t.Run("P-014 NoBatches", func(t *testing.T) { s.newOwner(t).wantBatches("/queue/batches") })
	t.Run("P-015 AllByID", func(t *testing.T) { on(t).wantBatches("/queue/batches", b...) })
	t.Run("P-016 SecondPage", func(t *testing.T) { on(t).wantBatches("/queue/batches?pageSize=2&page=2", b[2], b[3]) })
	t.Run("P-017 UnknownBatch", func(t *testing.T) {
		for _, id := range []string{"-2", "0", "99999999999999999999", "x"} {
			on(t).get("/queue/batches/"+id).wantHydra(t, http.StatusNotFound)
		}
	})
	t.Run("P-018 OneBatch", func(t *testing.T) {
		got := on(t).wantCounts(b[4], 8, 2, 2, false)
		if got.ID != b[4] || got.Type != "vocab:Batch" || !strings.HasSuffix(got.Context, "Batch.jsonld") || got.URL != s.url+f1.path(at(b[4])) || got.Submitted == "" {
			t.Errorf("the batch is %+v", got)
		}
	})
	t.Run("P-019 View", func(t *testing.T) {
		o := on(t)
		page := func(url string) string {
			t.Helper()
			if url == "" {
				return ""
			}
			// Links are absolute and lead where they say.
			a := s.in(t).get(url, bearer(o.key)).wantCode(t, http.StatusOK)
			return fmt.Sprint(decode[collection[batch]](t, a).View.Page)
		}
		for n, want := range map[int][4]string{1: {"", "", "2", "4"}, 2: {"1", "1", "3", "4"}, 4: {"1", "3", "", ""}} {
			c := o.batches(fmt.Sprintf("/queue/batches?pageSize=2&page=%d", n))
			if c.View == nil {
				t.Fatalf("page %d has no view", n)
			}
			got := [4]string{page(c.View.First), page(c.View.Previous), page(c.View.Next), page(c.View.Last)}
			if c.TotalItems != 7 || c.PageSize != 2 || c.View.Page != n || c.View.TotalPages != 4 || c.View.PageSize != 2 || got != want {
				t.Errorf("page %d: %d of them, view %+v with links to %q, want %q", n, c.TotalItems, *c.View, got, want)
			}
		}
		if c := o.batches("/queue/batches?pageSize=100"); c.View != nil || c.Type != "Collection" || c.Context != "http://www.w3.org/ns/hydra/context.jsonld" {
			t.Errorf("the whole list is %+v", c)
		}
	})
	t.Run("P-020 OddPages", func(t *testing.T) {
		o := on(t)
		for size, want := range map[string]int{"0": 100, "-1": 100, "501": 100, "abc": 100, "": 100, "500": 500} {
			if c := o.batches("/queue/batches?pageSize=" + size); c.PageSize != want || len(c.Member) != 7 {
				t.Errorf("pageSize %q is %d with %d members, want %d with all", size, c.PageSize, len(c.Member), want)
			}
		}
		for _, page := range []string{"0", "-3", "abc"} {
			o.wantBatches("/queue/batches?pageSize=2&page="+page, b[0], b[1])
		}
		o.wantBatches("/queue/batches?pageSize=2&page=99")
		o.wantBatches("/queue/batches?pageSize=500&page=99999999999")
	})
	t.Run("P-021 RecentWithSuperseded", func(t *testing.T) {
		o := s.newOwner(t)
		o.wantBatches("/queue/recent", o.past(past{count: 1, completed: 1, finished: "now()", superseded: true}))
	})
	t.Run("P-023 AnothersBatch", func(t *testing.T) {
		s.newOwner(t).get(at(b[0])).wantHydra(t, http.StatusNotFound)
	})
}
