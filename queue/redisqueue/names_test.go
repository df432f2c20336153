package redisqueue

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestOddNames passes every name that scripts get through all that they do with
// it: into records, into the names of keys, and back.
func TestOddNames(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	ctx := t.Context()
	for _, odd := range []string{"a\x00b", "\x00", "100%", "%s%d%%", "%5", "a b", " ", "a\nb", "\xff\xfe", "é:1", "running:x", "2"} {
		check := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatalf("%q: %v", odd, err)
			}
		}
		check(q.SetCapacities(ctx, map[string]int{odd: 2}))
		s := submission(odd)
		s.Key, s.Kind, s.Source, s.Class, s.Retry = odd, odd, odd, odd, 1
		s.Definition = []byte(odd)
		e, err := q.Enqueue(ctx, s)
		check(err)
		same := func(what string, j queue.Job) {
			t.Helper()
			if diff := cmp.Diff([]string{odd, odd, odd, odd, odd}, []string{j.User, j.Key, j.Kind, j.Source, j.Class}); diff != "" {
				t.Errorf("%q: %s (-want +got):\n%s", odd, what, diff)
			}
		}
		same("Enqueue", e.Job)
		worker := queue.Worker{ID: odd, Slots: map[queue.Lane]int{queue.LaneExport: 3}}
		_, err = q.Beat(ctx, worker, nil)
		check(err)

		run := func() queue.Holder {
			t.Helper()
			h := queue.Holder{Claim: uuid.NewString()}
			c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: odd, Lane: queue.LaneExport})
			check(err)
			if c == nil {
				t.Fatalf("%q: nothing to claim", odd)
			}
			same("Claim", c.Job)
			h.Job = c.Job.ID
			return h
		}
		h := run()
		snap, err := q.Snapshot(ctx)
		check(err)
		r := snap.Lanes[queue.LaneExport].Runs
		if len(r) != 1 || r[0].Job != s.ID || r[0].User != odd || r[0].Worker != odd {
			t.Errorf("%q: runs %+v", odd, r)
		}
		stats, err := q.Stats(ctx)
		check(err)
		if diff := cmp.Diff(queue.SourceStats{Running: 1, Capacity: 2}, stats.Sources[odd]); diff != "" {
			t.Errorf("%q: source (-want +got):\n%s", odd, diff)
		}
		if diff := cmp.Diff(worker.Slots, stats.Workers[odd]); diff != "" {
			t.Errorf("%q: worker (-want +got):\n%s", odd, diff)
		}
		_, err = q.Fail(ctx, h, queue.Failure{Reason: odd, Retry: true, Outcome: []byte(odd)})
		check(err)
		j, err := q.ByKey(ctx, odd)
		check(err)
		same("ByKey", j)
		if j.Error != odd || string(j.Outcome) != odd {
			t.Errorf("%q: error %q, outcome %q", odd, j.Error, j.Outcome)
		}
		check(q.Finish(ctx, run(), queue.Success{Measured: true}))
		if got := q.client.HExists(ctx, q.keys.prefix+":estimates", odd).Val(); !got {
			t.Errorf("%q: nothing learned of this class", odd)
		}
		worker.Slots = nil
		_, err = q.Beat(ctx, worker, nil)
		check(err)
	}
}
