package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/queue"
)

// testModel does random operations with the queue and with a naive model, and
// compares after every step: answers, standings, and positions. The model's
// positions come from really walking: claim after claim from a copy, until
// nothing is left. So the closed form of queue.Position is proven with the
// numbers that the backend keeps.
func testModel(t *testing.T, open Open) {
	seeds, steps := 12, 250
	if testing.Short() {
		seeds, steps = 3, 150
	}
	for seed := range seeds {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			// No lease runs out here: time is not part of the model.
			f := newFixture(t, open, queue.Settings{Lease: time.Hour})
			w := &walkthrough{fixture: f, rand: rand.New(rand.NewPCG(uint64(seed), 0)), model: newModel()}
			for step := range steps {
				what := w.step()
				w.compare()
				if f.Failed() {
					t.Fatalf("seed %d, step %d: %s", seed, step, what)
				}
			}
		})
	}
}

// walkthrough is a queue and its model.
type walkthrough struct {
	*fixture
	rand  *rand.Rand
	model *model
}

// step does one random operation with both.
func (w *walkthrough) step() string {
	m := w.model
	user := fmt.Sprint("user", w.rand.IntN(5))
	lane := queue.Lanes[w.rand.IntN(2)]
	switch n := w.rand.IntN(100); {
	case n < 35:
		return w.submit(user, lane)
	case n < 65:
		return w.claimNext(lane)
	case n < 80:
		return w.endClaim()
	case n < 88:
		if j := w.any(func(j *modelJob) bool { return true }); j != nil {
			want := m.cancel(j)
			left, got, err := w.Cancel(w.ctx, j.id)
			w.must(err)
			w.same("Cancel", []any{want, j.state}, []any{left, got.State})
			return "cancel " + j.id
		}
	case n < 92:
		if j := w.any(func(j *modelJob) bool { return !j.state.Final() }); j != nil {
			j.waiters[user] = true
			got, err := w.Join(w.ctx, j.id, user, 1)
			w.must(err)
			w.same("Join", j.state, got.State)
			return "join " + j.id
		}
	case n < 97:
		// Who made the job stays until it is the last: what becomes of the place
		// of a job whose first waiter has left is not part of the contract.
		j := w.any(func(j *modelJob) bool { return j.waiters[user] && (j.user != user || len(j.waiters) == 1) })
		if j != nil {
			want := m.leave(j, user)
			left, got, err := w.Leave(w.ctx, j.id, user)
			w.must(err)
			w.same("Leave", []any{want, j.state}, []any{left, got.State})
			return "leave " + j.id
		}
	default:
		m.capacities = map[string]int{"s0": w.rand.IntN(3), "s1": 1 + w.rand.IntN(4)}
		w.must(w.SetCapacities(w.ctx, m.capacities))
		return fmt.Sprint("capacities ", m.capacities)
	}
	return "nothing"
}

func (w *walkthrough) submit(user string, lane queue.Lane) string {
	s := export(user)
	s.Lane = lane
	s.Source = fmt.Sprint("s", w.rand.IntN(3))
	s.Estimate = time.Duration(1+w.rand.IntN(50)) * time.Second
	s.RunningCap = 1 + w.rand.IntN(3)
	s.QueuedCap = 6
	s.Retry = w.rand.IntN(3)
	if w.rand.IntN(3) == 0 {
		s.Key = fmt.Sprint("key", w.rand.IntN(4))
		if last := w.model.keys[s.Key]; last != nil && w.rand.IntN(3) > 0 {
			s.After = last.id
		}
	}
	want, created, full := w.model.submit(s)
	e, err := w.Enqueue(w.ctx, s)
	if full {
		var answer *queue.FullError
		if !errors.As(err, &answer) {
			w.Errorf("Enqueue: %v, %v; want a FullError", e, err)
		}
		return "submit to a full list"
	}
	w.must(err)
	w.same("Enqueue", []any{want.id, want.state, created}, []any{e.Job.ID, e.Job.State, e.Created})
	return "submit " + s.ID
}

func (w *walkthrough) claimNext(lane queue.Lane) string {
	want := w.model.claim(lane)
	h, c := w.claim(lane)
	if want == nil || c == nil {
		w.same("Claim finds something", want != nil, c != nil)
		return "claim"
	}
	w.same("Claim", want.id, c.Job.ID)
	want.holder = h
	return "claim " + want.id
}

// endClaim finishes, fails or releases some claim.
func (w *walkthrough) endClaim() string {
	j := w.any(func(j *modelJob) bool { return j.held })
	if j == nil {
		return "nothing"
	}
	cancelled := j.state == queue.Cancelled
	switch n := w.rand.IntN(3); {
	case n == 0 || cancelled:
		w.model.release(j)
		w.must(w.Release(w.ctx, j.holder))
		return "release " + j.id
	case n == 1:
		w.model.end(j, queue.Done)
		w.must(w.Finish(w.ctx, j.holder, queue.Success{}))
		return "finish " + j.id
	default:
		retry := w.rand.IntN(2) == 0
		want := w.model.fail(j, retry)
		got, err := w.Fail(w.ctx, j.holder, queue.Failure{Reason: "no", Retry: retry})
		w.must(err)
		w.same("Fail", want, got)
		return "fail " + j.id
	}
}

// any returns a random one of the model's jobs, nil when none will do.
func (w *walkthrough) any(will func(*modelJob) bool) *modelJob {
	var some []*modelJob
	for _, j := range w.model.jobs {
		if will(j) {
			some = append(some, j)
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some[w.rand.IntN(len(some))]
}

func (w *walkthrough) same(what string, want, got any) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s (-model +queue):\n%s", what, diff)
	}
}

// compare holds the whole state of the queue against the model's.
func (w *walkthrough) compare() {
	w.Helper()
	snap := w.snapshot()
	for _, name := range queue.Lanes {
		lane := snap.Lanes[name]
		var want, got []string
		for _, l := range w.model.lines(name) {
			want = append(want, fmt.Sprintf("%d pending, %d running, %v", len(l.pending), l.running, l.estimates()))
		}
		slices.SortFunc(lane.Lines, func(a, b queue.Line) int { return int(a.Place - b.Place) })
		for _, l := range lane.Lines {
			got = append(got, fmt.Sprintf("%d pending, %d running, %v", l.Pending, l.Running, l.Estimates))
		}
		w.same(fmt.Sprintf("the line of lane %s", name), want, got)

		for i, id := range w.model.walk(name) {
			j := w.get(id, queue.Pending)
			w.same("the position of job "+id, i+1, queue.Position(lane, j.Standing))
			index, ahead := w.model.standing(id)
			w.same("index and time ahead of job "+id, []any{index, ahead}, []any{j.Standing.Index, j.Standing.Ahead})
		}
	}
	// Jobs that are over: one of them at a time.
	if j := w.any(func(*modelJob) bool { return true }); j != nil {
		got := w.get(j.id, j.state)
		w.same("counters of job "+j.id, []int{j.attempt, j.failures}, []int{got.Attempt, got.Failures})
		user := fmt.Sprint("user", w.rand.IntN(5))
		waits, err := w.Waits(w.ctx, j.id, user)
		w.must(err)
		if !j.state.Final() {
			w.same("Waits", j.waiters[user], waits)
		}
	}
}
