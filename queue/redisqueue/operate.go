package redisqueue

import "context"

// SetCapacities implements queue.Queue.
func (q *Queue) SetCapacities(ctx context.Context, capacities map[string]int) error {
	var args []any
	for source, n := range capacities {
		args = append(args, source, n)
	}
	_, err := q.run(ctx, capacitiesScript, args...)
	return err
}

// SetPaused implements queue.Queue.
func (q *Queue) SetPaused(ctx context.Context, paused bool) error {
	_, err := q.run(ctx, pauseScript, flag(paused))
	return err
}
