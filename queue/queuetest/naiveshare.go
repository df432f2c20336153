package queuetest

import (
	"slices"

	"slashbatch/queue"
)

// waits is where a user stands among a job's waiters, -1 for none of them.
func (j *modelJob) waits(user string) int {
	return slices.IndexFunc(j.waiters, func(w modelWaiter) bool { return w.user == user })
}

// work is how many jobs of a user are pending or running.
func (m *model) work(user string, lane queue.Lane) int {
	if l := m.find(user, lane); l != nil {
		return l.work()
	}
	return 0
}

// ask makes a user a waiter of an active job, who may take it over.
func (m *model) ask(j *modelJob, user string, runningCap int) {
	if at := j.waits(user); at >= 0 {
		j.waiters[at].cap = runningCap
	} else {
		j.waiters = append(j.waiters, modelWaiter{user, runningCap})
	}
	if j.state != queue.Pending || j.delayed || j.user == user {
		return
	}
	from := m.find(j.user, j.Lane)
	if m.work(user, j.Lane) < from.running+slices.Index(from.pending, j) {
		m.move(j, user)
	}
}

func (m *model) leave(j *modelJob, user string) queue.Left {
	if j.state.Final() || j.sealed {
		return queue.TooLate
	}
	if len(j.waiters) == 1 {
		return m.cancel(j)
	}
	at := j.waits(user)
	j.waiters = slices.Delete(j.waiters, at, at+1)
	if j.state == queue.Pending && j.user == user {
		m.move(j, m.heir(j))
	}
	return queue.StillWanted
}

// heir is the waiter to whom a pending job goes when its owner has left.
func (m *model) heir(j *modelJob) string {
	fewest := m.work(j.waiters[0].user, j.Lane)
	for _, w := range j.waiters {
		fewest = min(fewest, m.work(w.user, j.Lane))
	}
	for _, l := range m.lists { // in line
		if l.lane == j.Lane && j.waits(l.user) >= 0 && l.work() == fewest {
			return l.user
		}
	}
	for _, w := range j.waiters { // as they joined
		if m.work(w.user, j.Lane) == 0 {
			return w.user
		}
	}
	return ""
}

func (m *model) move(j *modelJob, user string) {
	m.depart(j)
	m.tidy()
	m.arrive(j, user)
}

// arrive puts a pending job at the end of the list of one of its waiters.
func (m *model) arrive(j *modelJob, user string) {
	l := m.list(user, j.Lane)
	l.cap = j.waiters[j.waits(user)].cap
	j.user = user
	if j.delayed {
		l.delayed = append(l.delayed, j)
	} else {
		l.pending = append(l.pending, j)
	}
}

// listed are the jobs that a user waits for, or did until they ended, newest first.
func (m *model) listed(user string) (ids []string) {
	for _, j := range slices.Backward(m.jobs) {
		if j.waits(user) >= 0 {
			ids = append(ids, j.id)
		}
	}
	return ids
}
