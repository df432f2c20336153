package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// Remains are the settings under which what Drain leaves behind is gone soon.
var Remains = queue.Settings{Lease: 300 * time.Millisecond, Retention: 300 * time.Millisecond, Crashes: 1}

// Drain lets a random run of jobs come to all the ends that there are, with the
// settings of Remains. Afterwards a backend can look whether its store is as empty as it
// should be, once a sweep has forgotten the last worker and the last jobs. What stays
// is the capacity 2 of the source s1, and what was learned of the classes a and b.
func Drain(t *testing.T, q queue.Queue) {
	d := &drain{T: t, q: q, random: rand.New(rand.NewPCG(1, 2)), met: map[string]int{}}
	d.check(q.SetCapacities(t.Context(), map[string]int{"s1": 2}))
	d.fill()
	d.empty()
	for _, what := range []string{"delayed", "cancelled while delayed", "taken over", "inherited", "left", "learned"} {
		if d.met[what] == 0 {
			t.Errorf("no job was %s: the test has lost its point", what)
		}
	}
}

// drain is a queue with jobs that come to all their ends, and counts what was met.
type drain struct {
	*testing.T
	q      queue.Queue
	random *rand.Rand
	ids    []string
	met    map[string]int
}

func (d *drain) check(err error) {
	d.Helper()
	if err != nil {
		d.Fatal(err)
	}
}

func (d *drain) user() string { return fmt.Sprintf("user%d", d.random.IntN(6)) }
func (d *drain) any() string  { return d.ids[d.random.IntN(len(d.ids))] }

// fill submits jobs, and shares, leaves and cancels some.
func (d *drain) fill() {
	ctx := d.Context()
	for i := range 400 {
		s := export(d.user())
		s.RunningCap = 4
		s.Lane = queue.Lanes[d.random.IntN(2)]
		s.Source = fmt.Sprintf("s%d", d.random.IntN(3))
		s.Key = fmt.Sprintf("key%d", i/2)
		s.Class = []string{"", "a", "b"}[d.random.IntN(3)]
		s.Retry = d.random.IntN(3)
		e, err := d.q.Enqueue(ctx, s)
		d.check(err)
		if !e.Created && e.Job.User == s.User {
			d.met["taken over"]++
		}
		d.ids = append(d.ids, e.Job.ID)
		if d.random.IntN(3) == 0 {
			d.join(d.any(), d.user())
		}
		if d.random.IntN(4) == 0 {
			d.leave(d.any())
		}
		if d.random.IntN(6) == 0 {
			d.cancel(d.any())
		}
	}
	_, err := d.q.Beat(ctx, queue.Worker{ID: "w", Slots: map[queue.Lane]int{queue.LaneSQL: 1}}, nil)
	d.check(err)
}

// there checks an error and reports whether the job was still there.
func (d *drain) there(err error) bool {
	d.Helper()
	if errors.Is(err, queue.ErrNotFound) {
		return false
	}
	d.check(err)
	return true
}

func (d *drain) cancel(id string) {
	_, _, err := d.q.Cancel(d.Context(), id)
	d.there(err)
}

func (d *drain) join(id, user string) {
	before, err := d.q.Get(d.Context(), id)
	if !d.there(err) {
		return
	}
	after, err := d.q.Join(d.Context(), id, user, 2)
	if d.there(err) && after.User != before.User {
		d.met["taken over"]++
	}
}

// leave lets the owner of the list in which a job stands leave it.
func (d *drain) leave(id string) {
	j, err := d.q.Get(d.Context(), id)
	if !d.there(err) {
		return
	}
	left, after, err := d.q.Leave(d.Context(), id, j.User)
	switch {
	case !d.there(err): // or left before, while it ran
	case after.User != j.User:
		d.met["inherited"]++
	case left == queue.StillWanted:
		d.met["left"]++
	}
}

// empty works until no list has work.
func (d *drain) empty() {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, err := d.q.Sweep(d.Context())
		d.check(err)
		d.check(d.q.SetPaused(d.Context(), d.random.IntN(2) == 0))
		for _, lane := range queue.Lanes {
			for d.work(lane) {
			}
		}
		s, err := d.q.Stats(d.Context())
		d.check(err)
		lists := 0
		for _, l := range s.Lanes {
			lists += l.Lists
		}
		if lists == 0 {
			break
		}
		if time.Now().After(end) {
			d.Fatalf("not drained: %+v", s)
		}
	}
	d.check(d.q.SetPaused(d.Context(), false))
}

// work claims a job and ends the claim in some way.
func (d *drain) work(lane queue.Lane) bool {
	ctx := d.Context()
	h := queue.Holder{Claim: uuid.NewString()}
	c, err := d.q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: lane})
	d.check(err)
	if c == nil {
		return false
	}
	h.Job = c.Job.ID
	switch d.random.IntN(8) {
	case 0, 1:
		measured := d.random.IntN(2) == 0
		d.check(d.q.Finish(ctx, h, queue.Success{Outcome: []byte("x"), Measured: measured}))
		if measured && c.Job.Class != "" {
			d.met["learned"]++
		}
	case 2, 3:
		f := queue.Failure{Reason: "no", Retry: d.random.IntN(4) > 0, After: time.Duration(d.random.IntN(3)) * 5 * time.Millisecond}
		state, err := d.q.Fail(ctx, h, f)
		d.check(err)
		if state == queue.Pending && f.After > 0 {
			d.met["delayed"]++
			d.delayed(h.Job)
		}
	case 4:
		d.check(d.q.Release(ctx, h))
	case 5:
		d.cancel(h.Job)
		if d.random.IntN(2) == 0 {
			d.check(d.q.Release(ctx, h))
		}
	case 6:
		d.join(h.Job, d.user())
		d.leave(h.Job)
	case 7: // the worker dies
	}
	return true
}

// delayed does something with a job that waits for a retry, or nothing.
func (d *drain) delayed(id string) {
	switch d.random.IntN(4) {
	case 0:
		d.cancel(id)
		d.met["cancelled while delayed"]++
	case 1:
		d.join(id, d.user())
		d.leave(id)
	}
}
