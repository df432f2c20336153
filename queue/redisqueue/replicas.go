package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// confirmTime is how long replicas may take to confirm what a call did: longer
// than they need while they are there, and well within a connection's time-out.
const confirmTime = time.Second

// confirmed is run for what must outlive the primary: it returns an answer only
// when as many replicas have the data as the options ask for. The script and WAIT
// go in one batch, since WAIT is about the writes of its own connection.
func (q *Queue) confirmed(ctx context.Context, s *redis.Script, args ...any) (any, error) {
	if q.replicas <= 0 {
		return q.run(ctx, s, args...)
	}
	answer, confirmations := q.batch(ctx, s.EvalSha, args)
	if redis.HasErrorPrefix(answer.Err(), "NOSCRIPT") { // a new server, or one that became the primary
		answer, confirmations = q.batch(ctx, s.Eval, args)
	}
	if err := answer.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return nil, unavailable(ctx, err)
	}
	n, err := confirmations.Result()
	switch {
	case err != nil:
		return nil, unavailable(ctx, err)
	case n < int64(q.replicas):
		return nil, fmt.Errorf("%w: only %d of %d replicas of Redis have confirmed within %v", queue.ErrUnavailable, n, q.replicas, q.confirm)
	}
	return answer.Val(), nil
}

// evaluate is a way to call a script.
type evaluate func(ctx context.Context, c redis.Scripter, keys []string, args ...any) *redis.Cmd

// batch sends a script and WAIT together, with one answer for each.
func (q *Queue) batch(ctx context.Context, call evaluate, args []any) (answer *redis.Cmd, confirmations *redis.IntCmd) {
	confirmations = redis.NewIntCmd(ctx, "wait", q.replicas, q.confirm.Milliseconds())
	_, _ = q.client.Pipelined(ctx, func(p redis.Pipeliner) error { // its error is that of one of the two
		answer = call(ctx, p, []string{q.keys.seq()}, args...)
		return p.Process(ctx, confirmations)
	})
	return answer, confirmations
}
