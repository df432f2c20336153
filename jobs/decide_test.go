package jobs

import (
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/queue"
)

func TestDecide(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	job := func(s queue.State, ago time.Duration) *queue.Job { return &queue.Job{State: s, Ended: now.Add(-ago)} }
	entry := func(valid bool, age time.Duration) *cache.Entry { return &cache.Entry{Valid: valid, Age: age} }
	pending, running := job(queue.Pending, 0), job(queue.Running, 0)
	for _, tt := range []struct {
		name   string
		job    *queue.Job
		entry  *cache.Entry
		method Method
		fresh  bool
		want   action
	}{
		{"never seen, GET", nil, nil, Get, false, enqueue},
		{"never seen, POST", nil, nil, Post, false, enqueue},
		{"never seen, looking", nil, nil, Look, false, nothing},
		{"pending, GET", pending, nil, Get, false, join},
		{"running, POST", running, nil, Post, false, join},
		{"running, looking", running, nil, Look, false, join},
		{"ready, although the queue never saw it", nil, entry(true, time.Hour), Get, false, serve},
		{"ready, POST", job(queue.Done, time.Hour), entry(true, time.Hour), Post, false, serve},
		{"ready, looking", nil, entry(true, time.Hour), Look, false, serve},
		{"expired, GET", job(queue.Done, time.Hour), entry(false, time.Hour), Get, false, enqueue},
		{"expired, looking", job(queue.Done, time.Hour), entry(false, time.Hour), Look, false, nothing},
		{"done but the file is gone, GET", job(queue.Done, time.Second), nil, Get, false, enqueue},
		{"failed a moment ago, GET", job(queue.Failed, 59*time.Second), nil, Get, false, hold},
		{"failed a while ago, GET", job(queue.Failed, time.Minute), nil, Get, false, enqueue},
		{"failed a moment ago, POST", job(queue.Failed, time.Second), nil, Post, false, enqueue},
		{"cancelled a moment ago, GET", job(queue.Cancelled, time.Second), nil, Get, false, hold},
		{"failed, looking", job(queue.Failed, time.Hour), nil, Look, false, nothing},
		{"failed, but an older file is valid", job(queue.Failed, time.Second), entry(true, time.Hour), Get, false, serve},
		{"fresh, an old file is valid", nil, entry(true, time.Hour), Get, true, enqueue},
		{"fresh, a file of a moment ago", nil, entry(true, 9*time.Minute), Get, true, serve},
		{"fresh, looking, nothing runs", nil, entry(true, time.Hour), Look, true, serve},
		{"fresh, looking, one is running", running, entry(true, time.Hour), Look, true, join},
		{"fresh, one is running", running, entry(true, time.Hour), Post, true, join},
		{"fresh, one failed a moment ago, GET", job(queue.Failed, time.Second), entry(true, time.Hour), Get, true, hold},
		{"an old file serves while a fresh run is active", running, entry(true, time.Hour), Get, false, serve},
		{"POST while a fresh run is active joins it", running, entry(true, time.Hour), Post, false, join},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := decide(seen{tt.job, tt.entry, now}, policy{tt.method, tt.fresh, time.Minute, 10 * time.Minute})
			if got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
