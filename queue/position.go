package queue

import (
	"math"
	"time"
)

// Snapshot is the state of the lists with work at one moment.
type Snapshot struct {
	// Version changes whenever the queue does.
	Version int64
	// Now is the backend's clock.
	Now time.Time
	// Paused: nothing is claimed for now, so ETAs mean nothing.
	Paused bool
	Lanes  map[Lane]LaneSnapshot
}

// LaneSnapshot is one lane of a Snapshot.
type LaneSnapshot struct {
	// Slots of all live workers together.
	Slots int
	// Lines has one entry per list with pending or running jobs, in no order.
	Lines []Line
	// Runs has one entry per claim that takes a place, in no order: running
	// jobs, and cancelled ones whose worker has not stopped yet.
	Runs []Run

	index *index // see prepared; nil: the lines are walked over
}

// Line is one user's list in a Snapshot. Running counts what Runs lists.
type Line struct {
	ID               uint32
	Pending, Running int
	Place            int64
	// Estimates is the sum over the pending jobs.
	Estimates time.Duration
}

// Run is one running job in a Snapshot: whose list it was claimed from, and by
// which worker.
type Run struct {
	Job, User, Worker string
	Started           time.Time
	Estimate          time.Duration
}

// Position is the place of a pending job when claims are made one after the
// other from now on: 1 is the next to start. No job ends meanwhile, and caps,
// capacities and pauses are ignored.
//
// It has a closed form. The job is its user's claim number index+1, made when
// the user has level = running+index jobs running. Another user v is served
// before it as long as v has fewer running than level, and once more at
// that level when v stands before it at that moment. Standing before means: at
// equal numbers of running jobs now, an earlier place in line; a user that must
// first catch up (fewer running now) has gone to the end of the line more
// recently than one that was at the level already.
func Position(lane LaneSnapshot, s Standing) int {
	return 1 + s.Index + int(math.Round(lane.before(s).jobs))
}

// before is how many jobs of v are claimed before the job at s.
func before(v Line, s Standing) int {
	n := s.Running + s.Index - v.Running
	if v.Running > s.Running || v.Running == s.Running && v.Place < s.Place {
		n++
	}
	return min(max(n, 0), v.Pending)
}

// before sums up the jobs of other lists that are claimed before the job at s.
func (l LaneSnapshot) before(s Standing) (sum tally) {
	if l.index != nil {
		return l.index.before(s)
	}
	for _, v := range l.Lines {
		if v.ID != s.Line && v.Pending > 0 {
			sum = sum.plus(perJob(v).times(float64(before(v, s))))
		}
	}
	return sum
}

// prepared returns the snapshot with an index for each lane with so many lists
// that walking over them for every question would be slow.
func (s *Snapshot) prepared() *Snapshot {
	const many = 64
	for name, lane := range s.Lanes {
		if len(lane.Lines) > many {
			lane.index = newIndex(lane.Lines)
			s.Lanes[name] = lane
		}
	}
	return s
}

// ETA is the time until a pending job with this estimate is complete: what
// remains of the running jobs and the estimates of the jobs before it, shared
// by the live slots (at least one), and its own estimate; a job that waits for a
// retry does not start before that is due. It is exact for the
// jobs of the own list; for another user's, the mean of that user's pending
// estimates counts for each of its jobs before it. A running job that overran
// counts nothing.
func ETA(lane LaneSnapshot, now time.Time, s Standing, estimate time.Duration) time.Duration {
	work := s.Ahead
	for _, r := range lane.Runs {
		work += max(r.Estimate-now.Sub(r.Started), 0)
	}
	work += time.Duration(math.Round(lane.before(s).millis)) * time.Millisecond
	start := work / time.Duration(max(lane.Slots, 1))
	if !s.NotBefore.IsZero() {
		start = max(start, s.NotBefore.Sub(now))
	}
	return start + estimate
}

// Remaining is the time until a running job is complete; ok is false when it
// has overrun its estimate, for then nothing can be said.
func Remaining(now, started time.Time, estimate time.Duration) (left time.Duration, ok bool) {
	left = estimate - now.Sub(started)
	return left, left > 0
}
