package config

import (
	"regexp"
	"time"
)

var pathSegment = regexp.MustCompile(`^/[A-Za-z0-9._~-]{1,64}$`)

func (l *loader) batch() {
	b := &l.cfg.Batch
	if !pathSegment.MatchString(b.Path) || b.Path == "/." || b.Path == "/.." {
		l.add("batch.path", `expected one segment of a path such as "/batch", of letters, digits and . _ ~ -`)
	}
	l.duration("batch.maxWait", b.MaxWait, time.Second, time.Hour)
	l.process()
	l.duration("batch.maxAge", b.MaxAge, time.Second, 10*year)
	l.duration("batch.minFresh", b.MinFresh, time.Millisecond, 10*year)
	l.duration("batch.retryHold", b.RetryHold, time.Millisecond, year)
	l.limits("batch.limits", b.Limits)
	l.duration("batch.retention.jobs", b.Retention.Jobs, time.Minute, 10*year)
	l.duration("batch.retention.results", b.Retention.Results, time.Second, 10*year)
	l.size("batch.retention.maxBytes", b.Retention.MaxBytes, 0, 0)
}

func (l *loader) process() {
	p := &l.cfg.Batch.Process
	l.lanesBetween("batch.process.workers", p.Workers, 0, 1000)
	if p.Enabled && p.Workers == (Lanes{}) {
		l.add("batch.process.workers", "no lane has a worker; say process.enabled: false instead")
	}
	l.between("batch.process.retry", p.Retry, 0, 100)
	l.between("batch.process.crashes", p.Crashes, 1, 100)
	l.duration("batch.process.timeout", p.Timeout, time.Millisecond, time.Hour)
	l.duration("batch.process.retryInit", p.RetryInit, time.Millisecond, time.Hour)
	l.duration("batch.process.lease", p.Lease, time.Second, time.Hour)
	// A sweep that comes later than half a lease after the one before takes it
	// for an outage and recovers nothing, so sweeps have to be well within that.
	if p.Timeout > p.Lease/3 {
		l.add("batch.process.timeout", "is %v, at most a third of lease (%v) is possible: jobs of dead workers would never be recovered", p.Timeout, p.Lease)
	}
	// Leases are kept while a worker drains, so drain may be as long as it likes.
	l.duration("batch.process.drain", p.Drain, 0, 24*time.Hour)
}

// limits checks the limits of everybody or of one user.
func (l *loader) limits(path string, m Limits) {
	l.lanesBetween(path+".queued", m.Queued, 1, maxQueued)
	l.lanesBetween(path+".running", m.Running, 1, 1000)
	// A definition is stored in the queue, whose memory is dear.
	l.size(path+".payloadBytes", m.PayloadBytes, 1, 1<<20)
	if m.PayloadBytes > l.cfg.Server.MaxBodyBytes {
		l.add(path+".payloadBytes", "is %v, more than server.maxBodyBytes (%v) lets in", m.PayloadBytes, l.cfg.Server.MaxBodyBytes)
	}
	l.duration(path+".queryTimeout", m.QueryTimeout, time.Millisecond, year)
	l.size(path+".resultBytes", m.ResultBytes, 1, 0)
}
