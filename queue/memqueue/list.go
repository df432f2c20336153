package memqueue

import (
	"container/list"
	"time"

	"slashbatch/queue"
)

// lane keeps the order of one lane: lists with work, and the gates of the
// sources that let somebody through.
type lane struct {
	lists map[string]*line // by user; only those with work
	gates map[string]*gate // by source
	open  ordered[*gate]
	runs  map[*claim]struct{}

	ids  uint32   // lines given an id so far
	free []uint32 // ids to be given again
}

// line is the list of one user in one lane, present while it has work: jobs that
// stand in it, wait for a retry, or run.
//
// Jobs carry dense numbers and running totals of the estimates, so that index
// and estimates ahead of any job are differences to those of the head: reading
// them costs nothing, only a cancel in the middle renumbers what follows.
type line struct {
	user      string
	id        uint32
	pending   list.List // of *job
	delayed   int       // jobs that wait for a retry
	running   int
	cap       int
	place     int64
	estimates time.Duration

	gate  *gate // of the head job's source, while it is ready there
	index int
}

func (l *line) before(m *line) bool {
	if l.running != m.running {
		return l.running < m.running
	}
	return l.place < m.place
}

func (l *line) slot() *int { return &l.index }

// queued is what counts against the queued cap.
func (l *line) queued() int { return l.pending.Len() + l.delayed }

// head is the job to be claimed next, nil when none is pending.
func (l *line) head() *job {
	if e := l.pending.Front(); e != nil {
		return e.Value.(*job)
	}
	return nil
}

// append puts a job at the end.
func (l *line) append(j *job) {
	if e := l.pending.Back(); e != nil {
		last := e.Value.(*job)
		j.number, j.total = last.number+1, last.total+last.Estimate
	}
	j.element = l.pending.PushBack(j)
	l.estimates += j.Estimate
}

// giveBack puts a job at the head.
func (l *line) giveBack(j *job) {
	if h := l.head(); h != nil {
		j.number, j.total = h.number-1, h.total-j.Estimate
	}
	j.element = l.pending.PushFront(j)
	l.estimates += j.Estimate
}

// remove takes a job out. O(1) at the head, else O(jobs behind it).
func (l *line) remove(j *job) {
	if j.element != l.pending.Front() {
		for e := j.element.Next(); e != nil; e = e.Next() {
			behind := e.Value.(*job)
			behind.number--
			behind.total -= j.Estimate
		}
	}
	l.pending.Remove(j.element)
	j.element = nil
	l.estimates -= j.Estimate
}

// standing of a pending job of this list.
func (l *line) standing(j *job) queue.Standing {
	s := queue.Standing{Line: l.id, Running: l.running, Place: l.place, NotBefore: j.notBefore}
	if !j.waits() {
		h := l.head()
		s.Index, s.Ahead = int(j.number-h.number), j.total-h.total
	}
	return s
}

// lane returns the named lane.
func (q *Queue) lane(name queue.Lane) *lane {
	n := q.lanes[name]
	if n == nil {
		n = &lane{lists: map[string]*line{}, gates: map[string]*gate{}, runs: map[*claim]struct{}{}}
		q.lanes[name] = n
	}
	return n
}

// line returns the list of a user, which joins the line now if it has no work yet.
func (q *Queue) line(n *lane, user string) *line {
	l := n.lists[user]
	if l == nil {
		l = &line{user: user, place: q.nextPlace()}
		if last := len(n.free) - 1; last >= 0 {
			l.id, n.free = n.free[last], n.free[:last]
		} else {
			l.id = n.ids
			n.ids++
		}
		n.lists[user] = l
	}
	return l
}

func (q *Queue) nextPlace() int64 {
	q.place++
	return q.place
}

// settle puts a list where it belongs after anything about it has changed, and
// forgets it when it has no work left. O(log lists + log sources).
func (q *Queue) settle(n *lane, l *line) {
	q.version++
	old := l.gate
	l.gate = nil
	if h := l.head(); h != nil && l.running < l.cap {
		l.gate = n.gate(q.source(h.Source))
	}
	if old != nil && old != l.gate {
		// Out of the set of open gates first: a gate must not be compared while
		// it has no best list.
		n.open.set(old, false)
		old.ready.set(l, false)
		n.reopen(old)
	}
	if l.gate != nil {
		n.open.set(l.gate, false)
		l.gate.ready.set(l, true)
		n.reopen(l.gate)
	}
	if l.queued() == 0 && l.running == 0 {
		delete(n.lists, l.user)
		n.free = append(n.free, l.id)
	}
}
