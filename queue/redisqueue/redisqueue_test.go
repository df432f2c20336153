package redisqueue

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
	"slashbatch/queue/queuetest"
)

func TestQueue(t *testing.T) {
	url := testenv.Redis(t)
	queuetest.Run(t, "redis", func(t *testing.T, s queue.Settings) queue.Queue {
		return open(t, url, Options{Settings: s})
	})
}

func BenchmarkQueue(b *testing.B) {
	url := testenv.Redis(b)
	queuetest.Bench(b, func(b *testing.B, s queue.Settings) queue.Queue {
		return open(b, url, Options{Settings: s})
	})
}

// open opens a queue under a fresh prefix, unless the options name one.
func open(t testing.TB, url string, o Options) *Queue {
	t.Helper()
	if o.Prefix == "" {
		o.Prefix = "test-" + uuid.NewString()
	}
	q, err := Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

// submission is a plain export of a user, to be varied.
func submission(user string) queue.Submission {
	return queue.Submission{
		ID:         uuid.NewString(),
		User:       user,
		Lane:       queue.LaneExport,
		Kind:       "export",
		Estimate:   time.Second,
		RunningCap: 4,
		Definition: []byte("{}"),
	}
}

func enqueue(t testing.TB, q *Queue, user string) queue.Job {
	t.Helper()
	e, err := q.Enqueue(t.Context(), submission(user))
	if err != nil {
		t.Fatal(err)
	}
	return e.Job
}

// claim takes an export that must be there.
func claim(t testing.TB, q *Queue) queue.Holder {
	t.Helper()
	id := uuid.NewString()
	c, err := q.Claim(t.Context(), queue.ClaimRequest{ClaimID: id, Worker: "w", Lane: queue.LaneExport})
	if err != nil {
		t.Fatal(err)
	}
	if c == nil {
		t.Fatal("nothing to claim")
	}
	return queue.Holder{Job: c.Job.ID, Claim: id}
}

func finish(t testing.TB, q *Queue, h queue.Holder) {
	t.Helper()
	if err := q.Finish(t.Context(), h, queue.Success{}); err != nil {
		t.Fatal(err)
	}
}
