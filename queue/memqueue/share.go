package memqueue

import (
	"cmp"

	"slashbatch/queue"
)

// waiter is somebody who waits for a job.
type waiter struct {
	joined int64 // grows with every joining
	cap    int   // on running jobs, for the waiter's list should the job come there
}

// wait makes a user a waiter of a job.
func (q *Queue) wait(j *job, user string, runningCap int) {
	w := j.waiters[user]
	if w == nil {
		q.joined++
		w = &waiter{joined: q.joined}
		j.waiters[user] = w
		q.list(user, j)
	}
	w.cap = max(runningCap, 1)
}

// ask makes a user a waiter of an active job, who takes it over when it would be
// reached sooner in the user's own list.
func (q *Queue) ask(j *job, user string, runningCap int) {
	q.wait(j, user, runningCap)
	if j.State != queue.Pending || j.waits() || j.User == user {
		return
	}
	n := q.lane(j.Lane)
	from := n.lists[j.User]
	if n.work(user) < from.running+from.standing(j).Index {
		q.move(j, user)
	}
}

// heir is the waiter of a pending job who comes after an owner that has left.
func (q *Queue) heir(j *job) string {
	n := q.lane(j.Lane)
	var best string
	for user := range j.waiters {
		if best == "" || n.inherits(j, user, best) {
			best = user
		}
	}
	return best
}

// inherits reports whether waiter a comes before waiter b.
func (n *lane) inherits(j *job, a, b string) bool {
	if c := cmp.Compare(n.work(a), n.work(b)); c != 0 {
		return c < 0
	}
	// With as much work they are both in line, or neither is.
	if n.lists[a] != nil {
		return n.lists[a].place < n.lists[b].place
	}
	return j.waiters[a].joined < j.waiters[b].joined
}

// work is how many jobs of a user are pending or running.
func (n *lane) work(user string) int {
	l := n.lists[user]
	if l == nil {
		return 0
	}
	return l.queued() + l.running
}

// move takes a pending job to the end of another waiter's list.
func (q *Queue) move(j *job, user string) {
	q.depart(j)
	q.arrive(j, user)
}

// depart takes a pending job out of its list, whose place in line stays. The
// retry that it may wait for is left to the caller.
func (q *Queue) depart(j *job) {
	n := q.lane(j.Lane)
	l := n.lists[j.User]
	if j.waits() {
		l.delayed--
	} else {
		l.remove(j)
	}
	q.settle(n, l)
}
