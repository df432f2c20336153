package memqueue_test

import (
	"testing"

	"slashbatch/queue"
	"slashbatch/queue/memqueue"
	"slashbatch/queue/queuetest"
)

func open(t testing.TB, s queue.Settings) queue.Queue {
	q := memqueue.New(s)
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

func TestQueue(t *testing.T) {
	queuetest.Run(t, "memory", func(t *testing.T, s queue.Settings) queue.Queue { return open(t, s) })
}

func BenchmarkQueue(b *testing.B) {
	queuetest.Bench(b, func(b *testing.B, s queue.Settings) queue.Queue { return open(b, s) })
}
