package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"slashbatch/queue"
)

// TestCrowd lets many callers do everything at once to few users' jobs, while server
// processes are ended under their calls. No call may fail for another reason than the
// contract's, and what the tables count must be what they hold.
func TestCrowd(t *testing.T) {
	const callers, calls = 12, 250
	address := database(t, "")
	settings := queue.Settings{Lease: time.Second, Crashes: 2}
	c := &crowd{T: t, q: open(t, address, Options{Settings: settings})}
	if err := c.q.SetCapacities(t.Context(), map[string]int{"s1": 3}); err != nil {
		t.Fatal(err)
	}

	over, kills := make(chan struct{}), make(chan int)
	go func() { kills <- endBackends(t, address, over) }()
	var wg sync.WaitGroup
	for i := range callers {
		random := rand.New(rand.NewPCG(uint64(i), 1))
		wg.Go(func() {
			for range calls {
				if err := c.call(random); err != nil && !errors.Is(err, queue.ErrNotFound) {
					t.Errorf("caller %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	close(over)
	if n := <-kills; n == 0 {
		t.Error("no server process was ended: the test has lost its point")
	}
	if n := c.claimed.Load(); n < 50 {
		t.Errorf("%d jobs were claimed: the test has lost its point", n)
	}
	audit(t, c.q)
}

// endBackends ends a server process of the queue now and then, until over.
func endBackends(t *testing.T, address string, over <-chan struct{}) (ended int) {
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for {
		select {
		case <-over:
			return ended
		case <-time.After(30 * time.Millisecond):
		}
		tag, err := conn.Exec(t.Context(), `
			SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' ORDER BY random() LIMIT 1`)
		if err != nil {
			t.Error(err)
			return ended
		}
		ended += int(tag.RowsAffected())
	}
}

type crowd struct {
	*testing.T
	q       *Queue
	claimed atomic.Int64

	mu   sync.Mutex
	ids  []string
	held []queue.Holder
}

func (c *crowd) id(random *rand.Rand) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.ids) == 0 {
		return "none"
	}
	return c.ids[max(len(c.ids)-1-random.IntN(60), 0)]
}

// holder takes one of the claims that were made, or leaves it to others as well: so
// that a claim is ended twice at once.
func (c *crowd) holder(random *rand.Rand) queue.Holder {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.held) == 0 {
		return queue.Holder{}
	}
	i := random.IntN(len(c.held))
	h := c.held[i]
	if random.IntN(4) > 0 {
		c.held[i] = c.held[len(c.held)-1]
		c.held = c.held[:len(c.held)-1]
	}
	return h
}

// call does one thing. That a claim was lost, or a list is full, is an answer.
func (c *crowd) call(random *rand.Rand) error {
	ctx, user := c.Context(), fmt.Sprint("user", random.IntN(5))
	lane := queue.Lanes[random.IntN(2)]
	var err error
	switch random.IntN(14) {
	case 0, 1, 2, 3:
		id := uuid.NewString()
		s := queue.Submission{
			ID: id, User: user, Lane: lane, Kind: "export", Class: "packages", Source: fmt.Sprint("s", random.IntN(3)),
			Estimate: time.Duration(random.IntN(5000)) * time.Millisecond, RunningCap: 1 + random.IntN(3), QueuedCap: 40,
			Retry: 2, Definition: []byte("{}"),
		}
		if random.IntN(2) == 0 {
			s.Key = fmt.Sprint("key", random.IntN(50))
		}
		var e queue.Enqueued
		if e, err = c.q.Enqueue(ctx, s); err == nil {
			c.mu.Lock()
			c.ids = append(c.ids, e.Job.ID)
			c.mu.Unlock()
		}
	case 4, 5, 6:
		r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w", Lane: lane}
		var got *queue.Claimed
		if got, err = c.q.Claim(ctx, r); got != nil {
			c.claimed.Add(1)
			c.mu.Lock()
			c.held = append(c.held, queue.Holder{Job: got.Job.ID, Claim: r.ClaimID})
			c.mu.Unlock()
		}
	case 7:
		_, err = c.q.Join(ctx, c.id(random), user, 2)
	case 8:
		_, _, err = c.q.Leave(ctx, c.id(random), user)
	case 9:
		_, _, err = c.q.Cancel(ctx, c.id(random))
	case 10, 11:
		err = c.q.Finish(ctx, c.holder(random), queue.Success{Measured: true})
	case 12:
		h := c.holder(random)
		switch random.IntN(3) {
		case 0:
			err = c.q.Release(ctx, h)
		case 1:
			_, err = c.q.Fail(ctx, h, queue.Failure{Reason: "no", Retry: true, After: time.Duration(random.IntN(40)) * time.Millisecond})
		case 2:
			_, err = c.q.Beat(ctx, queue.Worker{ID: "w", Slots: map[queue.Lane]int{lane: 1}}, []queue.Beat{{Holder: h}})
		}
	case 13:
		switch random.IntN(4) {
		case 0:
			err = c.q.SetCapacities(ctx, map[string]int{"s1": 1 + random.IntN(3)})
		case 1:
			_, err = c.q.Snapshot(ctx)
		default:
			_, err = c.q.Sweep(ctx)
		}
	}
	if _, ok := errors.AsType[*queue.LostError](err); ok {
		return nil
	}
	if _, ok := errors.AsType[*queue.FullError](err); ok {
		return nil
	}
	return err
}

// audits are questions to the tables of a queue at rest, each with the rows that
// contradict others as its answer.
var audits = map[string]string{
	"lists count their jobs": `
		SELECT l.id, l.pending, l.delayed, l.running, l.estimates, n.* FROM slashbatch.queue_list l
		CROSS JOIN LATERAL (
			SELECT count(j.number) AS pending, count(j.not_before) AS delayed,
			       coalesce(sum(j.estimate) FILTER (WHERE j.number IS NOT NULL), 0) AS estimates, min(j.number) AS head, max(j.number) AS last
			FROM slashbatch.queue_job j WHERE j.list = l.id
		) n
		WHERE l.pending <> n.pending OR l.delayed <> n.delayed OR l.estimates <> n.estimates
		   OR l.head <> coalesce(n.head, l.next) OR n.last >= l.next
		   OR l.running <> (SELECT count(*) FROM slashbatch.queue_claim c WHERE c.list = l.id)
		   OR l.pending + l.delayed + l.running = 0`,
	"lists know their head's gate": `
		SELECT l.id, l.gate, j.source FROM slashbatch.queue_list l JOIN slashbatch.queue_job j ON j.list = l.id AND j.number = l.head
		WHERE l.gate <> slashbatch.queue_gate(j.source)`,
	"jobs know what stands before them": `
		SELECT v.id, v.index, v.ahead, n.* FROM slashbatch.queue_job j JOIN slashbatch.queue_view v ON v.id = j.id
		CROSS JOIN LATERAL (
			SELECT count(*) AS index, coalesce(sum(b.estimate), 0) AS ahead FROM slashbatch.queue_job b
			WHERE b.list = j.list AND b.number < j.number
		) n
		WHERE j.number IS NOT NULL AND (v.index <> n.index OR v.ahead <> n.ahead)`,
	"pending jobs stand in a list of their owner": `
		SELECT j.id, j.state, j.list, j.number, j.not_before FROM slashbatch.queue_job j
		LEFT JOIN slashbatch.queue_list l ON l.id = j.list AND l.owner = j.owner AND l.lane = j.lane
		WHERE (j.state = 'pending') <> (j.list IS NOT NULL)
		   OR j.state = 'pending' AND (l.id IS NULL OR (j.number IS NULL) = (j.not_before IS NULL))`,
	"running jobs have one claim": `
		SELECT j.id, j.state, j.claim FROM slashbatch.queue_job j
		WHERE (j.state = 'running') <> (1 = (
			SELECT count(*) FROM slashbatch.queue_claim c WHERE c.claim = j.claim AND c.job = j.id AND NOT c.cancelled))`,
	"sources count their claims": `
		SELECT s.source, s.running FROM slashbatch.queue_source s
		WHERE s.running <> (SELECT count(*) FROM slashbatch.queue_claim c WHERE c.source = s.source)`,
	"active jobs are waited for": `
		SELECT j.id FROM slashbatch.queue_job j WHERE j.state IN ('pending', 'running')
		  AND NOT EXISTS (SELECT FROM slashbatch.queue_waiter w WHERE w.job = j.id)`,
	"ended claims are not held": `
		SELECT s.claim FROM slashbatch.queue_spent s JOIN slashbatch.queue_claim c ON c.claim = s.claim`,
	"lines are unique and free ones are not in use": `
		SELECT l.line FROM (SELECT line FROM slashbatch.queue_list UNION ALL SELECT line FROM slashbatch.queue_line) l
		GROUP BY l.line HAVING count(*) > 1`,
}

func audit(t *testing.T, q *Queue) {
	t.Helper()
	for what, sql := range audits {
		rows, err := q.pool.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		wrong, err := pgx.CollectRows(rows, pgx.RowToMap)
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		for _, row := range wrong[:min(len(wrong), 5)] {
			t.Errorf("not so: %s (%d rows): %v", what, len(wrong), row)
		}
	}
}
