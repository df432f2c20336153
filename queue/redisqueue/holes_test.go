package redisqueue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestStandingWithHoles submits, claims and gives back at random in one list,
// takes jobs out of it by cancelling and by taking them over, back into it too,
// and compares every standing with a plain slice.
func TestStandingWithHoles(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	for seed := range uint64(4) {
		l := &oneList{
			T: t, q: q, random: rand.New(rand.NewPCG(seed, 0)),
			user: fmt.Sprintf("user%d", seed), held: map[string]queue.Job{},
		}
		for step := range 400 {
			l.step()
			if step%5 == 0 {
				l.compare(fmt.Sprintf("seed %d, step %d", seed, step))
			}
		}
		if l.taken == 0 || l.returned == 0 {
			t.Errorf("seed %d: %d jobs were taken over, %d came back: the test has lost its point", seed, l.taken, l.returned)
		}
		for len(l.held) > 0 {
			l.release()
		}
		for _, j := range l.pending {
			if _, _, err := q.Cancel(t.Context(), j.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// oneList is a user's list with the plain slice that it must look like.
type oneList struct {
	*testing.T
	q       *Queue
	random  *rand.Rand
	user    string
	pending []queue.Job
	held    map[string]queue.Job // by claim

	others, taken, returned int
}

func (l *oneList) step() {
	ctx := l.Context()
	switch n := l.random.IntN(12); {
	case n < 5:
		s := submission(l.user)
		s.RunningCap = 8
		s.Estimate = time.Duration(l.random.IntN(1000)) * time.Millisecond
		e, err := l.q.Enqueue(ctx, s)
		if err != nil {
			l.Fatal(err)
		}
		l.pending = append(l.pending, e.Job)
	case n < 7 && len(l.pending) > 0:
		j := l.pluck()
		if left, _, err := l.q.Cancel(ctx, j.ID); left != queue.Removed || err != nil {
			l.Fatal(left, err)
		}
	case n < 9 && len(l.pending) > 0:
		l.takeOver()
	case n < 10 && len(l.pending) > 0 && len(l.held) < 8:
		h := claim(l, l.q)
		if h.Job != l.pending[0].ID {
			l.Fatalf("claimed %s, want %s", h.Job, l.pending[0].ID)
		}
		l.held[h.Claim] = l.pending[0]
		l.pending = l.pending[1:]
	default:
		l.release()
	}
}

// pluck takes any job out of the slice.
func (l *oneList) pluck() queue.Job {
	i := l.random.IntN(len(l.pending))
	j := l.pending[i]
	l.pending = slices.Delete(l.pending, i, i+1)
	return j
}

// takeOver lets somebody without work ask for any job, who gets it unless it is
// next and nothing runs, and then gives it away or lets it come back to the end.
func (l *oneList) takeOver() {
	ctx := l.Context()
	i := l.random.IntN(len(l.pending))
	j := l.pending[i]
	l.others++
	other := fmt.Sprintf("%s-%d", l.user, l.others)
	after, err := l.q.Join(ctx, j.ID, other, 1)
	if err != nil {
		l.Fatal(err)
	}
	if sooner := len(l.held)+i > 0; sooner != (after.User == other) {
		l.Fatalf("job %d of %d, %d running: it is of %s after %s has asked", i, len(l.pending), len(l.held), after.User, other)
	}
	if after.User == l.user {
		if left, _, err := l.q.Leave(ctx, j.ID, other); left != queue.StillWanted || err != nil {
			l.Fatal(left, err)
		}
		return
	}
	l.taken++
	l.pending = slices.Delete(l.pending, i, i+1)
	if l.random.IntN(2) == 0 {
		if left, _, err := l.q.Cancel(ctx, j.ID); left != queue.Removed || err != nil {
			l.Fatal(left, err)
		}
		return
	}
	left, after, err := l.q.Leave(ctx, j.ID, other)
	if left != queue.StillWanted || after.User != l.user || err != nil {
		l.Fatal(left, after.User, err)
	}
	l.returned++
	l.pending = append(l.pending, j)
}

// release gives any claim back.
func (l *oneList) release() {
	for id, j := range l.held {
		if err := l.q.Release(l.Context(), queue.Holder{Job: j.ID, Claim: id}); err != nil {
			l.Fatal(err)
		}
		delete(l.held, id)
		l.pending = slices.Insert(l.pending, 0, j)
		return
	}
}

func (l *oneList) compare(when string) {
	l.Helper()
	var ahead time.Duration
	for i, want := range l.pending {
		j, err := l.q.Get(l.Context(), want.ID)
		if err != nil {
			l.Fatal(err)
		}
		if j.Standing.Index != i || j.Standing.Ahead != ahead || j.Standing.Running != len(l.held) {
			l.Fatalf("%s: job %d of %d: %+v, want %v ahead and %d running", when, i, len(l.pending), j.Standing, ahead, len(l.held))
		}
		ahead += j.Estimate
	}
}
