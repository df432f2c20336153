package e2e

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"
	"slashbatch/queue"
	"slashbatch/queue/memqueue"
	"slashbatch/queue/pgqueue"
	"slashbatch/queue/redisqueue"

	"github.com/google/uuid"
)

// backends opens a fresh queue of every kind.
var backends = []struct {
	name string
	open func(t *testing.T, s queue.Settings) queue.Queue
}{
	{"memory", func(_ *testing.T, s queue.Settings) queue.Queue { return memqueue.New(s) }},
	{"redis", func(t *testing.T, s queue.Settings) queue.Queue {
		return openRedis(t, testenv.Redis(t), "e2e-"+uuid.NewString()[:8], s)
	}},
	{"postgres", func(t *testing.T, s queue.Settings) queue.Queue {
		t.Helper()
		url := pgtest.New(t)
		if _, err := pgqueue.Migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		q, err := pgqueue.Open(t.Context(), url, pgqueue.Options{Settings: s})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = q.Close() })
		return q
	}},
}

func openRedis(t *testing.T, url, prefix string, s queue.Settings) *redisqueue.Queue {
	t.Helper()
	q, err := redisqueue.Open(t.Context(), url, redisqueue.Options{Prefix: prefix, Settings: s})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// fill enqueues n jobs, with sixteen callers at once, and returns their ids.
func fill(t *testing.T, q queue.Queue, n int, user func(i int) string) []string {
	t.Helper()
	ids := make([]string, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				s := queue.Submission{
					ID: uuid.NewString(), User: user(i), Lane: queue.LaneExport, Kind: "export",
					Estimate: time.Second, RunningCap: 4, Definition: []byte("{}"),
				}
				if _, err := q.Enqueue(context.Background(), s); err != nil {
					t.Errorf("Enqueue: %v", err)
					return
				}
				ids[i] = s.ID
			}
		})
	}
	wg.Wait()
	return ids
}

// One user has a huge backlog and all slots. A hundred others come with one job each: none
// of them waits for more than the jobs that run already, one in each slot.
func TestNobodyWaitsBehindABacklog(t *testing.T) {
	const slots, newcomers = 4, 100
	backlog := 2000
	if fullSize() {
		backlog = 20_000
	}
	for _, b := range backends {
		t.Run(b.name, func(t *testing.T) {
			q := b.open(t, queue.Settings{})
			fill(t, q, backlog, func(int) string { return "big" })
			w := &slotted{T: t, queue: q}
			for range slots {
				w.claim()
			}
			fill(t, q, newcomers, func(i int) string { return fmt.Sprint("small", i) })

			// From here on the slots are served as workers do: one ends, and the
			// next job is claimed.
			waited := map[string]int{} // ends of the backlog's jobs before a newcomer's start
			ended := 0
			for len(waited) < newcomers {
				if len(w.held) == 0 {
					t.Fatalf("nothing to claim, with %d newcomers left", newcomers-len(waited))
				}
				if w.finish() == "big" {
					ended++
				}
				if user := w.claim(); user != "big" && user != "" {
					waited[user] = ended
				}
			}
			most := 0
			for _, n := range waited {
				most = max(most, n)
			}
			testenv.Report(t, "backlog: queue in %-8s  %d jobs of one user, then %d users with one each, %d slots: all started after at most %d ends of the backlog's jobs", b.name, backlog, newcomers, slots, most)
			if most > slots {
				t.Errorf("a newcomer waited for %d jobs of the backlog, want at most one for each of %d slots", most, slots)
			}
		})
	}
}

// slotted holds claims as the slots of a worker do, the oldest first.
type slotted struct {
	*testing.T
	queue queue.Queue
	held  []queue.Holder
	users []string
}

func (w *slotted) claim() (user string) {
	w.Helper()
	h := queue.Holder{Claim: uuid.NewString()}
	c, err := w.queue.Claim(w.Context(), queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: queue.LaneExport})
	if err != nil {
		w.Fatal(err)
	}
	if c == nil {
		return ""
	}
	h.Job = c.Job.ID
	w.held, w.users = append(w.held, h), append(w.users, c.Job.User)
	return c.Job.User
}

func (w *slotted) finish() (user string) {
	w.Helper()
	user = w.users[0]
	if err := w.queue.Finish(w.Context(), w.held[0], queue.Success{}); err != nil {
		w.Fatal(err)
	}
	w.held, w.users = w.held[1:], w.users[1:]
	return user
}

// Redis is killed the moment it has taken ten thousand jobs, and started again
// from its append-only file: every one of them is there.
func TestTenThousandSurviveARestart(t *testing.T) {
	t.Parallel()
	own := newRedis(t)
	q := openRedis(t, "redis://127.0.0.1:"+own.port, "batch", queue.Settings{})
	ids := fill(t, q, 10_000, func(i int) string { return fmt.Sprint("user", i%100) })
	own.kill()
	own.start(t)

	var found []string
	w := &slotted{T: t, queue: q}
	for w.claim() != "" {
		found = append(found, w.held[0].Job)
		w.finish()
	}
	slices.Sort(ids)
	slices.Sort(found)
	lost := 0
	for _, id := range ids {
		if _, ok := slices.BinarySearch(found, id); !ok {
			lost++
		}
	}
	testenv.Report(t, "restart: Redis killed with %d jobs pending and started from its append-only file: %d lost, %d claimed", len(ids), lost, len(found))
	if lost > 0 || len(found) != len(ids) {
		t.Error("want each of them, once")
	}
}
