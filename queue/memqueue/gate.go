package memqueue

import "context"

// source is a data source. Its capacity is shared by the lanes.
type source struct {
	name     string
	running  int
	capacity int
	limited  bool
}

func (s *source) free() bool { return !s.limited || s.running < s.capacity }

// gate holds the lists of a lane that could start a job of one source. A gate
// whose source is at capacity simply is not open; the lists behind it need not
// be touched.
type gate struct {
	source *source
	ready  ordered[*line]
	index  int
}

func (g *gate) before(h *gate) bool { return g.ready[0].before(h.ready[0]) }
func (g *gate) slot() *int          { return &g.index }

// source returns the named source. Sources are the few that a configuration
// names, so they are never forgotten.
func (q *Queue) source(name string) *source {
	s := q.sources[name]
	if s == nil {
		s = &source{name: name}
		q.sources[name] = s
	}
	return s
}

func (n *lane) gate(s *source) *gate {
	g := n.gates[s.name]
	if g == nil {
		g = &gate{source: s}
		n.gates[s.name] = g
	}
	return g
}

// reopen opens or closes a gate.
func (n *lane) reopen(g *gate) {
	n.open.set(g, len(g.ready) > 0 && g.source.free())
}

// settleSource opens or closes the gates of a source in every lane after its
// running jobs or its capacity have changed.
func (q *Queue) settleSource(s *source) {
	for _, n := range q.lanes {
		if g := n.gates[s.name]; g != nil {
			n.reopen(g)
		}
	}
}

// SetCapacities implements queue.Queue.
func (q *Queue) SetCapacities(ctx context.Context, capacities map[string]int) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.mu.Unlock()

	for name := range capacities {
		q.source(name)
	}
	for name, s := range q.sources {
		s.capacity, s.limited = capacities[name], false
		if _, ok := capacities[name]; ok {
			s.limited = true
		}
		q.settleSource(s)
		q.wakeGates(s)
	}
	q.version++
	return nil
}

// wakeGates wakes the best list of each lane that waits for a source, if that has room.
func (q *Queue) wakeGates(s *source) {
	for _, n := range q.lanes {
		if g := n.gates[s.name]; g != nil && len(g.ready) > 0 && s.free() {
			q.wake(g.ready[0].user)
		}
	}
}

// SetPaused implements queue.Queue.
func (q *Queue) SetPaused(ctx context.Context, paused bool) error {
	if err := q.lock(ctx); err != nil {
		return err
	}
	defer q.mu.Unlock()

	if q.paused != paused {
		q.paused = paused
		q.version++
	}
	if paused {
		return nil
	}
	// One wake for each lane, since whoever hears it claims until nothing is
	// left; also when nothing was paused, for the answer may have been lost.
	for _, n := range q.lanes {
		if g, ok := n.open.first(); ok {
			q.wake(g.ready[0].user)
		}
	}
	return nil
}
