package memqueue

import (
	"context"
	"maps"

	"slashbatch/queue"
)

// Stats implements queue.Queue.
func (q *Queue) Stats(ctx context.Context) (*queue.Stats, error) {
	if err := q.lock(ctx); err != nil {
		return nil, err
	}
	defer q.mu.Unlock()

	stats := &queue.Stats{
		Now:     q.now(),
		Paused:  q.paused,
		Lanes:   map[queue.Lane]queue.LaneStats{},
		Sources: map[string]queue.SourceStats{},
		Workers: map[string]map[queue.Lane]int{},
	}
	for _, name := range queue.Lanes {
		stats.Lanes[name] = q.lane(name).stats()
	}
	for name, s := range q.sources {
		switch {
		case s.limited:
			stats.Sources[name] = queue.SourceStats{Running: s.running, Capacity: s.capacity}
		case s.running > 0 && name != "": // a job may do without a source
			stats.Sources[name] = queue.SourceStats{Running: s.running, Capacity: -1}
		}
	}
	for id, w := range q.workers {
		if w.expires.After(stats.Now) {
			stats.Workers[id] = maps.Clone(w.slots)
		}
	}
	return stats, nil
}

func (n *lane) stats() queue.LaneStats {
	s := queue.LaneStats{Lists: len(n.lists), Running: len(n.runs)}
	for _, l := range n.lists {
		s.Pending += l.pending.Len()
		s.Delayed += l.delayed
		if h := l.head(); h != nil && (s.Oldest.IsZero() || h.Submitted.Before(s.Oldest)) {
			s.Oldest = h.Submitted
		}
	}
	return s
}
