package jobs

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// place names a statement of a SQL job: a step; the fallback of a step; or, after
// the last step, the fallback of the job.
type place struct {
	step     int
	fallback bool
}

// String is for the log.
func (p place) String() string {
	if p.fallback {
		return fmt.Sprintf("%d fallback", p.step+1)
	}
	return strconv.Itoa(p.step + 1)
}

// MarshalText is for a log in JSON.
func (p place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// move is what is to be done about a SQL job.
type move int

const (
	runStep  move = iota + 1 // the statement is next
	endStep                  // it was left running by an earlier claim
	giveUp                   // all is over, and this step is why the job has failed
	complete                 // all is over, and all steps are done
)

// next reads the document in the order in which things happen: each step and then
// its fallback; after a step that is not done only that; then the job's fallback.
// Whatever happened in earlier claims, and wherever they broke off, is in the states.
func (s *steps) next(p *SQLPlan) (place, move) {
	end, last, after := complete, len(s.Main), p.OnSuccess
	for i := range s.Main {
		main, own := &s.Main[i], place{step: i}
		switch main.State {
		case StepPending:
			return own, runStep
		case StepRunning:
			return own, endStep
		}
		own.fallback = true
		if m := main.Fallback.due(p.Steps[i].fallback(main.State)); m != 0 {
			return own, m
		}
		if main.State != StepDone {
			end, last, after = giveUp, i, p.OnError
			break
		}
	}
	if m := s.Fallback.due(after); m != 0 {
		return place{len(s.Main), true}, m
	}
	return place{step: last}, end
}

// over reports whether a move comes after the steps and their fallbacks: from then on
// how the job ends is settled.
func (p place) over(steps int, m move) bool {
	return p.step == steps || m == giveUp || m == complete
}

// due is what is to be done about a fallback with this text, 0 for nothing.
func (s *step) due(sql string) move {
	switch {
	case sql == "":
	case s == nil || s.State == StepPending:
		return runStep
	case s.State == StepRunning:
		return endStep
	}
	return 0
}

// fallback is the text that is to run after a step that has come to this state, "" for
// none.
func (s SQLStep) fallback(main StepState) string {
	switch main {
	case StepDone:
		return s.OnSuccess
	case StepFailed, StepUnknown:
		return s.OnError
	}
	return ""
}

// at is the record of a statement, which is made for a fallback that has none.
func (s *steps) at(p place) *step {
	if !p.fallback {
		return &s.Main[p.step]
	}
	record := &s.Fallback
	if p.step < len(s.Main) {
		record = &s.Main[p.step].Fallback
	}
	if *record == nil {
		*record = &step{State: StepPending}
	}
	return *record
}

// settle gives a statement that has ended its state. A step that is not done is the
// last one that runs; a fallback changes nothing but itself.
func (s *steps) settle(p place, state StepState, reason string, at time.Time) {
	s.at(p).move(state, reason, at)
	if !p.fallback && state != StepDone && state != StepPending {
		s.skip(at)
	}
}

// failure is why a job has failed of which this step was not done.
func (s *steps) failure(i int) string {
	if s.Main[i].Error == "" {
		return s.Reason
	}
	return s.Main[i].Error
}

// text is a statement as it was sent in, and how long it may take; 0: for ever.
func (p *SQLPlan) text(at place, s *steps) (sql string, limit time.Duration) {
	switch {
	case !at.fallback:
		return p.Steps[at.step].SQL, p.timeout(at.step)
	case at.step < len(p.Steps):
		return p.Steps[at.step].fallback(s.Main[at.step].State), p.Timeout
	case s.done():
		return p.OnSuccess, p.Timeout
	}
	return p.OnError, p.Timeout
}

// id is the sender's own name for the step of a statement, "" for none.
func (p *SQLPlan) id(at place) string {
	if at.step == len(p.Steps) {
		return ""
	}
	return p.Steps[at.step].ID
}

// done reports whether all steps are.
func (s *steps) done() bool {
	return !slices.ContainsFunc(s.Main, func(main step) bool { return main.State != StepDone })
}

// cause is the error that a fallback is about; "" after a success.
func (s *steps) cause() string {
	for i := range s.Main {
		if s.Main[i].State != StepDone {
			return s.failure(i)
		}
	}
	return ""
}

// unpublished reports whether the steps have ended well with a result that the
// catalogue does not have yet.
func (s *steps) unpublished(p place, m move) bool {
	return p.over(len(s.Main), m) && s.done() && s.Result != nil && !s.Published
}
