package queuetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// Bench measures the operations that must not grow with any backlog, with few
// and many pending jobs of few and many users. A flat table is the result
// wanted; what a backend is worth in jobs per second is a matter of its machine.
func Bench(b *testing.B, open func(b *testing.B, s queue.Settings) queue.Queue) {
	for _, size := range []struct{ pending, users int }{{10, 1}, {10_000, 1}, {10_000, 1_000}} {
		b.Run(fmt.Sprintf("pending=%d/users=%d", size.pending, size.users), func(b *testing.B) {
			ctx := context.Background()
			q := open(b, queue.Settings{})
			next := 0 // the users take turns
			enqueue := func() string {
				s := export(fmt.Sprint("user", next%size.users))
				s.RunningCap = 1 << 20
				next++
				if _, err := q.Enqueue(ctx, s); err != nil {
					b.Fatal(err)
				}
				return s.ID
			}
			run := func() {
				r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w1", Lane: queue.LaneExport}
				c, err := q.Claim(ctx, r)
				if err != nil || c == nil {
					b.Fatalf("Claim: %v, %v", c, err)
				}
				if err := q.Finish(ctx, queue.Holder{Job: c.Job.ID, Claim: r.ClaimID}, queue.Success{}); err != nil {
					b.Fatal(err)
				}
			}
			ids := make([]string, size.pending)
			for i := range ids {
				ids[i] = enqueue()
			}
			b.Run("get", func(b *testing.B) {
				for i := 0; b.Loop(); i++ {
					// A stride, for the head is not like the rest of a list.
					if _, err := q.Get(ctx, ids[i*7919%len(ids)]); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run("snapshot", func(b *testing.B) {
				for b.Loop() {
					if _, err := q.Snapshot(ctx); err != nil {
						b.Fatal(err)
					}
				}
			})
			// A cycle leaves as many pending as it found. Its halves are told
			// as metrics, since stopping the clock costs more than they do.
			b.Run("cycle", func(b *testing.B) {
				var enqueueing, running time.Duration
				for b.Loop() {
					start := time.Now()
					enqueue()
					between := time.Now()
					run()
					enqueueing += between.Sub(start)
					running += time.Since(between)
				}
				b.ReportMetric(float64(enqueueing)/float64(b.N), "ns/enqueue")
				b.ReportMetric(float64(running)/float64(b.N), "ns/claim+finish")
			})
		})
	}
}
