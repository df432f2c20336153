package jobs

import (
	"time"

	"slashbatch/cache"
	"slashbatch/queue"
)

// Method says how a request for an export was made, as far as it matters.
type Method int

// The ways to ask.
const (
	// Get queues what was never run, expired or was lost, and a failed or
	// cancelled run only after RetryHold: no client that polls with GET can loop
	// a broken query.
	Get Method = iota + 1
	// Post queues a failed or cancelled run again at once.
	Post
	// Look never queues.
	Look
)

// seen is what the backends say of a request key at one moment.
type seen struct {
	job   *queue.Job   // the key's last job, nil when there is none
	entry *cache.Entry // what the catalogue has for the key, valid or not; not if its guard has changed
	now   time.Time    // by the queue's clock
}

// active reports whether a job is under way.
func (s seen) active() bool { return s.job != nil && !s.job.State.Final() }

// action is what to do about a request.
type action int

const (
	serve   action = iota + 1 // the entry answers it
	join                      // the active job will
	hold                      // the last run failed a moment ago: say so
	enqueue                   // a run is needed
	nothing                   // a run would be needed, but looking never queues
)

// policy is what the configuration and the request say about it.
type policy struct {
	method              Method
	fresh               bool
	retryHold, minFresh time.Duration
}

// decide is the order of work of the package comment. A valid entry serves
// requests even while a fresh run of the same key is active; only those who
// ask for fresh rows wait for it.
func decide(s seen, p policy) action {
	active := s.active()
	valid := s.entry != nil && s.entry.Valid
	switch {
	case valid && s.entry.Pinned:
		return serve // what was put in by hand for good is not run again
	case valid && !p.fresh && (p.method != Post || !active):
		return serve
	case active:
		return join
	case valid && p.fresh && s.entry.Age < p.minFresh:
		return serve // one fresh run per minFresh: this is it
	case p.method == Look && valid:
		return serve // no fresh run is under way: what is there is the answer
	case p.method == Look:
		return nothing
	case p.method == Get && tooSoon(s, p):
		return hold
	default:
		return enqueue
	}
}

// tooSoon reports whether the key's last run ended without a result so recently
// that a GET does not start another.
func tooSoon(s seen, p policy) bool {
	if s.job == nil || s.job.State != queue.Failed && s.job.State != queue.Cancelled {
		return false
	}
	return s.now.Sub(s.job.Ended) < p.retryHold
}
