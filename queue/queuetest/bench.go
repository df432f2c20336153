package queuetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// Bench measures the operations that must not grow with any backlog, with few and
// many pending jobs of few and many users, and prints a table: what each costs, and
// that as a multiple of what it costs in the first line.
//
// The backlogs stand side by side in one backend and are measured in turn, round
// after round, so that whatever the machine does meanwhile it does to all of them. A
// flat table is the result wanted; the costs themselves are a matter of the machine.
// With -short there is no million.
func Bench(b *testing.B, open func(b *testing.B, s queue.Settings) queue.Queue) {
	sizes := []struct{ pending, users int }{{10, 1}, {10_000, 1}, {10_000, 1_000}, {1_000_000, 1}, {1_000_000, 10_000}}
	if testing.Short() {
		sizes = sizes[:3]
	}
	var backlogs []*backlog
	for _, size := range sizes {
		backlogs = append(backlogs, newBacklog(b, open(b, queue.Settings{}), size.pending, size.users))
	}
	// Cycles come last: they finish the jobs that the others ask for.
	for _, op := range []func(*testing.B, *backlog){status, snapshot, cycles} {
		for range benchRounds {
			for _, l := range backlogs {
				op(b, l)
			}
		}
	}
	fmt.Printf("\n%s, %d callers, %d rounds:\n", b.Name(), benchCallers, benchRounds)
	printCosts(os.Stdout, backlogs)
	b.ReportMetric(0, "ns/op") // the table has them
}

const (
	benchRounds  = 9
	benchCallers = 32
	// benchTurn is how long a backlog is measured in one round.
	benchTurn = 400 * time.Millisecond
)

// Filler is a backend that can take many submissions at once. Bench makes its backlogs
// with it, where one after the other would take longer than all that is measured.
type Filler interface {
	Fill(ctx context.Context, all []queue.Submission) error
}

// backlog is a queue that has as many pending jobs before a measurement as after.
type backlog struct {
	pending, users int

	queue     queue.Queue
	snapshots *queue.Snapshots
	ids       []string
	next      atomic.Int64 // the users take turns
	costs     costs
}

func newBacklog(b *testing.B, q queue.Queue, pending, users int) *backlog {
	b.Helper()
	l := &backlog{
		pending: pending, users: users, queue: q, snapshots: queue.NewSnapshots(q, 0),
		ids: make([]string, pending), costs: costs{},
	}
	const portion = 100
	filler, _ := q.(Filler)
	var next atomic.Int64
	callTogether(b, func(ctx context.Context) (more bool, err error) {
		to := int(next.Add(portion))
		var all []queue.Submission
		for i := to - portion; i < min(to, pending); i++ {
			s := l.submission()
			l.ids[i] = s.ID
			all = append(all, s)
		}
		if filler != nil && len(all) > 0 {
			return true, filler.Fill(ctx, all)
		}
		for _, s := range all {
			if _, err := q.Enqueue(ctx, s); err != nil {
				return false, err
			}
		}
		return len(all) > 0, nil
	})
	return l
}

func (l *backlog) submission() queue.Submission {
	s := export(fmt.Sprint("user", l.next.Add(1)%int64(l.users)))
	s.Class, s.Source, s.RunningCap, s.Definition = "packages", "pg", 1<<20, make([]byte, 300)
	return s
}

// run claims a job and finishes it.
func (l *backlog) run(ctx context.Context) error {
	r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: "w1", Lane: queue.LaneExport}
	c, err := l.queue.Claim(ctx, r)
	if err != nil {
		return err
	}
	if c == nil {
		return fmt.Errorf("nothing to claim among %d pending jobs", l.pending)
	}
	return l.queue.Finish(ctx, queue.Holder{Job: c.Job.ID, Claim: r.ClaimID}, queue.Success{Measured: true})
}

// ask asks for what a status page shows: a job, its position and its ETA.
func (l *backlog) ask(ctx context.Context) error {
	job, err := l.queue.Get(ctx, l.ids[rand.IntN(len(l.ids))]) //nolint:gosec // not a secret
	if err != nil {
		return err
	}
	all, err := l.snapshots.Get(ctx)
	if err != nil {
		return err
	}
	lane := all.Lanes[job.Lane]
	if queue.Position(lane, job.Standing) < 1 || queue.ETA(lane, all.Now, job.Standing, job.Estimate) <= 0 {
		return fmt.Errorf("not a pending job: %+v", job)
	}
	return nil
}

func status(b *testing.B, l *backlog) {
	var calls atomic.Int64
	start := time.Now()
	callTogether(b, func(ctx context.Context) (more bool, err error) {
		calls.Add(1)
		return time.Since(start) < benchTurn, l.ask(ctx)
	})
	l.costs.add("status", time.Since(start), calls.Load())
}

// snapshot measures one caller, since a process has no more.
func snapshot(b *testing.B, l *backlog) {
	var calls int64
	start := time.Now()
	for time.Since(start) < benchTurn {
		if _, err := l.queue.Snapshot(b.Context()); err != nil {
			b.Fatal(err)
		}
		calls++
	}
	l.costs.add("snapshot", time.Since(start), calls)
}

// cycles enqueues as many jobs as it then claims and finishes.
func cycles(b *testing.B, l *backlog) {
	var jobs, left atomic.Int64
	start := time.Now()
	callTogether(b, func(ctx context.Context) (more bool, err error) {
		jobs.Add(1)
		_, err = l.queue.Enqueue(ctx, l.submission())
		return time.Since(start) < benchTurn, err
	})
	l.costs.add("enqueue", time.Since(start), jobs.Load())

	left.Store(jobs.Load())
	start = time.Now()
	callTogether(b, func(ctx context.Context) (more bool, err error) {
		if left.Add(-1) < 0 {
			return false, nil
		}
		return true, l.run(ctx)
	})
	l.costs.add("claim+finish", time.Since(start), jobs.Load())
}
