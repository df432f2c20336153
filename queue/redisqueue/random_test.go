package redisqueue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestNothingRemains drains a random run of jobs in all ways they can end, and
// lets everything expire: no key may remain but the fixed small ones.
func TestNothingRemains(t *testing.T) {
	url := testenv.Redis(t)
	settings := queue.Settings{Lease: 300 * time.Millisecond, Retention: 300 * time.Millisecond, Crashes: 1}
	q := open(t, url, Options{Settings: settings})
	c := client(t, url)
	defer c.Close()
	ctx := t.Context()
	random := rand.New(rand.NewPCG(1, 2))
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	check(q.SetCapacities(ctx, map[string]int{"s1": 2}))
	var ids []string
	for i := range 400 {
		s := submission(fmt.Sprintf("user%d", random.IntN(5)))
		s.Lane = queue.Lanes[random.IntN(2)]
		s.Source = fmt.Sprintf("s%d", random.IntN(3))
		s.Key = fmt.Sprintf("key%d", i/2)
		e, err := q.Enqueue(ctx, s)
		check(err)
		ids = append(ids, e.Job.ID)
		if random.IntN(3) == 0 {
			_, err := q.Join(ctx, ids[random.IntN(len(ids))], "guest", 1)
			check(err)
		}
		if random.IntN(4) == 0 {
			_, _, err := q.Cancel(ctx, ids[random.IntN(len(ids))])
			check(err)
		}
	}
	_, err := q.Beat(ctx, queue.Worker{ID: "w", Slots: map[queue.Lane]int{queue.LaneSQL: 1}}, nil)
	check(err)
	work := func(lane queue.Lane) bool {
		h := queue.Holder{Claim: submission("").ID}
		c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: lane})
		check(err)
		if c == nil {
			return false
		}
		h.Job = c.Job.ID
		switch random.IntN(6) {
		case 0, 1:
			check(q.Finish(ctx, h, queue.Success{Outcome: []byte("x")}))
		case 2:
			_, err := q.Fail(ctx, h, queue.Failure{Reason: "no", Retry: random.IntN(2) == 0})
			check(err)
		case 3:
			check(q.Release(ctx, h))
		case 4:
			_, _, err := q.Cancel(ctx, h.Job)
			check(err)
			if random.IntN(2) == 0 {
				check(q.Release(ctx, h))
			}
		case 5: // the worker dies
		}
		return true
	}
	for end := time.Now().Add(time.Minute); ; {
		_, err := q.Sweep(ctx)
		check(err)
		for _, lane := range queue.Lanes {
			for work(lane) {
			}
		}
		s, err := q.Snapshot(ctx)
		check(err)
		if len(s.Lanes[queue.LaneSQL].Lines)+len(s.Lanes[queue.LaneExport].Lines) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("not drained: %+v", s)
		}
		time.Sleep(10 * time.Millisecond)
	}
	want := []string{"layout", "seq", "sources", "swept"}
	var left []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		_, err := q.Sweep(ctx) // forgets the worker
		check(err)
		left, err = c.Keys(ctx, q.keys.prefix+":*").Result()
		check(err)
		for i := range left {
			left[i] = strings.TrimPrefix(left[i], q.keys.prefix+":")
		}
		slices.Sort(left)
		if slices.Equal(left, want) {
			break
		}
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("keys that remain (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"capacity:s1": "2"}, c.HGetAll(ctx, q.keys.prefix+":sources").Val()); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

// TestStandingWithHoles cancels, claims and gives back at random in one list,
// and compares every standing with a plain slice.
func TestStandingWithHoles(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	ctx := t.Context()
	for seed := range uint64(4) {
		random := rand.New(rand.NewPCG(seed, 0))
		user := fmt.Sprintf("user%d", seed)
		var pending []queue.Job
		held := map[string]queue.Job{}
		for step := range 300 {
			switch n := random.IntN(10); {
			case n < 5:
				s := submission(user)
				s.RunningCap = 8
				s.Estimate = time.Duration(random.IntN(1000)) * time.Millisecond
				e, err := q.Enqueue(ctx, s)
				if err != nil {
					t.Fatal(err)
				}
				pending = append(pending, e.Job)
			case n < 7 && len(pending) > 0:
				i := random.IntN(len(pending))
				if left, _, err := q.Cancel(ctx, pending[i].ID); left != queue.Removed || err != nil {
					t.Fatal(left, err)
				}
				pending = slices.Delete(pending, i, i+1)
			case n < 8 && len(pending) > 0 && len(held) < 8:
				h := claim(t, q)
				if h.Job != pending[0].ID {
					t.Fatalf("claimed %s, want %s", h.Job, pending[0].ID)
				}
				held[h.Claim] = pending[0]
				pending = pending[1:]
			case n < 9:
				for id, j := range held { // any
					if err := q.Release(ctx, queue.Holder{Job: j.ID, Claim: id}); err != nil {
						t.Fatal(err)
					}
					delete(held, id)
					pending = slices.Insert(pending, 0, j)
					break
				}
			}
			if step%5 != 0 {
				continue
			}
			var ahead time.Duration
			for i, want := range pending {
				j, err := q.Get(ctx, want.ID)
				if err != nil {
					t.Fatal(err)
				}
				if j.Standing.Index != i || j.Standing.Ahead != ahead || j.Standing.Running != len(held) {
					t.Fatalf("seed %d step %d: job %d of %d: %+v, want %v ahead and %d running", seed, step, i, len(pending), j.Standing, ahead, len(held))
				}
				ahead += j.Estimate
			}
		}
		for id, j := range held {
			finish(t, q, queue.Holder{Job: j.ID, Claim: id})
		}
		for range pending {
			finish(t, q, claim(t, q))
		}
	}
}
