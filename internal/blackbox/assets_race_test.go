package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"slashbatch/internal/testenv"
)

// P-108: the last two members of a batch are over at the same instant, told to two servers of
// one database. Whichever counts first, the batch is finished, and that is announced once.
func TestP108LastTwoAtOnce(t *testing.T) {
	t.Parallel()
	front := startAssets(t)
	other := start(t, setup{db: front.db, settings: assetSettings()})
	servers := []*service{front, other}
	o := front.newOwner(t)
	o.space("s")
	rounds := 200
	if testing.Short() || testenv.RaceDetector {
		rounds = 20
	}
	for round := range rounds {
		id := o.ingest(image(1, "a"), image(1, "b")).ID
		ready, answers := make(chan struct{}), make(chan string, 2)
		for i, s := range servers {
			go func() {
				<-ready
				a, err := s.try(http.MethodPost, o.path(at(id, "/assets/1/", []string{"a", "b"}[i])), bearer(o.key), jsonBody(`{"status": "completed"}`))
				answers <- fmt.Sprint(a.code, err)
			}()
		}
		close(ready)
		for range servers {
			if got := <-answers; got != "200 <nil>" {
				t.Fatalf("round %d: answered %s", round, got)
			}
		}
		if b := o.batch(id); b.Completed != 2 || b.Finished == "" {
			t.Fatalf("round %d: the batch is %+v", round, b)
		}
	}
	if got := o.value("SELECT count(*) || ' ' || count(DISTINCT batch) || ' ' || count(DISTINCT event) FROM slashbatch.outbox WHERE customer = %d", o.id); got != fmt.Sprintf("%d %[1]d %[1]d", rounds) {
		t.Errorf("rows, batches and ids of events: %s, want %d of each", got, rounds)
	}
}

// A batch of 250 whose outcomes come all at once, each of them twice, while it is looked at:
// what it says never goes back, and in the end it is all of them.
func TestCountersNeverGoBack(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	const size = 250
	var list []member
	for i := range size {
		list = append(list, image(1, fmt.Sprint("a", i)))
	}
	id := o.ingest(list...).ID
	report := func() {
		var wg sync.WaitGroup
		for i := range size {
			wg.Go(func() {
				a, err := s.try(http.MethodPost, o.path(at(id, fmt.Sprint("/assets/1/a", i))), bearer(o.key), jsonBody(`{"status": "completed"}`))
				if err != nil || a.code != http.StatusOK {
					t.Errorf("member %d: answered %d %s, error %v", i, a.code, a.body, err)
				}
			})
		}
		wg.Wait()
	}
	over := make(chan struct{})
	go func() { report(); close(over) }()
	looks, last := 0, batch{}
	for ended := false; !ended; looks++ {
		select {
		case <-over:
			ended = true // one look more
		default:
		}
		b := o.batch(id)
		if b.Completed < last.Completed || b.Revision < last.Revision || b.Errors != 0 || b.Count != size || (b.Finished != "") != (b.Completed == size) {
			t.Fatalf("the batch was %+v, is %+v", last, b)
		}
		last = b
	}
	if last.Completed != size {
		t.Errorf("%d completed, want %d", last.Completed, size)
	}
	t.Logf("looked at %d times", looks)
	// Outcomes that are repeated change nothing.
	report()
	if b := o.batch(id); b != last {
		t.Errorf("the batch is %+v, was %+v", b, last)
	}
	if n := o.announced(id); n != 1 {
		t.Errorf("announced %d times, want once", n)
	}
}

// Many more batches than anybody names by hand fit in one argument.
func TestFiveThousandBatchesInOneArgument(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	o.named("report", "batch=p1&assetOrder=s1")
	first, second := o.ingest(image(1, "a", "string1", "1"), image(1, "b", "string1", "2")).ID, o.ingest(image(1, "c", "string1", "3")).ID
	o.ingest(image(1, "not-asked-for"))
	ids := make([]string, 5000)
	for i := range ids {
		ids[i] = fmt.Sprint(1_000_000 + i)
	}
	ids[0], ids[4999] = fmt.Sprint(first), fmt.Sprint(second)
	request := "report/" + strings.Join(ids, ",")
	o.wantIDs(request, "1/a", "1/b", "1/c")
	file := o.run(request+"/batch?_wait=30").wantCode(t, http.StatusOK)
	if n := strings.Count(file.body, "\n"); n != 4 {
		t.Errorf("the export has %d lines, want a header and three\n%s", n, clip(file.body))
	}
}
