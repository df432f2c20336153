package jobs

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/queue"
	"slashbatch/queue/memqueue"

	"github.com/google/uuid"
)

// counted counts what a queue is asked for.
type counted struct {
	queue.Queue
	snapshots, definitions atomic.Int32
}

func (q *counted) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	q.snapshots.Add(1)
	return q.Queue.Snapshot(ctx)
}

func (q *counted) Definition(ctx context.Context, id string) ([]byte, error) {
	q.definitions.Add(1)
	return q.Queue.Definition(ctx, id)
}

// Whoever asks what runs shares one snapshot with all others who look at the queue, and
// is told of no job that has ended since; definitions are read only where they matter.
func TestRunningSQL(t *testing.T) {
	q := &counted{Queue: memqueue.New(queue.Settings{}.WithDefaults())}
	defer q.Close()
	s := NewService(Options{Queue: q})
	s.snapshots = queue.NewSnapshots(q, time.Hour) // one is enough for the whole test
	claims := map[string]queue.Holder{}
	for _, user := range []string{"alice", "bob", "carol"} {
		job, err := s.SubmitSQL(t.Context(), SQLRequest{Plan: SQLPlan{Source: "default", Steps: []SQLStep{{SQL: "1"}, {SQL: "2"}}, OnSuccess: "3"}, User: user, RunningCap: 1})
		if err != nil {
			t.Fatal(err)
		}
		holder := queue.Holder{Job: job.ID, Claim: uuid.NewString()}
		if c, err := q.Claim(t.Context(), queue.ClaimRequest{ClaimID: holder.Claim, Worker: "w", Lane: queue.LaneSQL}); err != nil || c == nil || c.Job.ID != job.ID {
			t.Fatal(c, err)
		}
		claims[user] = holder
	}
	want := func(users ...string) {
		t.Helper()
		for whose, shown := range map[string][]string{"": users, "alice": slices.DeleteFunc(slices.Clone(users), func(u string) bool { return u != "alice" })} {
			got, err := s.RunningSQL(t.Context(), whose)
			if err != nil || len(got) != len(shown) {
				t.Fatalf("for %q: %v, %v; want those of %q", whose, got, err, shown)
			}
			for _, user := range shown {
				if !slices.Equal(got[user], []string{claims[user].Job}) {
					t.Errorf("for %q: %v", whose, got)
				}
			}
		}
	}
	report := func(user string, d steps) {
		t.Helper()
		answers, err := q.Beat(t.Context(), queue.Worker{ID: "w"}, []queue.Beat{{Holder: claims[user], Steps: d.encode()}})
		if err != nil || answers[0] != nil {
			t.Fatal(answers, err)
		}
	}
	want("alice", "bob", "carol")
	report("alice", steps{Main: []step{{State: StepDone}, {State: StepRunning}}})
	for range 20 {
		want("alice", "bob", "carol")
	}
	if n := q.snapshots.Load(); n != 1 {
		t.Errorf("%d snapshots", n)
	}
	if n := q.definitions.Load(); n != 0 {
		t.Errorf("%d definitions were read of jobs whose steps have not ended", n)
	}
	// Whether it has ended after its last step depends on what is to follow.
	done := []step{{State: StepDone}, {State: StepDone}}
	report("alice", steps{Main: done})
	want("alice", "bob", "carol")
	report("alice", steps{Main: done, Fallback: &step{State: StepRunning}})
	want("alice", "bob", "carol")
	report("alice", steps{Main: done, Fallback: &step{State: StepDone}})
	want("bob", "carol") // although its worker has not said so
	report("bob", steps{Main: []step{{State: StepFailed}, {State: StepSkipped}}})
	want("carol")
	if _, _, err := q.Cancel(t.Context(), claims["carol"].Job); err != nil {
		t.Fatal(err)
	}
	want()
	if n := q.snapshots.Load(); n != 1 {
		t.Errorf("%d snapshots", n)
	}
}
