package memqueue

import (
	"cmp"
	"slices"
	"time"

	"slashbatch/queue"
)

// delay ends a claim whose job waits for a retry: pending, but outside its list,
// which keeps its place in line.
func (q *Queue) delay(c *claim, after time.Duration) {
	j := c.job
	l := q.lane(j.Lane).lists[j.User]
	j.State, j.Started, j.Sealed = queue.Pending, time.Time{}, false
	j.notBefore = q.now().Add(after)
	q.delayed.set(j, true)
	l.delayed++
	q.drop(c, failed, l)
	q.changed(j)
}

// undelay takes a job out of those that wait for a retry.
func (q *Queue) undelay(j *job) {
	q.delayed.set(j, false)
	j.notBefore = time.Time{}
}

// resume puts jobs whose retry is due at the heads of their lists.
func (q *Queue) resume() {
	now := q.now()
	var due []*job
	for len(due) < sweepMax {
		j, ok := q.delayed.first()
		if !ok || j.notBefore.After(now) {
			break
		}
		q.delayed.set(j, false)
		due = append(due, j)
	}
	slices.SortFunc(due, youngest)
	for _, j := range due {
		n := q.lane(j.Lane)
		l := n.lists[j.User]
		l.delayed--
		j.notBefore = time.Time{}
		l.giveBack(j)
		q.settle(n, l)
		q.changed(j)
		q.wake(j.User)
	}
}

// youngest orders jobs that go to the heads of their lists one after the other:
// those of one list come to stand as they were submitted.
func youngest(a, b *job) int { return cmp.Compare(b.Order, a.Order) }
