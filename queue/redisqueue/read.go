package redisqueue

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// Get implements queue.Queue.
func (q *Queue) Get(ctx context.Context, id string) (queue.Job, error) {
	return found(q.run(ctx, getScript, id))
}

// ByKey implements queue.Queue.
func (q *Queue) ByKey(ctx context.Context, key string) (queue.Job, error) {
	return found(q.run(ctx, byKeyScript, digest(key)))
}

// found reads the answer of a script that returns a view.
func found(answer any, err error) (queue.Job, error) {
	if err != nil {
		return queue.Job{}, err
	}
	if answer == nil {
		return queue.Job{}, queue.ErrNotFound
	}
	return decodeView(answer)
}

// Definition implements queue.Queue.
func (q *Queue) Definition(ctx context.Context, id string) ([]byte, error) {
	definition, err := q.client.HGet(ctx, q.keys.job(id), "definition").Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, queue.ErrNotFound
	}
	return definition, unavailable(ctx, err)
}

// pageMax bounds one call of the list script, at about 10 µs for each entry.
const pageMax = 100

// List implements queue.Queue. Long lists are read in pages, so that they hold
// up nobody; a job submitted meanwhile is left out.
func (q *Queue) List(ctx context.Context, user string, before int64, n int) ([]queue.Job, error) {
	var jobs []queue.Job
	below := "+inf"
	if before > 0 {
		below = fmt.Sprintf("(%d", before)
	}
	for len(jobs) < n {
		page := min(n-len(jobs), pageMax)
		answer, err := q.run(ctx, listScript, encodeUser(user), below, page)
		if err != nil {
			return nil, err
		}
		fields, _ := answer.([]any)
		if len(fields) < 2 {
			return nil, malformed(answer)
		}
		for _, view := range fields[2:] {
			j, err := decodeView(view)
			if err != nil {
				return nil, err
			}
			jobs = append(jobs, j)
		}
		if looked, _ := fields[0].(int64); looked < int64(page) {
			break
		}
		below = fmt.Sprintf("(%v", fields[1])
	}
	return jobs, nil
}
