package carto

import (
	"encoding/json"
	"fmt"

	"slashbatch/jobs"
)

// Definition is a SQL job as its sender defined it. It comes from Parse or Read
// and is immutable.
type Definition struct {
	// Steps are never empty. A step is repeatable when it says so itself, or says
	// nothing and the job does.
	Steps []jobs.SQLStep
	// OnSuccess and OnError are the job's own fallbacks; "" is none.
	OnSuccess, OnError string
	// Repeatable is what the job says for the steps that say nothing.
	Repeatable bool

	shape shape
	// written are the steps as they were written; nil in the simple shape.
	written []writtenStep
	// nested are the members beside the steps of the nested object, top those
	// beside "query".
	nested, top object
}

type shape int

const (
	simpleShape shape = iota
	listShape
	nestedShape
)

// writtenStep is how a step was written.
type writtenStep struct {
	// plain: as a text of its own, not as an object.
	plain bool
	// members are those of the object beside "query".
	members object
}

// Names of members.
const (
	memberQuery      = "query"
	memberOnSuccess  = "onsuccess"
	memberOnError    = "onerror"
	memberRepeatable = "repeatable"
	memberTimeout    = "timeout"
	memberID         = "id"
)

// Fields are the parameters of a request that define a job.
var Fields = []string{memberQuery, memberOnSuccess, memberOnError, memberRepeatable}

// form is the definition as the client wrote it, in compact JSON.
func (d Definition) form() json.RawMessage {
	o := object{{memberQuery, d.query(func(int) object { return nil })}}
	return append(o, d.top...).encode()
}

// query writes what stands under "query", each step with members that tell how
// it stands. Without such members a plain step stays a text.
func (d Definition) query(status func(i int) object) json.RawMessage {
	if d.shape == simpleShape {
		return encode(d.Steps[0].SQL)
	}
	steps := make([]json.RawMessage, len(d.Steps))
	for i, step := range d.Steps {
		sql, w, s := encode(step.SQL), d.written[i], status(i)
		if w.plain && s == nil {
			steps[i] = sql
			continue
		}
		o := object{{memberQuery, sql}}
		steps[i] = append(append(o, w.members...), s...).encode()
	}
	if d.shape == listShape {
		return list(steps)
	}
	o := object{{memberQuery, list(steps)}}
	return append(o, d.nested...).encode()
}

// Plan is what a worker needs to run the job, without the login it runs with and
// its time limit, which are not the client's to say.
func (d Definition) Plan() jobs.SQLPlan {
	return jobs.SQLPlan{
		Steps: append([]jobs.SQLStep(nil), d.Steps...), OnSuccess: d.OnSuccess, OnError: d.OnError, Form: d.form(),
	}
}

// Read returns the definition whose plan has this form.
func Read(form json.RawMessage) (Definition, error) {
	fields, err := DecodeJSON(form)
	if err != nil {
		return Definition{}, fmt.Errorf("the form of a SQL job cannot be read: %w", err)
	}
	d, err := (&parser{stored: true}).parse(fields)
	if err != nil {
		return Definition{}, fmt.Errorf("the form of a SQL job cannot be read: %w", err)
	}
	return d, nil
}

// Nested reports whether a form is CartoDB's own for jobs with fallbacks: an object in
// an object.
func Nested(form json.RawMessage) bool {
	d, err := Read(form)
	return err == nil && d.shape == nestedShape
}
