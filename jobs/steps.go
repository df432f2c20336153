package jobs

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// steps is the document in which the queue keeps how the steps of a job stand.
// A step has effects, so it is never run twice: it is recorded as running,
// fenced by the claim, before it is sent, and a claim that finds it so from an
// earlier one sends it again only if it was declared repeatable.
type steps struct {
	// Main are the steps of a SQL job, in order; Fallback is the job's own, once it
	// has begun.
	Main     []step `json:"steps,omitempty"`
	Fallback *step  `json:"fallback,omitempty"`
	// Reason is why a SQL job has failed whose steps did not.
	Reason string `json:"reason,omitempty"`
	// OnSuccess and OnError are an endpoint's; nil as long as they are pending.
	OnSuccess *step `json:"onsuccess,omitempty"`
	OnError   *step `json:"onerror,omitempty"`
	// Result is the file of the rows of the last main step that gave some, without its
	// blocks; Published: the catalogue has it. ResultError is why there is none although
	// there were rows.
	Result      *cache.File `json:"result,omitempty"`
	Published   bool        `json:"published,omitempty"`
	ResultError string      `json:"resultError,omitempty"`
	// Broken counts the runs that broke off because a service went away after
	// the database had taken the query. Attempts do not tell: they count drains
	// and every try during an outage, too.
	Broken int `json:"broken,omitempty"`
}

type step struct {
	State   StepState `json:"status"`
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	Error   string    `json:"error,omitempty"`
	// Backend is the server process that was given a step that runs.
	Backend *rows.Backend `json:"backend,omitempty"`
	// Fallback is that of a step of a SQL job, once it has begun.
	Fallback *step `json:"fallback,omitempty"`
}

// Why a step, and with it its job, is unknown: its worker was lost, or had to
// stop and the database did not say that the step had no effect.
const (
	lostReason    = "worker lost while this step ran; its effect is unknown"
	stoppedReason = "worker stopped while this step ran; its effect is unknown"
)

// decodeSteps reads the document of a job with n main steps; all are pending
// as long as there is none. An error wraps errUnknownPlan.
func decodeSteps(document []byte, n int) (steps, error) {
	var s steps
	if document != nil {
		if err := json.Unmarshal(document, &s); err != nil {
			return steps{}, fmt.Errorf("%w: its steps cannot be read: %w", errUnknownPlan, err)
		}
		if len(s.Main) > 0 && len(s.Main) != n {
			return steps{}, fmt.Errorf("%w: it has %d steps, and %d on record", errUnknownPlan, n, len(s.Main))
		}
	}
	for len(s.Main) < n {
		s.Main = append(s.Main, step{State: StepPending})
	}
	return s, nil
}

func (s steps) encode() []byte {
	s.clip()
	document, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings, numbers and times
	}
	return document
}

// move sets the state of a step, at a time. It panics at a move that is not in
// the table: no outcome of a database leads there, only a mistake in this package.
func (s *step) move(next StepState, reason string, at time.Time) {
	state, err := s.State.to(next)
	if err != nil {
		panic(err)
	}
	s.State, s.Error = state, clipped(reason)
	if next != StepRunning {
		s.Backend = nil
	}
	switch next {
	case StepRunning:
		s.Started, s.Ended = at, time.Time{}
	case StepPending:
		s.Started = time.Time{}
	case StepSkipped:
	default:
		s.Ended = at
	}
}

// longestReason bounds what a step's error may take of the queue's record, in bytes: who
// writes the SQL writes the message.
const longestReason = 8 << 10

func clipped(reason string) string {
	if len(reason) <= longestReason {
		return reason
	}
	return strings.ToValidUTF8(reason[:longestReason], "") + "…"
}

// longestReasons bounds what the errors of all steps of a job take together: past that
// each is cut to shortReason.
const (
	longestReasons = 64 << 10
	shortReason    = 256
)

func (s *steps) clip() {
	left := longestReasons
	for _, step := range s.all() {
		if len(step.Error) > max(left, shortReason) {
			step.Error = strings.ToValidUTF8(step.Error[:shortReason], "") + "…"
		}
		left -= len(step.Error)
	}
}

// all are the steps that have a record, and their fallbacks.
func (s *steps) all() (all []*step) {
	for i := range s.Main {
		all = append(all, &s.Main[i], s.Main[i].Fallback)
	}
	all = append(all, s.Fallback, s.OnSuccess, s.OnError)
	return slices.DeleteFunc(all, func(s *step) bool { return s == nil })
}

// skip gives up all main steps that have not begun.
func (s *steps) skip(at time.Time) {
	for i := range s.Main {
		if s.Main[i].State == StepPending {
			s.Main[i].move(StepSkipped, "", at)
		}
	}
}

// Step is how a step stands, for people.
type Step struct {
	// Name is "1", "2", … of a SQL job's steps, "1 fallback" and "fallback" of what
	// came after them, "onsuccess" or "onerror" of an export.
	Name           string
	State          StepState
	Started, Ended time.Time
	// Error is why it failed, or why nobody knows.
	Error string
}

// StepsOf tells how the steps of a job stand. Nobody can write to the document
// of a job that has been cancelled, or failed without a worker, so what was open
// then is told here.
func StepsOf(job queue.Job, definition []byte) ([]Step, error) {
	plan, err := decodePlan(definition)
	if err != nil {
		return nil, err
	}
	document, err := decodeSteps(job.Steps, plan.sql.steps())
	if err != nil {
		return nil, err
	}
	var out []Step
	view := func(name string, s *step) {
		if s == nil {
			s = &step{State: StepPending}
		}
		s.close(job)
		out = append(out, Step{Name: name, State: s.State, Started: s.Started, Ended: s.Ended, Error: s.Error})
	}
	for i := range document.Main {
		name := strconv.Itoa(i + 1)
		view(name, &document.Main[i])
		if f := document.Main[i].Fallback; f != nil {
			view(name+" fallback", f)
		}
	}
	if document.Fallback != nil {
		view("fallback", document.Fallback)
	}
	if export := plan.export; export != nil && export.OnSuccess != "" {
		view("onsuccess", document.OnSuccess)
	}
	if export := plan.export; export != nil && export.OnError != "" {
		view("onerror", document.OnError)
	}
	return out, nil
}

// close gives an open step of a job that has ended the state in which that has
// left it.
func (s *step) close(job queue.Job) {
	switch {
	case !job.State.Final() || s.State.Final():
	case s.State == StepPending:
		s.move(StepSkipped, "", job.Ended)
	case job.State == queue.Cancelled:
		s.move(StepCancelled, "", job.Ended)
	default:
		s.move(StepUnknown, lostReason, job.Ended)
	}
}
