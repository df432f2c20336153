package queue

import (
	"testing"
	"time"
)

// me is the list that the tests ask for; the lines of others follow.
const me = 0

func lane(slots int, others ...Line) LaneSnapshot {
	l := LaneSnapshot{Slots: slots, Lines: []Line{{ID: me, Pending: 100}}}
	for i, o := range others {
		o.ID = uint32(i + 1)
		l.Lines = append(l.Lines, o)
	}
	return l
}

func TestPosition(t *testing.T) {
	tests := []struct {
		name   string
		s      Standing
		others []Line
		want   int
	}{
		{"alone, the head", Standing{}, nil, 1},
		{"alone, behind two of its own", Standing{Index: 2}, nil, 3},
		{"running jobs of its own do not count", Standing{Running: 2, Index: 1}, nil, 2},
		{"somebody ahead in line", Standing{Place: 2}, []Line{{Pending: 5, Place: 1}}, 2},
		{"somebody behind in line", Standing{Place: 1}, []Line{{Pending: 5, Place: 2}}, 1},
		{"turns with somebody ahead", Standing{Place: 2, Index: 2}, []Line{{Pending: 5, Place: 1}}, 6},
		{"turns with somebody behind", Standing{Place: 1, Index: 2}, []Line{{Pending: 5, Place: 2}}, 5},
		{"somebody has no more than one", Standing{Place: 2, Index: 2}, []Line{{Pending: 1, Place: 1}}, 4},
		{"somebody has nothing pending", Standing{Place: 2, Index: 2}, []Line{{Running: 1, Place: 1}}, 3},
		{"somebody with more running comes later, though ahead in line", Standing{Place: 2}, []Line{{Pending: 5, Running: 1, Place: 1}}, 1},
		{"at equal numbers who was there first goes first", Standing{Place: 2, Index: 1}, []Line{{Pending: 5, Running: 1, Place: 3}}, 3},
		{"somebody with fewer running catches up first", Standing{Running: 2, Place: 1}, []Line{{Pending: 5, Place: 2}}, 3},
		{"somebody far above is never before it", Standing{Index: 3}, []Line{{Pending: 5, Running: 4}}, 4},
		{"everybody's jobs add up", Standing{Place: 3}, []Line{{Pending: 1, Place: 1}, {Pending: 1, Place: 2}, {Pending: 1, Place: 4}}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Position(lane(1, tt.others...), tt.s); got != tt.want {
				t.Errorf("position %d, want %d", got, tt.want)
			}
		})
	}
}

func TestETA(t *testing.T) {
	now := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	const s = time.Second
	run := func(ago, estimate time.Duration) Run { return Run{Started: now.Add(-ago), Estimate: estimate} }
	tests := []struct {
		name     string
		slots    int
		runs     []Run
		others   []Line
		s        Standing
		estimate time.Duration
		position int
		want     time.Duration
	}{
		{"two pending, nothing running: the first", 1, nil, nil, Standing{}, 100 * s, 1, 100 * s},
		{"two pending, nothing running: the second", 1, nil, nil, Standing{Index: 1, Ahead: 100 * s}, 50 * s, 2, 150 * s},
		{"no live slot counts as one", 0, nil, nil, Standing{Index: 1, Ahead: 100 * s}, 50 * s, 2, 150 * s},
		{"slots share what is ahead, not the job itself", 4, nil, nil, Standing{Index: 1, Ahead: 100 * s}, 50 * s, 2, 75 * s},
		{"what remains of a running job", 1, []Run{run(30*s, 100*s)}, nil, Standing{}, 10 * s, 1, 80 * s},
		{"an overrun job counts nothing", 1, []Run{run(130*s, 100*s), run(90*s, 100*s)}, nil, Standing{}, 10 * s, 1, 20 * s},
		{"another user's jobs count their mean", 1, nil, []Line{{Pending: 4, Place: -1, Estimates: 80 * s}}, Standing{Index: 1, Ahead: 5 * s}, 10 * s, 4, 55 * s},
		{"only those before it", 1, nil, []Line{{Pending: 4, Place: 1, Estimates: 80 * s}}, Standing{}, 10 * s, 1, 10 * s},
		{"a user with nothing pending", 1, nil, []Line{{Running: 1}}, Standing{}, 10 * s, 1, 10 * s},
		{"a retry that is due later", 1, nil, nil, Standing{NotBefore: now.Add(30 * s)}, 10 * s, 1, 40 * s},
		{"a retry that is due long before its turn", 1, []Run{run(0, 100*s)}, nil, Standing{NotBefore: now.Add(30 * s)}, 10 * s, 1, 110 * s},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := lane(tt.slots, tt.others...)
			l.Runs = tt.runs
			if got := Position(l, tt.s); got != tt.position {
				t.Errorf("position %d, want %d", got, tt.position)
			}
			if got := ETA(l, now, tt.s, tt.estimate); got != tt.want {
				t.Errorf("eta %v, want %v", got, tt.want)
			}
		})
	}
}

func TestLearn(t *testing.T) {
	const s = time.Second
	mean, runs := 60*s, 0 // as configured
	for i, step := range []struct{ took, want time.Duration }{
		{10 * s, 10 * s},
		{20 * s, 15 * s},
		{30 * s, 20 * s},
		{20 * s, 20 * s},
		{20 * s, 20 * s},
		{20 * s, 20 * s},
		{20 * s, 20 * s},
		{28 * s, 21 * s}, // the eighth
		{29 * s, 22 * s}, // and from here on an eighth each
		{30 * s, 23 * s},
		{22999 * time.Millisecond, 23 * s}, // whole milliseconds
		{0, 20125 * time.Millisecond},
		{-time.Hour, 0}, // the clock was set back
	} {
		mean, runs = Learn(mean, runs, step.took)
		if mean != step.want || runs != i+1 {
			t.Errorf("run %d of %v: mean %v of %d, want %v", i+1, step.took, mean, runs, step.want)
		}
	}
}

func TestRemaining(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		ran, estimate, want time.Duration
		ok                  bool
	}{
		{0, time.Minute, time.Minute, true},
		{20 * time.Second, time.Minute, 40 * time.Second, true},
		{time.Minute, time.Minute, 0, false},
		{2 * time.Minute, time.Minute, -time.Minute, false},
		{0, 0, 0, false},
	} {
		left, ok := Remaining(now, now.Add(-tt.ran), tt.estimate)
		if left != tt.want || ok != tt.ok {
			t.Errorf("after %v of %v: %v, %v; want %v, %v", tt.ran, tt.estimate, left, ok, tt.want, tt.ok)
		}
	}
}
