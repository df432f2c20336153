package queuetest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"slashbatch/queue"
)

// timedActions are all actions, and those in which leases run out and retries fall due.
func (m *machine) timedActions() map[string]func(*rapid.T) {
	all := m.actions()
	for _, name := range []string{"crash", "crash 2"} {
		all[name] = func(*rapid.T) { m.crash() }
	}
	all["wait for retries"] = func(*rapid.T) { m.waitForRetries() }
	return all
}

// crash lets a worker die with all or some of its claims, and the others find out.
// What they hold themselves must not be touched.
func (m *machine) crash() {
	worker := m.some(func(j *modelJob) bool { return j.held }).worker
	dead := map[*modelJob]bool{}
	ends := map[queue.Lane]bool{} // where the death ends a run for good
	for _, j := range m.model.jobs {
		if !j.held {
			continue
		}
		// Two lists that go to the end of one line at once do so in the order of
		// their leases, which nobody here knows. So it is one at most.
		end := j.state != queue.Running || j.crashes+1 == m.model.crashLimit
		if j.worker == worker && !(end && ends[j.Lane]) && !m.chance("survives", 4) {
			dead[j] = true
			ends[j.Lane] = ends[j.Lane] || end
		} else if j.state != queue.Running { // its worker, alive, hears of the cancel
			m.model.release(j)
			m.must(m.Release(m.ctx, j.holder))
		}
	}
	m.sweepUntilFound(dead, func() bool { return len(dead) == 0 })
}

// waitForRetries sweeps until those that are due soon are back.
func (m *machine) waitForRetries() {
	for _, j := range m.model.jobs {
		if j.held && j.state != queue.Running {
			m.model.release(j)
			m.must(m.Release(m.ctx, j.holder))
		}
	}
	m.sweepUntilFound(nil, func() bool {
		for _, j := range m.model.jobs {
			if j.delayed && j.retrySoon {
				return false
			}
		}
		return true
	})
}

// sweepUntilFound beats for the living and sweeps, until done.
func (m *machine) sweepUntilFound(dead map[*modelJob]bool, done func() bool) {
	m.eventually("all is found", func() bool {
		start := time.Now()
		var beats []queue.Beat
		for _, j := range m.model.jobs {
			if j.held && !dead[j] {
				beats = append(beats, queue.Beat{Holder: j.holder})
			}
		}
		answers, err := m.Beat(m.ctx, queue.Worker{ID: "living"}, beats)
		m.must(err)
		for _, err := range answers {
			m.must(err)
		}
		before := m.snapshot().Now
		swept, err := m.Sweep(m.ctx)
		m.must(err)
		m.found(dead, before, swept)
		if time.Since(start) > m.lease/2 {
			m.abandoned = "the machine is so slow that a living claim may have expired"
			return true
		}
		return done()
	})
}

// found tells the model what a sweep has done, which depends on the backend's
// clock, and holds that it could.
func (m *machine) found(dead map[*modelJob]bool, before time.Time, swept queue.Swept) {
	snap := m.snapshot()
	taken := map[string]bool{}
	for _, lane := range snap.Lanes {
		for _, r := range lane.Runs {
			taken[r.Job] = true
		}
	}
	var want queue.Swept
	var back []*modelJob
	for _, j := range m.model.jobs {
		switch {
		case j.held && !taken[j.id]:
			if !dead[j] {
				m.Fatalf("job %s of a living worker was recovered", j.id)
			}
			delete(dead, j)
			m.past = append(m.past, pastClaim{Holder: j.holder, job: j, worker: j.worker, how: "crash", at: time.Now()})
			running := j.state == queue.Running
			m.model.crash(j)
			if j.state == queue.Pending {
				want.Recovered++
				back = append(back, j)
			} else if running {
				want.Failed++
			}
		case j.delayed:
			due := m.get(j.id, queue.Pending).Standing.NotBefore
			if due.IsZero() {
				if snap.Now.Before(j.due) {
					m.Fatalf("job %s is back before its time", j.id)
				}
				m.model.resume(j)
				back = append(back, j)
				break
			}
			j.due = due
			if !before.Before(due) {
				m.Fatalf("job %s is still away after its time", j.id)
			}
		}
	}
	want.Extended = swept.Extended
	m.same("Sweep", want, swept)
	m.heads(back)
}

// heads puts jobs that came back by one sweep into the order in which the queue
// has them: at the heads of their lists, but in no certain order among each other.
func (m *machine) heads(back []*modelJob) {
	index := map[*modelJob]int{}
	for _, j := range back {
		index[j] = m.get(j.id, queue.Pending).Standing.Index
	}
	for _, l := range m.model.lists {
		n := 0
		for n < len(l.pending) && slices.Contains(back, l.pending[n]) {
			n++
		}
		slices.SortFunc(l.pending[:n], func(a, b *modelJob) int { return index[a] - index[b] })
	}
}
