package redisqueue

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"slashbatch/queue"
)

// The fields of a view, in the order of view in prelude/jobs.lua.
const (
	viewList = iota
	viewStatus
	viewKind
	viewKey
	viewOrder
	viewCreated
	viewAttempt
	viewStarted
	viewCrashes
	viewFailures
	viewSealed
	viewEnded
	viewError
	viewProgress
	viewSteps
	viewOutcome
	viewClass
	viewDue
	viewStanding
	viewID
	viewLen
)

// reader reads fields of an answer and keeps the first thing wrong with them.
type reader struct{ err error }

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) integer(s string) int64 {
	if s == "" {
		return 0
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		r.fail(err)
	}
	return n
}

// integers reads exactly n numbers parted by spaces.
func (r *reader) integers(s string, n int) []int64 {
	if fields := len(strings.Fields(s)); fields > n {
		r.fail(fmt.Errorf("%q has %d fields, want %d", s, fields, n))
	}
	return r.leading(s, n)
}

// leading reads the first n of some fields parted by spaces, which are numbers.
func (r *reader) leading(s string, n int) []int64 {
	numbers := make([]int64, n)
	fields := strings.SplitN(s, " ", n+1)
	if len(fields) < n {
		r.fail(fmt.Errorf("%q has %d fields, want %d", s, len(fields), n))
		return numbers
	}
	for i, f := range fields[:n] {
		numbers[i] = r.integer(f)
	}
	return numbers
}

func (r *reader) time(s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	return fromMillis(r.integer(s))
}

// list reads a list's name.
func (r *reader) list(s string) (user string, lane queue.Lane) {
	user, lane, err := parseList(s)
	if err != nil {
		r.fail(err)
	}
	return user, lane
}

func (r *reader) standing(s string) queue.Standing {
	n := r.integers(s, 5)
	return queue.Standing{
		Index:   int(n[0]),
		Ahead:   time.Duration(n[1]) * time.Millisecond,
		Running: int(n[2]),
		Place:   n[3],
		Line:    uint32(n[4]),
	}
}

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }

// decodeView makes a Job of a view.
func decodeView(view any) (queue.Job, error) {
	fields, ok := view.([]any)
	if !ok || len(fields) != viewLen {
		return queue.Job{}, malformed(view)
	}
	at := func(i int) string { s, _ := fields[i].(string); return s }
	document := func(i int) []byte {
		if s, ok := fields[i].(string); ok {
			return []byte(s)
		}
		return nil
	}

	var r reader
	user, lane := r.list(at(viewList))
	// number total estimate seq retry cap digest source
	order := strings.SplitN(at(viewOrder), " ", 8)
	if len(order) != 8 {
		return queue.Job{}, malformed(view)
	}
	j := queue.Job{
		ID:        at(viewID),
		Key:       at(viewKey),
		User:      user,
		Lane:      lane,
		Kind:      at(viewKind),
		Source:    order[7],
		Class:     at(viewClass),
		Retry:     int(r.integer(order[4])),
		Estimate:  time.Duration(r.integer(order[2])) * time.Millisecond,
		State:     queue.State(at(viewStatus)),
		Order:     r.integer(order[3]),
		Submitted: r.time(at(viewCreated)),
		Started:   r.time(at(viewStarted)),
		Ended:     r.time(at(viewEnded)),
		Attempt:   int(r.integer(at(viewAttempt))),
		Crashes:   int(r.integer(at(viewCrashes))),
		Failures:  int(r.integer(at(viewFailures))),
		Sealed:    at(viewSealed) != "",
		Steps:     document(viewSteps),
		Outcome:   document(viewOutcome),
		Error:     at(viewError),
	}
	if s := at(viewProgress); s != "" {
		n := r.integers(s, 3)
		j.Progress = queue.Progress{Rows: n[0], Bytes: n[1], Total: n[2]}
	}
	if s := at(viewStanding); s != "" {
		j.Standing = r.standing(s)
		j.Standing.NotBefore = r.time(at(viewDue))
	}
	if r.err != nil {
		return queue.Job{}, fmt.Errorf("%w: job %s: %w", queue.ErrUnavailable, j.ID, r.err)
	}
	return j, nil
}

// encodeProgress is the field progress as decodeView reads it.
func encodeProgress(p queue.Progress) string {
	return fmt.Sprintf("%d %d %d", p.Rows, p.Bytes, p.Total)
}
