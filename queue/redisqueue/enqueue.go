package redisqueue

import (
	"context"
	"fmt"
	"slices"
	"time"

	"slashbatch/queue"
)

// maxRunning keeps the scores of lists exact: running * 2^41 + place < 2^53.
const maxRunning = 4095

// Enqueue implements queue.Queue.
func (q *Queue) Enqueue(ctx context.Context, s queue.Submission) (queue.Enqueued, error) {
	if s.ID == "" || s.User == "" || !slices.Contains(queue.Lanes, s.Lane) {
		return queue.Enqueued{}, fmt.Errorf("redisqueue: a submission needs an id, a user and a lane; got %q, %q, %q", s.ID, s.User, s.Lane)
	}
	answer, err := q.confirmed(ctx, enqueueScript,
		s.ID, listName(s.User, s.Lane), s.Kind, s.Source, s.Class, millis(s.Estimate), boundCap(s.RunningCap),
		s.QueuedCap, s.Retry, s.Key, digest(s.Key), s.After, s.Definition, layoutVersion,
		millis(q.settings.Retention), flag(q.replicas > 0))
	if err != nil {
		return queue.Enqueued{}, err
	}
	fields, _ := answer.([]any)
	switch {
	case len(fields) == 5 && fields[0] == "new":
		j, err := created(s, fields)
		return queue.Enqueued{Job: j, Created: true}, err
	case len(fields) == 3 && fields[0] == "job":
		j, err := decodeView(fields[2])
		return queue.Enqueued{Job: j, Created: fields[1] == "1"}, err
	case len(fields) == 2 && fields[0] == "full":
		queued, _ := fields[1].(int64)
		return queue.Enqueued{}, &queue.FullError{Queued: int(queued), Cap: s.QueuedCap}
	case len(fields) == 2 && fields[0] == "layout":
		return queue.Enqueued{}, unavailable(ctx, errLayout(fmt.Sprint(fields[1])))
	}
	return queue.Enqueued{}, malformed(answer)
}

// created is a job that was just made, without reading it back: its submission
// with what Redis decided.
func created(s queue.Submission, fields []any) (queue.Job, error) {
	order, ok1 := fields[1].(int64)
	at, ok2 := fields[2].(int64)
	standing, ok3 := fields[3].(string)
	estimate, ok4 := fields[4].(int64)
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return queue.Job{}, malformed(fields)
	}
	var r reader
	j := queue.Job{
		ID:        s.ID,
		Key:       s.Key,
		User:      s.User,
		Lane:      s.Lane,
		Kind:      s.Kind,
		Source:    s.Source,
		Class:     s.Class,
		Retry:     s.Retry,
		Estimate:  time.Duration(estimate) * time.Millisecond,
		State:     queue.Pending,
		Order:     order,
		Submitted: fromMillis(at),
		Standing:  r.standing(standing),
	}
	if r.err != nil {
		return queue.Job{}, malformed(fields)
	}
	return j, nil
}

// boundCap brings a running cap to what scripts can count.
func boundCap(n int) int { return min(max(n, 1), maxRunning) }
