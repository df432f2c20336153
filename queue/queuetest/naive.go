package queuetest

import (
	"slices"
	"time"

	"slashbatch/queue"
)

// model is the queue as the contract words it, written to be obviously right:
// slices, and a walk over all of them for every question.
type model struct {
	jobs       []*modelJob
	keys       map[string]*modelJob
	lists      []*modelList // in line: the first one is furthest ahead
	capacities map[string]int
}

type modelJob struct {
	queue.Submission
	id, user string
	state    queue.State
	waiters  map[string]bool
	held     bool // takes a place, also while it is being cancelled
	holder   queue.Holder
	attempt  int
	failures int
}

// modelList is one user's list in one lane. It is in line while it has work.
type modelList struct {
	user    string
	lane    queue.Lane
	cap     int
	running int
	pending []*modelJob
}

func (l *modelList) estimates() (sum time.Duration) {
	for _, j := range l.pending {
		sum += j.Estimate
	}
	return sum
}

func newModel() *model { return &model{keys: map[string]*modelJob{}} }

func (m *model) list(user string, lane queue.Lane) *modelList {
	for _, l := range m.lists {
		if l.user == user && l.lane == lane {
			return l
		}
	}
	l := &modelList{user: user, lane: lane}
	m.lists = append(m.lists, l) // joins at the end
	return l
}

// toEnd sends a list to the end of the line.
func (m *model) toEnd(l *modelList) {
	at := slices.Index(m.lists, l)
	m.lists = append(slices.Delete(m.lists, at, at+1), l)
}

// tidy takes lists without work out of the line.
func (m *model) tidy() {
	m.lists = slices.DeleteFunc(m.lists, func(l *modelList) bool { return l.running == 0 && len(l.pending) == 0 })
}

func (m *model) submit(s queue.Submission) (j *modelJob, created, full bool) {
	if last := m.keys[s.Key]; last != nil && s.Key != "" {
		if !last.state.Final() {
			last.waiters[s.User] = true
			return last, false, false
		}
		if last.id != s.After {
			return last, false, false
		}
	}
	defer m.tidy()
	l := m.list(s.User, s.Lane)
	if s.QueuedCap > 0 && len(l.pending) >= s.QueuedCap {
		return nil, false, true
	}
	j = &modelJob{Submission: s, id: s.ID, user: s.User, state: queue.Pending, waiters: map[string]bool{s.User: true}}
	m.jobs = append(m.jobs, j)
	if s.Key != "" {
		m.keys[s.Key] = j
	}
	l.cap = s.RunningCap
	l.pending = append(l.pending, j)
	return j, true, false
}

// best is the list to be served next of those that may, nil when none.
func (m *model) best(lane queue.Lane, may func(*modelList) bool) (best *modelList) {
	for _, l := range m.lists { // in line, so the first of equals stays
		if l.lane == lane && len(l.pending) > 0 && may(l) && (best == nil || l.running < best.running) {
			best = l
		}
	}
	return best
}

func (m *model) claim(lane queue.Lane) *modelJob {
	l := m.best(lane, func(l *modelList) bool {
		if l.running >= l.cap {
			return false
		}
		source := l.pending[0].Source
		capacity, limited := m.capacities[source]
		held := 0
		for _, j := range m.jobs {
			if j.held && j.Source == source {
				held++
			}
		}
		return !limited || held < capacity
	})
	if l == nil {
		return nil
	}
	j := l.pending[0]
	l.pending = l.pending[1:]
	l.running++
	m.toEnd(l)
	j.state, j.held = queue.Running, true
	j.attempt++
	return j
}

// free ends the claim of a job, which is over for good or goes back.
func (m *model) free(j *modelJob, back bool) {
	l := m.list(j.user, j.Lane)
	l.running--
	j.held = false
	if back {
		j.state = queue.Pending
		l.pending = append([]*modelJob{j}, l.pending...)
	} else {
		m.toEnd(l)
	}
	m.tidy()
}

func (m *model) end(j *modelJob, s queue.State) {
	j.state = s
	m.free(j, false)
}

func (m *model) release(j *modelJob) { m.free(j, j.state == queue.Running) }

func (m *model) fail(j *modelJob, retry bool) queue.State {
	j.failures++
	if retry && j.failures <= j.Retry {
		m.free(j, true)
	} else {
		m.end(j, queue.Failed)
	}
	return j.state
}

func (m *model) cancel(j *modelJob) queue.Left {
	switch j.state {
	case queue.Pending:
		l := m.list(j.user, j.Lane)
		l.pending = slices.DeleteFunc(l.pending, func(k *modelJob) bool { return k == j })
		m.tidy()
		j.state = queue.Cancelled
		return queue.Removed
	case queue.Running:
		j.state = queue.Cancelled // its place is still taken
		return queue.Stopping
	}
	return queue.TooLate
}

func (m *model) leave(j *modelJob, user string) queue.Left {
	if j.state.Final() {
		return queue.TooLate
	}
	delete(j.waiters, user)
	if len(j.waiters) > 0 {
		return queue.StillWanted
	}
	return m.cancel(j)
}

// lines are the lists of a lane in line.
func (m *model) lines(lane queue.Lane) (lists []*modelList) {
	for _, l := range m.lists {
		if l.lane == lane {
			lists = append(lists, l)
		}
	}
	return lists
}

// standing is the place of a pending job in its own list.
func (m *model) standing(id string) (index int, ahead time.Duration) {
	for _, l := range m.lists {
		ahead = 0
		for i, j := range l.pending {
			if j.id == id {
				return i, ahead
			}
			ahead += j.Estimate
		}
	}
	return -1, 0
}

// walk claims one job after the other from a copy, asking neither caps nor
// capacities, and returns their ids in this order.
func (m *model) walk(lane queue.Lane) (ids []string) {
	walked := newModel()
	for _, l := range m.lists {
		l := *l
		walked.lists = append(walked.lists, &l)
	}
	for {
		l := walked.best(lane, func(*modelList) bool { return true })
		if l == nil {
			return ids
		}
		ids = append(ids, l.pending[0].id)
		l.pending = l.pending[1:]
		l.running++
		walked.toEnd(l)
	}
}
