package queuetest

import (
	"slices"
	"time"

	"slashbatch/queue"
)

// model is the queue as the contract words it, written to be obviously right:
// slices, and a walk over all of them for every question. What the contract
// leaves to the backend, such as when a lease runs out, it is told; see recover.go.
type model struct {
	crashLimit int
	jobs       []*modelJob // as submitted
	keys       map[string]*modelJob
	lists      []*modelList // in line: the first one is furthest ahead
	capacities map[string]int
	paused     bool
}

type modelJob struct {
	queue.Submission
	id, user string // user owns the list it stands in or was claimed from
	state    queue.State
	waiters  []modelWaiter // in the order in which they joined

	delayed   bool      // it waits for a retry
	retrySoon bool      // for one that a test can wait for
	due       time.Time // when, as far as the backend has told

	held   bool // takes a place, also while it is being cancelled
	holder queue.Holder
	worker string
	sealed bool

	attempt, failures, crashes int
	reason                     string
}

type modelWaiter struct {
	user string
	cap  int
}

// modelList is one user's list in one lane. It is in line while it has work.
type modelList struct {
	user    string
	lane    queue.Lane
	cap     int
	running int
	pending []*modelJob
	delayed []*modelJob
}

func newModel() *model { return &model{keys: map[string]*modelJob{}} }

// find returns a user's list, nil when it has no work.
func (m *model) find(user string, lane queue.Lane) *modelList {
	for _, l := range m.lists {
		if l.user == user && l.lane == lane {
			return l
		}
	}
	return nil
}

// list returns a user's list, which joins the line at its end if it has no work yet.
func (m *model) list(user string, lane queue.Lane) *modelList {
	l := m.find(user, lane)
	if l == nil {
		l = &modelList{user: user, lane: lane}
		m.lists = append(m.lists, l)
	}
	return l
}

// toEnd sends a list to the end of the line.
func (m *model) toEnd(l *modelList) {
	at := slices.Index(m.lists, l)
	m.lists = append(slices.Delete(m.lists, at, at+1), l)
}

// tidy takes lists without work out of the line.
func (m *model) tidy() {
	m.lists = slices.DeleteFunc(m.lists, func(l *modelList) bool { return l.work() == 0 })
}

func (l *modelList) work() int { return len(l.pending) + len(l.delayed) + l.running }

func (l *modelList) estimates() (sum time.Duration) {
	for _, j := range l.pending {
		sum += j.Estimate
	}
	return sum
}

func (m *model) submit(s queue.Submission) (j *modelJob, created, full bool) {
	if last := m.keys[s.Key]; last != nil && s.Key != "" {
		if !last.state.Final() {
			m.ask(last, s.User, s.RunningCap)
			return last, false, false
		}
		if last.id != s.After {
			return last, false, false
		}
	}
	if l := m.find(s.User, s.Lane); l != nil && s.QueuedCap > 0 && len(l.pending)+len(l.delayed) >= s.QueuedCap {
		return nil, false, true
	}
	j = &modelJob{Submission: s, id: s.ID, state: queue.Pending, waiters: []modelWaiter{{s.User, s.RunningCap}}}
	m.jobs = append(m.jobs, j)
	if s.Key != "" {
		m.keys[s.Key] = j
	}
	m.arrive(j, s.User)
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

// running is how many jobs of a source take a place.
func (m *model) running(source string) (n int) {
	for _, j := range m.jobs {
		if j.held && j.Source == source {
			n++
		}
	}
	return n
}

func (m *model) claim(lane queue.Lane, worker string) *modelJob {
	l := m.best(lane, func(l *modelList) bool {
		capacity, limited := m.capacities[l.pending[0].Source]
		return l.running < l.cap && (!limited || m.running(l.pending[0].Source) < capacity)
	})
	if l == nil || m.paused {
		return nil
	}
	j := l.pending[0]
	l.pending = l.pending[1:]
	l.running++
	m.toEnd(l)
	j.state, j.held, j.worker = queue.Running, true, worker
	j.attempt++
	j.sealed, j.reason = false, ""
	return j
}

// free ends the claim of a job and returns its list.
func (m *model) free(j *modelJob) *modelList {
	l := m.find(j.user, j.Lane)
	l.running--
	j.held, j.sealed = false, false
	return l
}

// back gives a job up to the head of its list.
func (m *model) back(j *modelJob) {
	l := m.free(j)
	j.state = queue.Pending
	l.pending = slices.Insert(l.pending, 0, j)
}

// over ends a run for good.
func (m *model) over(j *modelJob, s queue.State) {
	j.state = s
	m.toEnd(m.free(j))
	m.tidy()
}

func (m *model) release(j *modelJob) {
	if j.state == queue.Running {
		m.back(j)
	} else {
		m.over(j, j.state)
	}
}

func (m *model) fail(j *modelJob, f queue.Failure) queue.State {
	j.failures++
	j.reason = f.Reason
	switch {
	case !f.Retry || j.failures > j.Retry:
		m.over(j, queue.Failed)
	case f.After > 0:
		l := m.free(j)
		j.state, j.delayed, j.retrySoon = queue.Pending, true, f.After == soon
		l.delayed = append(l.delayed, j)
	default:
		m.back(j)
	}
	return j.state
}

// crash ends a claim whose lease ran out.
func (m *model) crash(j *modelJob) {
	if j.state != queue.Running {
		m.over(j, j.state)
		return
	}
	j.crashes++
	if j.crashes < m.crashLimit {
		m.back(j)
	} else {
		m.over(j, queue.Failed)
	}
}

// resume brings a job back whose retry is due.
func (m *model) resume(j *modelJob) {
	l := m.find(j.user, j.Lane)
	m.depart(j)
	j.delayed = false
	l.pending = slices.Insert(l.pending, 0, j)
}

func (m *model) cancel(j *modelJob) queue.Left {
	switch {
	case j.state == queue.Pending:
		m.depart(j)
		m.tidy()
		j.state, j.delayed = queue.Cancelled, false
		return queue.Removed
	case j.state == queue.Running && !j.sealed:
		j.state = queue.Cancelled // its place is still taken
		return queue.Stopping
	}
	return queue.TooLate
}

// depart takes a pending job out of its list.
func (m *model) depart(j *modelJob) {
	l := m.find(j.user, j.Lane)
	gone := func(k *modelJob) bool { return k == j }
	l.pending = slices.DeleteFunc(l.pending, gone)
	l.delayed = slices.DeleteFunc(l.delayed, gone)
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
func (m *model) standing(j *modelJob) (index int, ahead time.Duration) {
	if j.delayed {
		return 0, 0
	}
	for i, before := range m.find(j.user, j.Lane).pending {
		if before == j {
			return i, ahead
		}
		ahead += before.Estimate
	}
	return -1, 0
}

// walk claims one job after the other from a copy, asking neither caps nor
// capacities, and returns them in this order.
func (m *model) walk(lane queue.Lane) (jobs []*modelJob) {
	walked := newModel()
	for _, l := range m.lists {
		l := *l
		walked.lists = append(walked.lists, &l)
	}
	for {
		l := walked.best(lane, func(*modelList) bool { return true })
		if l == nil {
			return jobs
		}
		jobs = append(jobs, l.pending[0])
		l.pending = l.pending[1:]
		l.running++
		walked.toEnd(l)
	}
}
