package jobs

import (
	"time"

	"slashbatch/queue"
)

// SQLStatus is how a SQL job stands, for its sender. The status is final as soon as
// the main steps have ended; the job-level fallback may be running still.
type SQLStatus struct {
	Status StepState
	// FallbackStatus is "" without a job-level fallback.
	FallbackStatus StepState
	// FailedReason is that of the step that failed.
	FailedReason, FallbackFailedReason string
	Steps                              []SQLStepStatus
	// ResultError is why there are no rows to be had although there were some.
	ResultError string
}

// Ended reports whether neither the job nor its fallback will change any more.
func (s SQLStatus) Ended() bool {
	return s.Status.Final() && (s.FallbackStatus == "" || s.FallbackStatus.Final())
}

// SQLStatuses are what the status of a job may be.
var SQLStatuses = []StepState{StepPending, StepRunning, StepDone, StepFailed, StepCancelled}

// SQLStepStatus is how one step of a SQL job stands.
type SQLStepStatus struct {
	Status StepState
	// FallbackStatus is "" for a step without a fallback.
	FallbackStatus StepState
	// FailedReason is why the step failed, or why nobody knows.
	FailedReason, FallbackFailedReason string
	// Started and Ended are those of the step itself, not of its fallback; zero
	// until then.
	Started, Ended time.Time
}

// SQLStatusOf tells how a SQL job stands. Nobody can write to the document of a job that
// has been cancelled, or failed without a worker, so what was open then is told here.
func SQLStatusOf(job queue.Job, plan SQLPlan) (SQLStatus, error) {
	document, err := decodeSteps(job.Steps, len(plan.Steps))
	if err != nil {
		return SQLStatus{}, err
	}
	p, m := document.next(&plan)
	// Done is told with the result, not before.
	over := p.over(len(plan.Steps), m) && !document.unpublished(p, m)

	s := SQLStatus{ResultError: document.ResultError}
	done := true
	if job.State == queue.Cancelled && !over && m == runStep && !p.fallback {
		document.Main[p.step].move(StepCancelled, "", job.Ended) // it was next
	}
	for i := range document.Main {
		main, step := &document.Main[i], plan.Steps[i]
		main.close(job)
		view := SQLStepStatus{Status: main.State, FailedReason: main.Error, Started: main.Started, Ended: main.Ended}
		if step.OnSuccess != "" || step.OnError != "" {
			applies := !main.State.Final() || step.fallback(main.State) != ""
			view.FallbackStatus, view.FallbackFailedReason = main.Fallback.shown(job, applies)
		}
		s.Steps = append(s.Steps, view)
		done = done && main.State == StepDone
	}
	s.Status = StepState(job.State) // the words are the same
	switch {
	case over && done:
		s.Status = StepDone
	case over:
		s.Status = StepFailed
	}
	if s.Status == StepFailed {
		s.FailedReason = job.Error
		if reason := document.cause(); reason != "" {
			s.FailedReason = reason
		}
	}
	if plan.OnSuccess != "" || plan.OnError != "" {
		applies := !over || done && plan.OnSuccess != "" || !done && plan.OnError != ""
		s.FallbackStatus, s.FallbackFailedReason = document.Fallback.shown(job, applies)
	}
	return s, nil
}

// shown is how a fallback stands; applies: it may yet run, as far as the steps go.
func (s *step) shown(job queue.Job, applies bool) (StepState, string) {
	if s == nil {
		if applies && !job.State.Final() {
			return StepPending, ""
		}
		return StepSkipped, ""
	}
	s.close(job)
	return s.State, s.Error
}
