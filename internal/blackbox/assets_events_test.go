package blackbox

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"
)

// event is a server-sent event.
type event struct{ id, name, data string }

// listen opens the customer's events behind the last one seen, empty for none, and returns
// them until cut is called.
func (o *owner) listen(last string) (events <-chan event, cut func()) {
	o.t.Helper()
	ctx, cut := context.WithCancel(o.t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.s.url+o.path("/queue/events"), nil)
	if err != nil {
		o.t.Fatal(err)
	}
	bearer(o.key)(r)
	if last != "" {
		r.Header.Set("Last-Event-ID", last)
	}
	response, err := client.Transport.RoundTrip(r) // without the client's time-out
	if err != nil {
		o.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
		o.t.Fatalf("answered %d, %v", response.StatusCode, response.Header)
	}
	out := make(chan event, 100)
	go func() {
		defer response.Body.Close()
		defer close(out)
		var e event
		for lines := bufio.NewScanner(response.Body); lines.Scan(); {
			field, value, _ := strings.Cut(lines.Text(), ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "id":
				e.id = value
			case "event":
				e.name = value
			case "data":
				e.data += value
			case "":
				if lines.Text() == "" && e.data != "" {
					out <- e
					e = event{}
				}
			}
		}
	}()
	return out, cut
}

// next is the number of the batch that the next event tells to be completed, with the event.
func (o *owner) next(events <-chan event) (int64, event) {
	o.t.Helper()
	select {
	case e, open := <-events:
		if !open {
			o.t.Fatal("the stream has ended")
		}
		var b batch
		if err := json.Unmarshal([]byte(e.data), &b); err != nil || e.name != "batch-completed" || e.id == "" {
			o.t.Fatalf("the event is %+v (%v)", e, err)
		}
		return b.ID, e
	case <-time.After(patience):
		o.t.Fatal("no event")
	}
	panic("not reached")
}

// Every finished batch is told once; who comes back says what was last, and misses nothing.
func TestAssetEvents(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o, other := s.newOwner(t), s.newOwner(t)
	o.space("s")
	other.space("s")
	finish := func(o *owner, statuses ...string) batch {
		var list []member
		for i := range statuses {
			list = append(list, image(1, string(rune('a'+i))))
		}
		id := o.ingest(list...).ID
		for i, status := range statuses {
			o.outcome(id, 1, string(rune('a'+i)), status, "").wantCode(t, http.StatusOK)
		}
		return o.batch(id)
	}
	events, cut := o.listen("")
	first := finish(o, "completed", "error", "completed")
	finish(other, "completed") // nobody else's business
	second := finish(o, "completed")
	id, e := o.next(events)
	var told batch
	if err := json.Unmarshal([]byte(e.data), &told); err != nil {
		t.Fatal(err)
	}
	if id != first.ID || told.Count != 3 || told.Completed != 2 || told.Errors != 1 || told.Finished == "" || told.Submitted == "" {
		t.Errorf("the first event is %+v, want batch %+v", e, first)
	}
	id, seen := o.next(events)
	if id != second.ID || seen.id == e.id {
		t.Errorf("the second event is %+v, want batch %d", seen, second.ID)
	}
	cut()
	// Two more while nobody listens; counting again tells nothing.
	third, fourth := finish(o, "error"), finish(o, "completed")
	o.reconcile(third.ID)
	o.outcome(third.ID, 1, "a", "completed", "").wantCode(t, http.StatusOK)

	events, cut = o.listen(seen.id)
	defer cut()
	if id, _ := o.next(events); id != third.ID {
		t.Errorf("behind the cut comes batch %d, want %d", id, third.ID)
	}
	if id, _ := o.next(events); id != fourth.ID {
		t.Errorf("next is batch %d, want %d", id, fourth.ID)
	}
	fifth := finish(o, "completed")
	if id, _ := o.next(events); id != fifth.ID {
		t.Errorf("next is batch %d, want %d", id, fifth.ID)
	}
	// From the first one again: the same events have the same ids.
	again, cut := o.listen(e.id)
	defer cut()
	if id, twice := o.next(again); id != second.ID || twice.id != seen.id || twice.data != seen.data {
		t.Errorf("told again as %+v, was %+v", twice, seen)
	}
	for _, want := range []batch{third, fourth, fifth} {
		if id, _ := o.next(again); id != want.ID {
			t.Errorf("next is batch %d, want %d", id, want.ID)
		}
	}
}
