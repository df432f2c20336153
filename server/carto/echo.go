package carto

import (
	"encoding/json"
	"time"

	"slashbatch/jobs"
)

// Echo is a definition for those who show it, as the client wrote it: the members
// of the job's JSON that are the client's. How the job as a whole stands is not in it.
type Echo struct {
	// Query holds how each step stands, unless it is one simple text.
	Query json.RawMessage `json:"query"`
	// OnSuccess, OnError and Repeatable are those that were sent beside the query;
	// those of the nested form are in Query.
	OnSuccess  string `json:"onsuccess,omitempty"`
	OnError    string `json:"onerror,omitempty"`
	Repeatable bool   `json:"repeatable,omitempty"`
}

// Members that tell how a job or a step stands.
const (
	memberStatus               = "status"
	memberFallbackStatus       = "fallback_status"
	memberStartedAt            = "started_at"
	memberEndedAt              = "ended_at"
	memberFailedReason         = "failed_reason"
	memberFallbackFailedReason = "fallback_failed_reason"
)

// statusMembers are only the server's to say. Clients that send back what they
// were shown send them too; they are dropped.
var statusMembers = []string{
	memberStatus, memberFallbackStatus, memberStartedAt, memberEndedAt, memberFailedReason, memberFallbackFailedReason,
}

// Timestamp is a time as the answers show it: ISO 8601 in UTC, with milliseconds.
func Timestamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// Echo shows the definition with how its steps stand. Those that s does not tell
// of are pending: the zero SQLStatus is that of a job that has just been sent.
func (d Definition) Echo(s jobs.SQLStatus) Echo {
	e := Echo{Query: d.query(func(i int) object {
		var step jobs.SQLStepStatus
		if i < len(s.Steps) {
			step = s.Steps[i]
		} else if step.Status = jobs.StepPending; d.Steps[i].OnSuccess != "" || d.Steps[i].OnError != "" {
			step.FallbackStatus = jobs.StepPending
		}
		return standing(step, d.written[i].plain)
	})}
	if d.top.has(memberOnSuccess) {
		e.OnSuccess = d.OnSuccess
	}
	if d.top.has(memberOnError) {
		e.OnError = d.OnError
	}
	if d.top.has(memberRepeatable) {
		e.Repeatable = d.Repeatable
	}
	return e
}

// standing are the members that tell how a step stands. A plain one has no
// fallback, and its times are not shown: clients compare it as a whole.
func standing(s jobs.SQLStepStatus, plain bool) object {
	var o object
	text := func(name, value string) {
		if value != "" {
			o.add(name, value)
		}
	}
	at := func(name string, t time.Time) {
		if !t.IsZero() {
			o.add(name, Timestamp(t))
		}
	}
	text(memberStatus, string(s.Status))
	if plain {
		text(memberFailedReason, s.FailedReason)
		return o
	}
	text(memberFallbackStatus, string(s.FallbackStatus))
	at(memberStartedAt, s.Started)
	at(memberEndedAt, s.Ended)
	reason := s.FailedReason
	if s.FallbackStatus == jobs.StepFailed && s.FallbackFailedReason != "" {
		// As in CartoDB the fallback has the last word, over a step that is done as
		// well as over one that failed. Why the step itself failed, the job tells.
		reason = s.FallbackFailedReason
	}
	text(memberFailedReason, reason)
	text(memberFallbackFailedReason, s.FallbackFailedReason)
	return o
}
