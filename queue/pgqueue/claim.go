package pgqueue

import (
	"context"
	"fmt"

	"slashbatch/queue"
)

const takeSQL = `SELECT f.o_answer, f.o_definition, (f.o_job).* FROM slashbatch.queue_take($1, $2, $3, $4, $5, $6) f`

// looks is how often Claim looks again when others hold all there is to claim.
const looks = 20

// Claim implements queue.Queue.
func (q *Queue) Claim(ctx context.Context, r queue.ClaimRequest) (*queue.Claimed, error) {
	if r.ClaimID == "" || len(r.ClaimID) > maxID {
		return nil, fmt.Errorf("pgqueue: a claim needs an id of at most %d bytes; got %d", maxID, len(r.ClaimID))
	}
	var answer string
	var definition []byte
	var v view
	for look := range looks {
		err := q.do(ctx, func(ctx context.Context) error {
			v = view{}
			return q.pool.QueryRow(ctx, takeSQL, []byte(r.ClaimID), lock(r.ClaimID), []byte(r.Worker), string(r.Lane), millis(q.settings.Lease), look > 0).
				Scan(append([]any{&answer, &definition}, v.columns()...)...)
		})
		if err != nil {
			return nil, err
		}
		if answer != "busy" {
			break
		}
	}
	j := v.job()
	switch answer {
	case "taken", "held": // in the answer that was lost nobody was told
		q.out.say(changed(j.ID, j.State))
	default:
		return nil, nil
	}
	return &queue.Claimed{Job: j, Definition: definition}, nil
}

// Beat implements queue.Queue, in one call for all claims of a process.
func (q *Queue) Beat(ctx context.Context, w queue.Worker, beats []queue.Beat) ([]error, error) {
	const sql = `SELECT slashbatch.queue_beat($1, $2, $3, $4, $5, $6, $7, $8, $9)`
	n := len(beats)
	jobs, claims, steps := make([][]byte, n), make([][]byte, n), make([][]byte, n)
	rows, bytes, expected := make([]int64, n), make([]int64, n), make([]int64, n)
	for i, b := range beats {
		jobs[i], claims[i], steps[i] = []byte(b.Job), []byte(b.Claim), b.Steps
		rows[i], bytes[i], expected[i] = b.Progress.Rows, b.Progress.Bytes, b.Progress.Total
	}
	var states []string
	err := q.do(ctx, func(ctx context.Context) error {
		return q.pool.QueryRow(ctx, sql, []byte(w.ID), slots(w), millis(q.settings.Lease), jobs, claims, rows, bytes, expected, steps).Scan(&states)
	})
	if err != nil {
		return nil, err
	}
	if len(states) != n {
		return nil, fmt.Errorf("%w: %d answers to %d beats", queue.ErrUnavailable, len(states), n)
	}
	answers := make([]error, n)
	for i, s := range states {
		if s != "ok" {
			answers[i] = &queue.LostError{State: queue.State(s)}
		}
	}
	return answers, nil
}

// slots are a worker's slots, nil when it has none.
func slots(w queue.Worker) map[queue.Lane]int {
	some := map[queue.Lane]int{}
	for lane, n := range w.Slots {
		if n > 0 {
			some[lane] = n
		}
	}
	if len(some) == 0 {
		return nil
	}
	return some
}

// Seal implements queue.Queue.
func (q *Queue) Seal(ctx context.Context, h queue.Holder) error {
	_, _, err := q.held(ctx, `SELECT f.o_answer, f.o_state, NULL::bytea[] FROM slashbatch.queue_seal($1, $2) f`,
		[]byte(h.Job), []byte(h.Claim))
	return err
}
