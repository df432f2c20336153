package memqueue

import (
	"container/heap"
	"context"
	"fmt"
	"slices"

	"slashbatch/queue"
)

// sweepMax bounds what one Sweep does of each kind, so that nobody waits long
// for the mutex.
const sweepMax = 1000

// Sweep implements queue.Queue.
func (q *Queue) Sweep(ctx context.Context) (queue.Swept, error) {
	if err := q.lock(ctx); err != nil {
		return queue.Swept{}, err
	}
	defer q.mu.Unlock()

	q.resume()
	var swept queue.Swept
	now := q.now()
	if now.Sub(q.swept) > q.settings.Lease/2 {
		swept.Extended = true
		q.extend()
	} else {
		q.recover(&swept)
	}
	q.swept = now

	for id, w := range q.workers {
		if !w.expires.After(now) {
			q.version++
			delete(q.workers, id)
		}
	}
	for range min(len(q.over), sweepMax) {
		c := q.over[0]
		if c.expires.After(now) {
			break
		}
		delete(q.claims, c.id)
		q.over.pop()
	}
	for range min(len(q.ended), sweepMax) {
		j := q.ended[0]
		if j.Ended.Add(q.settings.Retention).After(now) {
			break
		}
		q.forget(j)
		q.ended.pop()
	}
	return swept, nil
}

// extend pushes every lease that would end sooner to one lease from now.
func (q *Queue) extend() {
	until := q.now().Add(q.settings.Lease)
	for _, c := range q.leases {
		if c.expires.Before(until) {
			c.expires = until
		}
	}
	heap.Init(&q.leases)
}

// recover ends the claims whose lease has run out.
func (q *Queue) recover(swept *queue.Swept) {
	now := q.now()
	var dead []*claim
	for len(dead) < sweepMax {
		c, ok := q.leases.first()
		if !ok || c.expires.After(now) {
			break
		}
		q.leases.set(c, false)
		dead = append(dead, c)
	}
	slices.SortFunc(dead, func(a, b *claim) int { return youngest(a.job, b.job) })
	for _, c := range dead {
		j := c.job
		if j.State != queue.Running { // cancelled
			q.letGo(c, recovered)
			q.wake(j.User)
			continue
		}
		j.Crashes++
		if j.Crashes < q.settings.Crashes {
			q.giveBack(c, recovered)
			swept.Recovered++
			continue
		}
		j.Error = fmt.Sprintf("the worker was lost %d times", j.Crashes)
		q.end(j, queue.Failed)
		q.letGo(c, recovered)
		swept.Failed++
	}
}
