package pgqueue

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// BenchmarkThroughput is what many callers at once get done, of few users and many.
func BenchmarkThroughput(b *testing.B) {
	const callers = 16
	for _, users := range []int{1, 20, 1000} {
		b.Run(fmt.Sprintf("users=%d", users), func(b *testing.B) {
			q := open(b, database(b, ""), Options{})
			ctx := b.Context()
			// together makes n calls, by all callers.
			together := func(b *testing.B, n int, call func(i int) error) {
				var next atomic.Int64
				var wg sync.WaitGroup
				for range callers {
					wg.Go(func() {
						for i := next.Add(1); i <= int64(n); i = next.Add(1) {
							if err := call(int(i)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
			}
			enqueue := func(i int) error {
				_, err := q.Enqueue(ctx, queue.Submission{
					ID: uuid.NewString(), User: fmt.Sprint("user", i%users), Lane: queue.LaneExport, Kind: "export",
					Class: "packages", Source: "pg", RunningCap: 1 << 20, Definition: make([]byte, 300),
				})
				return err
			}
			b.Run("enqueue", func(b *testing.B) { together(b, b.N, enqueue) })
			b.Run("claim+finish", func(b *testing.B) {
				together(b, b.N, enqueue)
				b.ResetTimer()
				together(b, b.N, func(int) error {
					id := uuid.NewString()
					c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: id, Worker: "w", Lane: queue.LaneExport})
					if err == nil && c == nil {
						err = fmt.Errorf("nothing to claim")
					}
					if err != nil {
						return err
					}
					return q.Finish(ctx, queue.Holder{Job: c.Job.ID, Claim: id}, queue.Success{Measured: true})
				})
			})
		})
	}
}
