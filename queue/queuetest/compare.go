package queuetest

import (
	"fmt"
	"slices"
	"time"

	"slashbatch/queue"
)

// compare holds the whole state of the queue against the model's.
func (m *machine) compare() {
	m.Helper()
	snap := m.snapshot()
	m.same("paused", m.model.paused, snap.Paused)
	for _, name := range queue.Lanes {
		m.compareLane(name, snap.Lanes[name])
	}
	for _, j := range m.model.jobs {
		m.compareJob(j, snap.Lanes[j.Lane])
	}
	for _, user := range modelUsers {
		page, err := m.List(m.ctx, user, 0, len(m.model.jobs)+1)
		m.must(err)
		var got []string
		for _, j := range page {
			got = append(got, j.ID)
		}
		m.same("the list of "+user, m.model.listed(user), got)
	}
	m.compareStats()
}

func (m *machine) compareLane(name queue.Lane, lane queue.LaneSnapshot) {
	m.Helper()
	var want, got []string
	for _, l := range m.model.lines(name) {
		if len(l.pending)+l.running > 0 {
			want = append(want, fmt.Sprintf("%d pending, %d running, %v", len(l.pending), l.running, l.estimates()))
		}
	}
	slices.SortFunc(lane.Lines, func(a, b queue.Line) int { return int(a.Place - b.Place) })
	for _, l := range lane.Lines {
		if l.Pending+l.Running > 0 {
			got = append(got, fmt.Sprintf("%d pending, %d running, %v", l.Pending, l.Running, l.Estimates))
		}
	}
	m.same(fmt.Sprintf("the line of lane %s", name), want, got)

	want, got = nil, nil
	for _, j := range m.model.jobs {
		if j.held && j.Lane == name {
			want = append(want, fmt.Sprintf("job %s of %s by %s, %v", j.id, j.user, j.worker, j.Estimate))
		}
	}
	for _, r := range lane.Runs {
		got = append(got, fmt.Sprintf("job %s of %s by %s, %v", r.Job, r.User, r.Worker, r.Estimate))
	}
	slices.Sort(want)
	slices.Sort(got)
	m.same(fmt.Sprintf("what runs in lane %s", name), want, got)

	for i, j := range m.model.walk(name) {
		m.same("the position of job "+j.id, i+1, queue.Position(lane, m.get(j.id, queue.Pending).Standing))
	}
}

func (m *machine) compareJob(j *modelJob, lane queue.LaneSnapshot) {
	m.Helper()
	got := m.get(j.id, j.state)
	m.same("job "+j.id,
		[]any{j.user, j.attempt, j.failures, j.crashes, j.sealed && j.state == queue.Running},
		[]any{got.User, got.Attempt, got.Failures, got.Crashes, got.Sealed && got.State == queue.Running})
	if j.state != queue.Pending {
		m.same("the standing of job "+j.id, queue.Standing{}, got.Standing)
		return
	}
	s := got.Standing
	index, ahead := m.model.standing(j)
	m.same("the standing of job "+j.id,
		[]any{index, ahead, m.model.find(j.user, j.Lane).running, j.delayed},
		[]any{s.Index, s.Ahead, s.Running, !s.NotBefore.IsZero()})
	if !j.delayed && !slices.ContainsFunc(lane.Lines, func(l queue.Line) bool { return l.ID == s.Line && l.Place == s.Place }) {
		m.Errorf("line %d at place %d of job %s is not in %+v", s.Line, s.Place, j.id, lane.Lines)
	}
}

func (m *machine) compareStats() {
	m.Helper()
	stats, err := m.Stats(m.ctx)
	m.must(err)
	for _, name := range queue.Lanes {
		var want queue.LaneStats
		for _, l := range m.model.lines(name) {
			want.Lists++
			want.Pending += len(l.pending)
			want.Delayed += len(l.delayed)
			want.Running += l.running
		}
		got := stats.Lanes[name]
		if got.Oldest.IsZero() != (want.Pending == 0) {
			m.Errorf("oldest %v, with %d pending", got.Oldest, want.Pending)
		}
		got.Oldest = time.Time{}
		m.same(fmt.Sprintf("stats of lane %s", name), want, got)
	}
	for i := range 3 {
		name := fmt.Sprint("s", i)
		capacity, limited := m.model.capacities[name]
		if !limited {
			capacity = -1
		}
		got, there := stats.Sources[name]
		if want := m.model.running(name); want > 0 || limited {
			m.same("stats of source "+name, queue.SourceStats{Running: want, Capacity: capacity}, got)
		} else if there {
			m.Errorf("stats of source %s, which is not used: %+v", name, got)
		}
	}
}
