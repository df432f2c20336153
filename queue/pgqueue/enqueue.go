package pgqueue

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"slashbatch/queue"
)

// maxID is how long an id of a job or a claim may be; an entry of an index holds
// 2,700 bytes.
const maxID = 1000

const enqueueSQL = `SELECT f.o_answer, f.o_queued, (f.o_job).* FROM slashbatch.queue_enqueue(
	$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) f`

// Enqueue implements queue.Queue.
func (q *Queue) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	if s.ID == "" || len(s.ID) > maxID || s.User == "" || !slices.Contains(queue.Lanes, s.Lane) {
		return queue.Enqueued{}, fmt.Errorf("pgqueue: a submission needs an id of at most %d bytes, a user and a lane; got %d bytes, %q, %q",
			maxID, len(s.ID), s.User, s.Lane)
	}
	var answer string
	var queued *int32
	var v view
	err := q.do(ctx, func(ctx context.Context) error {
		v = view{}
		return q.pool.QueryRow(ctx, enqueueSQL,
			[]byte(s.ID), key(s.Key), lock(s.Key), []byte(s.After), []byte(s.User), string(s.Lane), []byte(s.Kind),
			[]byte(s.Source), []byte(s.Class), millis(s.Estimate), count(s.RunningCap, 1), count(s.QueuedCap, 0), count(s.Retry, 0),
			notNil(s.Definition)).Scan(append([]any{&answer, &queued}, v.columns()...)...)
	})
	if err != nil {
		return queue.Enqueued{}, err
	}
	switch answer {
	case "new":
		q.out.say(wake(s.User), changed(s.ID, queue.Pending))
		return queue.Enqueued{Job: created(s, &v), Created: true}, nil
	case "full":
		return queue.Enqueued{}, &queue.FullError{Queued: int(value(queued)), Cap: s.QueuedCap}
	case "known": // in the answer that was lost nobody was told
		if value(v.state) == string(queue.Pending) {
			q.moved(v.job())
		}
	case "moved":
		q.moved(v.job())
	}
	return queue.Enqueued{Job: v.job(), Created: answer == "known"}, nil
}

// created is a job that was just made, without reading it back: its submission
// with what the database decided.
func created(s queue.Submission, v *view) queue.Job {
	return queue.Job{
		ID:        s.ID,
		Key:       s.Key,
		User:      s.User,
		Lane:      s.Lane,
		Kind:      s.Kind,
		Source:    s.Source,
		Class:     s.Class,
		Retry:     int(count(s.Retry, 0)),
		Estimate:  duration(v.estimate),
		State:     queue.Pending,
		Order:     value(v.order),
		Submitted: moment(v.submitted),
		Standing:  v.standing(),
	}
}

// key passes a request key to the database; the empty one is none.
func key(k string) []byte {
	if k == "" {
		return nil
	}
	return []byte(k)
}

// lock is the number under which submissions of a key, and claims under an id, wait
// for each other. Two that share one only wait for each other, too.
func lock(name string) int32 {
	sum := sha256.Sum256([]byte(name))
	return int32(binary.BigEndian.Uint32(sum[:4]))
}

// count passes a number to the database, where it is an integer of 32 bits.
func count(n, atLeast int) int32 { return int32(min(max(n, atLeast), math.MaxInt32)) }

// notNil passes a document that is there also when it is empty.
func notNil(document []byte) []byte {
	if document == nil {
		return []byte{}
	}
	return document
}

// SetCapacities implements queue.Queue.
func (q *Queue) SetCapacities(ctx context.Context, capacities map[string]int) error {
	sources, numbers := [][]byte{}, []int32{}
	for source, n := range capacities {
		sources, numbers = append(sources, []byte(source)), append(numbers, count(n, 0))
	}
	return q.wakes(ctx, `SELECT slashbatch.queue_capacities($1, $2)`, sources, numbers)
}

// SetPaused implements queue.Queue.
func (q *Queue) SetPaused(ctx context.Context, paused bool) error {
	return q.wakes(ctx, `SELECT slashbatch.queue_pause($1)`, paused)
}

// wakes makes a call that returns whom to wake.
func (q *Queue) wakes(ctx context.Context, sql string, args ...any) error {
	var users [][]byte
	err := q.do(ctx, func(ctx context.Context) error { return q.pool.QueryRow(ctx, sql, args...).Scan(&users) })
	if err != nil {
		return err
	}
	q.out.say(wakeAll(users)...)
	return nil
}
