package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"slashbatch/internal/sqltext"
	"slashbatch/queue"
)

// SQLPlan is everything a worker needs to run a SQL job. Like Plan it names its
// data source, and holds no credential.
type SQLPlan struct {
	Version int    `json:"v"`
	Kind    string `json:"kind"`

	// Source is the sender's own login: the steps can do what that role can.
	Source string `json:"source"`
	// Steps run in order, one at a time, each in a session and an implicit
	// transaction of its own.
	Steps []SQLStep `json:"steps"`
	// OnSuccess runs once all steps are done, OnError once one is not, each after
	// that step's own fallback; "" is none.
	OnSuccess string `json:"onsuccess,omitempty"`
	OnError   string `json:"onerror,omitempty"`
	// Timeout bounds each step; 0: no bound.
	Timeout time.Duration `json:"timeout,omitempty"`
	// ResultBytes bounds the rows of a step, as plain CSV; 0: no bound. MaxAge is how
	// long the result is kept.
	ResultBytes int64         `json:"resultBytes,omitempty"`
	MaxAge      time.Duration `json:"maxAge,omitempty"`
	// Form is the definition as its sender wrote it, for those who show it.
	Form json.RawMessage `json:"form,omitempty"`
}

// SQLStep is one step of a SQLPlan.
type SQLStep struct {
	// SQL may hold several statements.
	SQL string `json:"sql"`
	// ID is the sender's own name for it, for the log.
	ID string `json:"id,omitempty"`
	// OnSuccess runs right after a step that is done, OnError after one that is
	// not; "" is none. The time limit of the plan holds for them, not that of the step.
	OnSuccess string `json:"onsuccess,omitempty"`
	OnError   string `json:"onerror,omitempty"`
	// Timeout lowers that of the plan; 0 leaves it.
	Timeout time.Duration `json:"timeout,omitempty"`
	// Repeatable: running it twice does no harm, so it is run again when nobody
	// can say whether it had its effect.
	Repeatable bool `json:"repeatable,omitempty"`
}

// Encode returns the plan as the queue carries it.
func (p SQLPlan) Encode() ([]byte, error) {
	p.Version, p.Kind = planVersion, KindSQL
	return json.Marshal(p)
}

// steps is the number of main steps; none where there is no SQL job.
func (p *SQLPlan) steps() int {
	if p == nil {
		return 0
	}
	return len(p.Steps)
}

// timeout is how long step i may take; 0: for ever.
func (p SQLPlan) timeout(i int) time.Duration {
	own := p.Steps[i].Timeout
	if own > 0 && (p.Timeout == 0 || own < p.Timeout) {
		return own
	}
	return p.Timeout
}

// Placeholders are those that mean something in the fallbacks of a SQL job.
var Placeholders = []string{sqltext.JobID, sqltext.ErrorMessage}

// SQLRequest asks for the run of a SQLPlan.
type SQLRequest struct {
	Plan SQLPlan
	User string
	// Estimate is how long it is thought to take.
	Estimate time.Duration
	// RunningCap and QueuedCap are the user's, in the sql lane.
	RunningCap, QueuedCap int
}

// Submission is the request as a job of the queue under this id, a random UUID.
// Two requests are two jobs, however equal they are.
func (r SQLRequest) Submission(id string) (queue.Submission, error) {
	if len(r.Plan.Steps) == 0 {
		return queue.Submission{}, errors.New("a SQL job needs a step")
	}
	for i, step := range r.Plan.Steps {
		// The database would take what stands before it for the whole.
		if strings.ContainsRune(step.SQL+step.OnSuccess+step.OnError, 0) {
			return queue.Submission{}, fmt.Errorf("step %d holds a NUL character", i+1)
		}
	}
	definition, err := r.Plan.Encode()
	if err != nil {
		return queue.Submission{}, err
	}
	return queue.Submission{
		ID: id, User: r.User, Lane: queue.LaneSQL, Kind: KindSQL, Source: r.Plan.Source,
		Estimate: r.Estimate, RunningCap: r.RunningCap, QueuedCap: r.QueuedCap, Definition: definition,
	}, nil
}
