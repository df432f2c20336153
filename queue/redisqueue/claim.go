package redisqueue

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"slashbatch/queue"
)

// Claim implements queue.Queue.
func (q *Queue) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	answer, err := q.confirmed(ctx, claimScript, r.ClaimID, string(r.Lane), r.Worker,
		millis(q.settings.Lease), millis(q.settings.Retention))
	if err != nil || answer == nil {
		return nil, err
	}
	fields, _ := answer.([]any)
	if len(fields) != 2 {
		return nil, malformed(answer)
	}
	definition, ok := fields[1].(string)
	if !ok {
		return nil, malformed(answer)
	}
	j, err := decodeView(fields[0])
	if err != nil {
		return nil, err
	}
	return &queue.Claimed{Job: j, Definition: []byte(definition)}, nil
}

// Beat implements queue.Queue, in one call for all claims of a process.
func (q *Queue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	args := make([]any, 0, 3+5*len(beats))
	args = append(args, w.ID, encodeSlots(w.Slots), millis(q.settings.Lease))
	for _, b := range beats {
		args = append(args, b.Job, b.Claim, encodeProgress(b.Progress), flag(b.Steps != nil), b.Steps)
	}
	answer, err := q.run(ctx, beatScript, args...)
	if err != nil {
		return nil, err
	}
	states, ok := answer.([]any)
	if !ok || len(states) != len(beats) {
		return nil, malformed(answer)
	}
	answers := make([]error, len(beats))
	for i, s := range states {
		if s != "ok" {
			state, _ := s.(string)
			answers[i] = &queue.LostError{State: queue.State(state)}
		}
	}
	return answers, nil
}

// encodeSlots is a worker's slots as "export=4 sql=2", empty when it has none.
func encodeSlots(slots map[queue.Lane]int) string {
	var fields []string
	for lane, n := range slots {
		if n > 0 {
			fields = append(fields, fmt.Sprintf("%s=%d", lane, n))
		}
	}
	slices.Sort(fields)
	return strings.Join(fields, " ")
}

// Seal implements queue.Queue.
func (q *Queue) Seal(ctx context.Context, h queue.Holder) error {
	_, err := held(q.confirmed(ctx, sealScript, h.Job, h.Claim))
	return err
}

// Finish implements queue.Queue.
func (q *Queue) Finish(ctx context.Context, h queue.Holder, s queue.Success) error {
	_, err := held(q.run(ctx, finishScript, h.Job, h.Claim, flag(s.Outcome != nil), s.Outcome, flag(s.Measured),
		millis(q.settings.Lease), millis(q.settings.Retention)))
	return err
}

// Fail implements queue.Queue.
func (q *Queue) Fail(ctx context.Context, h queue.Holder, f queue.Failure) (queue.State, error) {
	fields, err := held(q.run(ctx, failScript, h.Job, h.Claim, f.Reason, flag(f.Retry), millis(f.After),
		flag(f.Outcome != nil), f.Outcome,
		millis(q.settings.Lease), millis(q.settings.Retention)))
	if err != nil {
		return "", err
	}
	if len(fields) != 2 {
		return "", malformed(fields)
	}
	state, _ := fields[1].(string)
	return queue.State(state), nil
}

// Release implements queue.Queue.
func (q *Queue) Release(ctx context.Context, h queue.Holder) error {
	_, err := held(q.run(ctx, releaseScript, h.Job, h.Claim,
		millis(q.settings.Lease), millis(q.settings.Retention)))
	return err
}

// held reads the answer to a holder: {"ok", ...} or {"lost", state}.
func held(answer any, err error) ([]any, error) {
	if err != nil {
		return nil, err
	}
	fields, _ := answer.([]any)
	switch {
	case len(fields) >= 1 && fields[0] == "ok":
		return fields, nil
	case len(fields) == 2 && fields[0] == "lost":
		state, _ := fields[1].(string)
		return nil, &queue.LostError{State: queue.State(state)}
	}
	return nil, malformed(answer)
}

// sweepMax bounds the jobs that one Sweep brings back and the claims that it
// recovers, at about 30 µs each.
const sweepMax = 50

// Sweep implements queue.Queue.
func (q *Queue) Sweep(ctx context.Context) (queue.Swept, error) {
	answer, err := q.run(ctx, sweepScript,
		millis(q.settings.Lease), millis(q.settings.Retention), q.settings.Crashes, sweepMax)
	if err != nil {
		return queue.Swept{}, err
	}
	fields, _ := answer.([]any)
	if len(fields) != 3 {
		return queue.Swept{}, malformed(answer)
	}
	recovered, _ := fields[0].(int64)
	failed, _ := fields[1].(int64)
	return queue.Swept{Recovered: int(recovered), Failed: int(failed), Extended: fields[2] == int64(1)}, nil
}
