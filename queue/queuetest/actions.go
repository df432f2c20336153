package queuetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"slashbatch/queue"
)

// actions are all that take no time. Who stands here twice is done twice as often.
func (m *machine) actions() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){}
	for name, do := range map[string]func(){
		"submit": m.submitJob, "submit 2": m.submitJob, "submit 3": m.submitJob,
		"claim": m.claimNext, "claim 2": m.claimNext, "claim 3": m.claimNext,
		"join": m.joinJob, "join 2": m.joinJob,
		"leave": m.leaveJob, "leave 2": m.leaveJob,
		"submit again": m.submitAgain,
		"claim again":  m.claimAgain,
		"end":          m.endClaim, "end 2": m.endClaim,
		"end again":  m.endAgain,
		"late":       m.late,
		"seal":       m.sealJob,
		"beat":       m.beatJob,
		"cancel":     m.cancelJob,
		"capacities": m.setCapacities,
		"pause":      m.setPaused,
	} {
		all[name] = func(*rapid.T) { do() }
	}
	return all
}

// submitJob submits up to three jobs of a user, since most of what can go wrong
// needs a list that is not empty.
func (m *machine) submitJob() {
	user := m.user()
	for range 1 + m.number("more", 3) {
		m.submitOne(user)
	}
}

func (m *machine) submitOne(user string) {
	s := export(user)
	s.Lane = m.lane()
	s.Source = fmt.Sprint("s", m.number("source", 3))
	s.Estimate = time.Duration(1+m.number("estimate", 50)) * time.Second
	s.RunningCap = 1 + m.number("running cap", 3)
	s.QueuedCap = 2 + m.number("queued cap", 8)
	s.Retry = 2 - m.number("retries less", 3)
	if m.chance("has a key", 2) {
		s.Key = fmt.Sprint("key", m.number("key", 4))
		if last := m.model.keys[s.Key]; last != nil && !m.chance("knows no last job", 3) {
			s.After = last.id
		}
	}
	want, created, refused := m.model.submit(s)
	e, err := m.Enqueue(m.ctx, s)
	if refused {
		var full *queue.FullError
		if !errors.As(err, &full) {
			m.Errorf("Enqueue: %+v, %v; want a FullError", e, err)
		}
		return
	}
	m.must(err)
	m.same("Enqueue", []any{want.id, want.user, want.state, created}, []any{e.Job.ID, e.Job.User, e.Job.State, e.Created})
}

func (m *machine) submitAgain() {
	j := m.some(func(*modelJob) bool { return true })
	e, err := m.Enqueue(m.ctx, j.Submission)
	m.must(err)
	m.same("Enqueue again", []any{j.id, j.user, j.state, true}, []any{e.Job.ID, e.Job.User, e.Job.State, e.Created})
}

func (m *machine) claimNext() {
	lane, worker := m.lane(), fmt.Sprint("w", m.number("worker", 3))
	r := queue.ClaimRequest{ClaimID: uuid.NewString(), Worker: worker, Lane: lane}
	want := m.model.claim(lane, worker)
	c, err := m.Claim(m.ctx, r)
	m.must(err)
	if want == nil || c == nil {
		m.same("Claim finds something", want != nil, c != nil)
		return
	}
	m.same("Claim", []any{want.id, want.user, want.attempt}, []any{c.Job.ID, c.Job.User, c.Job.Attempt})
	want.holder = queue.Holder{Job: want.id, Claim: r.ClaimID}
}

func (m *machine) claimAgain() {
	if m.chance("an ended one", 2) {
		p := m.ended()
		c, err := m.Claim(m.ctx, queue.ClaimRequest{ClaimID: p.Claim, Worker: p.worker, Lane: p.job.Lane})
		m.must(err)
		if m.remembered(p) && c != nil {
			m.Errorf("Claim again after %s: job %s", p.how, c.Job.ID)
		}
		return
	}
	j := m.some(func(j *modelJob) bool { return j.held && j.state == queue.Running })
	c, err := m.Claim(m.ctx, queue.ClaimRequest{ClaimID: j.holder.Claim, Worker: j.worker, Lane: j.Lane})
	m.must(err)
	if c == nil {
		m.Fatal("Claim again: nothing")
	}
	m.same("Claim again", []any{j.id, j.attempt}, []any{c.Job.ID, c.Job.Attempt})
}

// endClaim finishes, fails or releases some claim.
func (m *machine) endClaim() {
	j := m.some(func(j *modelJob) bool { return j.held })
	how := []string{"fail", "fail", "finish", "release"}[m.number("how", 4)]
	if j.state != queue.Running {
		how = "release"
	}
	p := pastClaim{Holder: j.holder, job: j, worker: j.worker, how: how}
	switch how {
	case "release":
		m.model.release(j)
		m.must(m.Release(m.ctx, j.holder))
	case "finish":
		m.model.over(j, queue.Done)
		m.must(m.Finish(m.ctx, j.holder, queue.Success{}))
	case "fail":
		f := queue.Failure{Reason: "no", Retry: !m.chance("for good", 3), After: m.delay()}
		p.answer = m.model.fail(j, f)
		got, err := m.Fail(m.ctx, j.holder, f)
		m.must(err)
		m.same("Fail", p.answer, got)
	}
	p.at = time.Now()
	m.past = append(m.past, p)
}

// soon is a retry's delay that is waited for.
const soon = 40 * time.Millisecond

func (m *machine) delay() time.Duration {
	delays := []time.Duration{0, time.Hour}
	if m.lease < time.Hour {
		delays = append(delays, soon, soon)
	}
	return delays[m.number("delay", len(delays))]
}

// ended returns a claim that has ended and must still be remembered.
func (m *machine) ended() pastClaim {
	var some []pastClaim
	for _, p := range m.past {
		if time.Since(p.at) < m.lease/2 {
			some = append(some, p)
		}
	}
	if len(some) == 0 {
		m.rt.Skip("no claim has ended lately")
	}
	return some[m.number("ended claim", len(some))]
}

// remembered reports whether a claim must have been remembered until now. If not,
// the machine was slow, and what the queue did is no part of the model.
func (m *machine) remembered(p pastClaim) bool {
	if time.Since(p.at) < m.lease {
		return true
	}
	m.abandoned = "an ended claim may be forgotten"
	return false
}

// endAgain repeats the call that ended a claim.
func (m *machine) endAgain() {
	p := m.ended()
	var err error
	var state queue.State
	switch p.how {
	case "release":
		err = m.Release(m.ctx, p.Holder)
	case "finish":
		err = m.Finish(m.ctx, p.Holder, queue.Success{})
	case "fail":
		state, err = m.Fail(m.ctx, p.Holder, queue.Failure{Reason: "no", Retry: true})
	default:
		m.rt.Skip("its lease ran out")
	}
	if m.remembered(p) {
		m.must(err)
		m.same("Fail again", p.answer, state)
	}
}

// late is a worker that does something else after its claim has ended.
func (m *machine) late() {
	if len(m.past) == 0 {
		m.rt.Skip("no claim has ended")
	}
	p := m.past[m.number("ended claim", len(m.past))]
	calls := map[string]func() error{
		"release": func() error { return m.Release(m.ctx, p.Holder) },
		"finish":  func() error { return m.Finish(m.ctx, p.Holder, queue.Success{Outcome: []byte("late")}) },
		"fail": func() error {
			_, err := m.Fail(m.ctx, p.Holder, queue.Failure{Reason: "late", Retry: true})
			return err
		},
		"beat": func() error { return m.beat(queue.Beat{Holder: p.Holder}) },
	}
	how := []string{"beat", "release", "finish", "fail"}[m.number("how", 4)]
	if how == p.how {
		m.rt.Skip("a repetition")
	}
	m.lost(how+" after "+p.how, calls[how](), p.job.state)
}

func (m *machine) sealJob() {
	j := m.some(func(j *modelJob) bool { return j.held })
	err := m.Seal(m.ctx, j.holder)
	if j.state == queue.Running {
		j.sealed = true
		m.must(err)
	} else {
		m.lost("Seal", err, j.state)
	}
}

func (m *machine) beatJob() {
	j := m.some(func(j *modelJob) bool { return j.held })
	err := m.beat(queue.Beat{Holder: j.holder})
	if j.state == queue.Running {
		m.must(err)
	} else {
		m.lost("Beat", err, j.state)
	}
}

func (m *machine) cancelJob() {
	j := m.some(func(j *modelJob) bool { return true })
	want := m.model.cancel(j)
	left, got, err := m.Cancel(m.ctx, j.id)
	m.must(err)
	m.same("Cancel", []any{want, j.state}, []any{left, got.State})
}

func (m *machine) joinJob() {
	j := m.some(func(j *modelJob) bool { return !j.state.Final() })
	user, runningCap := m.user(), 1+m.number("running cap", 3)
	m.model.ask(j, user, runningCap)
	got, err := m.Join(m.ctx, j.id, user, runningCap)
	m.must(err)
	m.same("Join", []any{j.user, j.state}, []any{got.User, got.State})
}

func (m *machine) leaveJob() {
	j := m.some(func(*modelJob) bool { return true })
	user := m.user()
	if j.waits(user) < 0 {
		_, _, err := m.Leave(m.ctx, j.id, user)
		notFound(m.fixture, "Leave by who does not wait", err)
		return
	}
	want := m.model.leave(j, user)
	left, got, err := m.Leave(m.ctx, j.id, user)
	m.must(err)
	m.same("Leave", []any{want, j.user, j.state}, []any{left, got.User, got.State})
}

func (m *machine) setCapacities() {
	m.model.capacities = map[string]int{"s0": m.number("capacity", 3), "s1": 1 + m.number("capacity", 4)}
	m.must(m.SetCapacities(m.ctx, m.model.capacities))
}

// setPaused ends a pause more often than it begins one, since little happens in it.
func (m *machine) setPaused() {
	m.model.paused = !m.model.paused && m.chance("pause", 4)
	m.must(m.SetPaused(m.ctx, m.model.paused))
}
