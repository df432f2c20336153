package pgqueue

import (
	"time"

	"slashbatch/queue"
)

// view is a row of queue_view, where what does not apply is null.
type view struct {
	id, key, owner, kind, source, class []byte
	order                               *int64
	lane, state                         *string
	retry                               *int32
	estimate                            *int64
	submitted, started, ended           *time.Time
	attempt, crashes, failures          *int32
	sealed                              *bool
	rows, bytes, expected               *int64
	steps, outcome, reason              []byte
	notBefore                           *time.Time
	line                                *int32
	index, ahead                        *int64
	running                             *int32
	place                               *int64
}

// columns are where to scan the view to, in its order.
func (v *view) columns() []any {
	return []any{
		&v.id, &v.order, &v.key, &v.owner, &v.lane, &v.kind, &v.source, &v.class, &v.retry, &v.estimate, &v.state,
		&v.submitted, &v.started, &v.ended, &v.attempt, &v.crashes, &v.failures, &v.sealed,
		&v.rows, &v.bytes, &v.expected, &v.steps, &v.outcome, &v.reason, &v.notBefore,
		&v.line, &v.index, &v.ahead, &v.running, &v.place,
	}
}

// job is the view as the contract has it.
func (v *view) job() queue.Job {
	j := queue.Job{
		ID:        string(v.id),
		Key:       string(v.key),
		User:      string(v.owner),
		Lane:      queue.Lane(value(v.lane)),
		Kind:      string(v.kind),
		Source:    string(v.source),
		Class:     string(v.class),
		Retry:     int(value(v.retry)),
		Estimate:  duration(v.estimate),
		State:     queue.State(value(v.state)),
		Order:     value(v.order),
		Submitted: moment(v.submitted),
		Started:   moment(v.started),
		Ended:     moment(v.ended),
		Attempt:   int(value(v.attempt)),
		Crashes:   int(value(v.crashes)),
		Failures:  int(value(v.failures)),
		Sealed:    value(v.sealed),
		Progress:  queue.Progress{Rows: value(v.rows), Bytes: value(v.bytes), Total: value(v.expected)},
		Steps:     v.steps,
		Outcome:   v.outcome,
		Error:     string(v.reason),
	}
	if j.State == queue.Pending {
		j.Standing = v.standing()
	}
	return j
}

func (v *view) standing() queue.Standing {
	return queue.Standing{
		Line:      uint32(value(v.line)),
		Index:     int(value(v.index)),
		Ahead:     duration(v.ahead),
		Running:   int(value(v.running)),
		Place:     value(v.place),
		NotBefore: moment(v.notBefore),
	}
}

// value is what a nullable column holds, or the zero value.
func value[T any](v *T) (zero T) {
	if v != nil {
		return *v
	}
	return zero
}

func duration(ms *int64) time.Duration { return time.Duration(value(ms)) * time.Millisecond }

// moment is a time as the contract has it, in UTC whatever the session's zone.
func moment(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}
