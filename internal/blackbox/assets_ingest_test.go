package blackbox

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// wantRecords checks how many members of a batch are recorded with a status.
func (o *owner) wantRecords(id int64, status string, want int) {
	o.t.Helper()
	if got := o.value("SELECT count(*) FROM slashbatch.batch_asset WHERE batch_id = %d AND status = '%s'", id, status); got != fmt.Sprint(want) {
		o.t.Errorf("%s members are %s, want %d", got, status, want)
	}
}

func TestAssetIngest(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	t.Run("P-069 Effects", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("first")
		space := o.space("second")
		a := o.post("/queue", members(image(space, "one", "family", "T", "mediaType", "video/mp4"), image(space, "two", "family", "I"),
			image(space, "three", "family", "F", "mediaType", "application/pdf"))).wantCode(t, http.StatusCreated)
		b := decode[batch](t, a)
		if b.Completed != 0 || b.Errors != 0 || b.Count != 3 || b.Finished != "" || b.Priority {
			t.Errorf("the new batch is %+v", b)
		}
		o.wantRecords(b.ID, "waiting", 3)
		for key, family := range map[string]string{"one": "T", "two": "I", "three": "F"} {
			x := o.asset(space, key)
			if x["finished"] != nil || x["ingesting"] != true || x["batch"] != b.URL || x["family"] != family {
				t.Errorf("asset %s is %v", key, x)
			}
		}
		o.wantQueue("/queue", 3, 3, 1)
		o.wantQueue("/queue/priority", 0, 3, 1)
		// Its members are work.
		if work := o.assets("/queue/work?limit=50"); len(work.Member) != 3 {
			t.Errorf("the work list has %d members, want 3", len(work.Member))
		}
	})
	t.Run("P-070 NotForDelivery", func(t *testing.T) {
		o := s.newOwner(t)
		space := o.space("s")
		o.stored(space, "three", "not_for_delivery = true", "string1 = 'before'")
		o.post("/queue", members(image(space, "one"), image(space, "two"), image(space, "three", "string1", "after"))).
			wantHydra(t, http.StatusBadRequest, "Cannot use API to modify a NotForDelivery asset")
		o.wantBatches("/queue/batches")
		if n := o.value("SELECT string_agg(key || string1, ',') FROM slashbatch.asset WHERE customer = %d", o.id); n != "threebefore" {
			t.Errorf("the assets are %q, want the one from before", n)
		}
	})
	t.Run("P-071 Location", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		a := o.post("/queue", members(image(1, "a"), image(1, "b"))).wantCode(t, http.StatusCreated)
		b := decode[batch](t, a)
		if a.header.Get("Location") != b.URL || b.URL == "" {
			t.Errorf("Location %q, @id %q", a.header.Get("Location"), b.URL)
		}
		if again := decode[batch](t, s.in(t).get(b.URL, bearer(o.key)).wantCode(t, http.StatusOK)); again != b {
			t.Errorf("the batch is %+v, was %+v", again, b)
		}
	})
	t.Run("P-072 PostedTwice", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		a, b := o.ingest(image(1, "a"), image(1, "b")), o.ingest(image(1, "a"), image(1, "b"))
		if a.ID == b.ID {
			t.Errorf("both are batch %d", a.ID)
		}
		o.wantRecords(a.ID, "waiting", 2)
		o.wantRecords(b.ID, "waiting", 2)
	})
	// Nothing is sent to anybody, so nothing can get lost on the way: a member that no
	// ingester cares for is in error when its time is up.
	t.Run("P-073 NeverIngested", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		b := o.ingest(image(1, "a"), image(1, "b"))
		o.done(b.ID, 1, "a")
		execute(t, s.db, fmt.Sprintf("UPDATE slashbatch.batch SET deadline = now() - interval '1 second' WHERE id = %d", b.ID))
		// Deadlines are looked at now and then.
		for deadline := time.Now().Add(4 * patience); o.batch(b.ID).Finished == "" && time.Now().Before(deadline); {
			time.Sleep(100 * time.Millisecond)
		}
		if o.wantCounts(b.ID, 2, 1, 1, true); t.Failed() {
			t.FailNow()
		}
		if m := o.wantTotal(at(b.ID, "/assets?status=error"), 1, 1).Member[0]; m["id"] != "b" || m["error"] != "timed out" {
			t.Errorf("the member in error is %v", m)
		}
		if n := o.announced(b.ID); n != 1 {
			t.Errorf("announced %d times, want once", n)
		}
	})
}

func TestAssetPriority(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	const unknown = "application/octet-stream"
	channels := []any{map[string]any{"channel": "iiif-img", "policy": "default"}}
	t.Run("P-074 Images", func(t *testing.T) {
		o := s.newOwner(t)
		space := o.space("s")
		b := decode[batch](t, o.post("/queue/priority", members(
			image(space, "one", "family", "I", "deliveryChannels", channels), image(space, "two", "mediaType", unknown, "deliveryChannels", channels),
			image(space, "three", "mediaType", unknown, "family", "I"), image(space, "four", "mediaType", "image/tiff"))).wantCode(t, http.StatusCreated))
		if b.Completed != 0 || b.Count != 4 || !b.Priority {
			t.Errorf("the new batch is %+v", b)
		}
		o.wantTotal(at(b.ID, "/images"), 4, 4)
		o.wantQueue("/queue/priority", 4, 4, 1)
		o.wantQueue("/queue", 0, 4, 1)
		// It stands in the lists with the others, and its members are first in the work list.
		later := o.ingest(image(space, "five"))
		o.wantBatches("/queue/batches", b.ID, later.ID)
	})
	t.Run("PriorityIsWorkedFirst", func(t *testing.T) {
		o := s.newOwner(t)
		space := o.space("s")
		o.ingest(image(space, "early"))
		o.post("/queue/priority", members(image(space, "urgent"))).wantCode(t, http.StatusCreated)
		for _, want := range []string{"urgent", "early"} {
			if work := o.assets("/queue/work?limit=1").Member; len(work) != 1 || work[0]["id"] != want {
				t.Errorf("next is %v, want %s", work, want)
			}
		}
		if work := o.assets("/queue/work?limit=1").Member; len(work) != 0 {
			t.Errorf("handed out twice: %v", work)
		}
	})
	t.Run("P-075 OnlyImages", func(t *testing.T) {
		for family, mediaType := range map[string]string{"T": "video/mp4", "F": "application/pdf"} {
			o := s.newOwner(t)
			space := o.space("s")
			o.wantRefused("/queue/priority", members(image(space, "one"), image(space, "two", "family", family, "mediaType", mediaType)), "Priority queue only supports image assets")
		}
	})
	t.Run("P-077 MintedIDs", func(t *testing.T) {
		o := s.newOwner(t)
		space := o.space("s")
		o.wantMinted(decode[batch](t, o.post("/queue/priority", members(changed(image(space, "x"), "id", nil), image(space, ""), image(space, "someId"))).wantCode(t, http.StatusCreated)), 3)
	})
}
