package memqueue

import (
	"bytes"
	"context"

	"slashbatch/queue"
)

// Get implements queue.Queue.
func (q *Queue) Get(ctx context.Context, id string) (queue.Job, error) {
	return q.find(ctx, func() *job { return q.jobs[id] })
}

// ByKey implements queue.Queue.
func (q *Queue) ByKey(ctx context.Context, key string) (queue.Job, error) {
	return q.find(ctx, func() *job { return q.keys[key] })
}

func (q *Queue) find(ctx context.Context, lookup func() *job) (queue.Job, error) {
	if err := q.lock(ctx); err != nil {
		return queue.Job{}, err
	}
	defer q.mu.Unlock()

	j := lookup()
	if j == nil {
		return queue.Job{}, queue.ErrNotFound
	}
	return q.view(j), nil
}

// List implements queue.Queue.
func (q *Queue) List(ctx context.Context, user string, before int64, n int) ([]queue.Job, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	mine := q.users[user]
	end := len(mine)
	if before > 0 {
		end, _ = byOrder(mine, before)
	}
	var page []queue.Job
	for i := end - 1; i >= 0 && len(page) < n; i-- {
		page = append(page, q.view(mine[i]))
	}
	return page, nil
}

// Definition implements queue.Queue.
func (q *Queue) Definition(ctx context.Context, id string) ([]byte, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	j := q.jobs[id]
	if j == nil {
		return nil, queue.ErrNotFound
	}
	return bytes.Clone(j.definition), nil
}

// Snapshot implements queue.Queue.
func (q *Queue) Snapshot(ctx context.Context) (*queue.Snapshot, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	now := q.now()
	snap := &queue.Snapshot{Version: q.version, Now: now, Paused: q.paused, Lanes: map[queue.Lane]queue.LaneSnapshot{}}
	for _, name := range queue.Lanes {
		n := q.lane(name)
		view := queue.LaneSnapshot{
			Lines: make([]queue.Line, 0, len(n.lists)),
			Runs:  make([]queue.Run, 0, len(n.runs)),
		}
		for _, w := range q.workers {
			if w.expires.After(now) {
				view.Slots += w.slots[name]
			}
		}
		for _, l := range n.lists {
			if l.pending.Len() == 0 && l.running == 0 {
				continue // all its jobs wait for a retry
			}
			view.Lines = append(view.Lines, queue.Line{
				ID:        l.id,
				Pending:   l.pending.Len(),
				Running:   l.running,
				Place:     l.place,
				Estimates: l.estimates,
			})
		}
		for c := range n.runs {
			view.Runs = append(view.Runs, queue.Run{
				Job:      c.job.ID,
				User:     c.job.User,
				Worker:   c.worker,
				Started:  c.started,
				Estimate: c.job.Estimate,
			})
		}
		snap.Lanes[name] = view
	}
	return snap, nil
}
