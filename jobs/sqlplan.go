package jobs

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

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
	// Timeout bounds each step; 0: no bound.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// SQLStep is one step of a SQLPlan.
type SQLStep struct {
	// SQL may hold several statements.
	SQL string `json:"sql"`
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
		if strings.ContainsRune(step.SQL, 0) {
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
