package blackbox

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"slashbatch/internal/testenv"

	"github.com/google/uuid"
)

// fleet starts processes that share one queue, one store and one database; the
// first has no worker.
func fleet(t *testing.T, workers bool) (front, worker *service) {
	t.Helper()
	shared := map[string]any{
		"queue.url":    testenv.Redis(t),
		"queue.prefix": "blackbox-" + uuid.NewString(),
		"cache.url":    "file://" + t.TempDir(),
	}
	front = start(t, setup{settings: shared, idle: true})
	worker = start(t, setup{settings: shared, idle: !workers, db: front.db})
	return front, worker
}

// S-092: a process without workers leaves the work to another one, and serves the result.
func TestS092AnotherProcessWorks(t *testing.T) {
	t.Parallel()
	front, worker := fleet(t, false)
	to := front.post("/item/batch?_view=id&_sort=id").location(t)
	for _, s := range []*service{front, worker} {
		if d := s.status(to); d.Status != "Pending" {
			t.Fatalf("status is %s without a worker, want Pending", d.Status)
		}
	}

	front, _ = fleet(t, true)
	if got := front.export("/item?_view=id&_sort=id"); got.body != allIDs {
		t.Errorf("the first process serves %q", got.body)
	}
}

// Any number of equal requests, on any server, make one job.
func TestOneRequestOneRun(t *testing.T) {
	t.Parallel()
	front, worker := fleet(t, true)
	open := shut(t, front.db)
	const callers = 12
	var mu sync.Mutex
	var wg sync.WaitGroup
	made := 0
	for i := range callers {
		s := []*service{front, worker}[i%2]
		wg.Go(func() {
			a, err := s.try([]string{http.MethodGet, http.MethodPost}[i/2%2], "/gated/batch?_view=default")
			if err != nil || a.code != http.StatusSeeOther {
				t.Errorf("answer %d, error %v", a.code, err)
			}
			mu.Lock()
			defer mu.Unlock()
			// Who made the job is told its id.
			if strings.Contains(a.header.Get("Location"), "_job=") {
				made++
			}
		})
	}
	wg.Wait()
	open()
	front.await("Completed", "/gated/batch/status")
	runs := worker.log.count("export finished", `"endpoint":"gated"`)
	worker.eventually("the run is logged", func() bool { runs = worker.log.count("export finished", `"endpoint":"gated"`); return runs > 0 })
	if made != 1 || runs != 1 {
		t.Errorf("%d jobs made, %d runs; want one", made, runs)
	}
}
