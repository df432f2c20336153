package jobs

import (
	"fmt"
	"slices"
)

// StepState is where a step of a job stands.
type StepState string

// The states of a step.
const (
	StepPending   StepState = "pending"
	StepRunning   StepState = "running"
	StepDone      StepState = "done"
	StepFailed    StepState = "failed"
	StepCancelled StepState = "cancelled"
	// StepSkipped: it was not reached, and will not be.
	StepSkipped StepState = "skipped"
	// StepUnknown: nobody can say whether it had its effect.
	StepUnknown StepState = "unknown"
)

// stepMoves is the one table of what a step may come to. From running back to
// pending goes only what had no effect, or what may be repeated.
var stepMoves = map[StepState][]StepState{
	StepPending: {StepRunning, StepSkipped, StepCancelled},
	StepRunning: {StepDone, StepFailed, StepCancelled, StepUnknown, StepPending},
}

// StepStateError refuses a move that is not in the table.
type StepStateError struct{ From, To StepState }

func (e *StepStateError) Error() string {
	return fmt.Sprintf("Cannot set status from %s to %s", e.From, e.To)
}

// to is the state after a move, or a *StepStateError.
func (s StepState) to(next StepState) (StepState, error) {
	if !slices.Contains(stepMoves[s], next) {
		return s, &StepStateError{s, next}
	}
	return next, nil
}

// Final reports whether nothing leaves this state.
func (s StepState) Final() bool { return len(stepMoves[s]) == 0 }
