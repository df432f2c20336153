package memqueue

import (
	"bytes"
	"cmp"
	"container/list"
	"slices"
	"time"

	"slashbatch/queue"
)

// job is a queue.Job with what the queue needs to keep order. Its embedded
// Standing stays empty; it is computed when somebody asks.
type job struct {
	queue.Job
	definition []byte
	waiters    map[string]*waiter

	element *list.Element // while it stands in its list; number and total as line explains
	number  int64
	total   time.Duration

	notBefore time.Time // while it waits for a retry
	index     int
}

func (j *job) before(k *job) bool { return j.notBefore.Before(k.notBefore) }
func (j *job) slot() *int         { return &j.index }

// waits reports whether the job waits for a retry, outside its list.
func (j *job) waits() bool { return !j.notBefore.IsZero() }

// view is what callers see of a job.
func (q *Queue) view(j *job) queue.Job {
	v := j.Job
	v.Steps, v.Outcome = bytes.Clone(v.Steps), bytes.Clone(v.Outcome)
	if v.State == queue.Pending {
		v.Standing = q.lane(j.Lane).lists[j.User].standing(j)
	}
	return v
}

// end makes a job final.
func (q *Queue) end(j *job, s queue.State) {
	j.State, j.Ended = s, q.now()
	q.ended.push(j)
	q.changed(j)
}

// forget drops a final job, and its key's entry unless a newer job has taken it.
func (q *Queue) forget(j *job) {
	delete(q.jobs, j.ID)
	if q.keys[j.Key] == j {
		delete(q.keys, j.Key)
	}
	for user := range j.waiters {
		q.unlist(user, j)
	}
}

// list puts a job among those of a user, for List.
func (q *Queue) list(user string, j *job) {
	at, _ := byOrder(q.users[user], j.Order)
	q.users[user] = slices.Insert(q.users[user], at, j)
}

func (q *Queue) unlist(user string, j *job) {
	mine := q.users[user]
	switch at, _ := byOrder(mine, j.Order); {
	case len(mine) == 1:
		delete(q.users, user)
	case at == 0: // as retention does, so nothing is moved for it
		mine[0] = nil
		q.users[user] = mine[1:]
	default:
		q.users[user] = slices.Delete(mine, at, at+1)
	}
}

// byOrder finds the first of a user's jobs that was not submitted before order.
func byOrder(jobs []*job, order int64) (int, bool) {
	return slices.BinarySearchFunc(jobs, order, func(j *job, o int64) int { return cmp.Compare(j.Order, o) })
}
