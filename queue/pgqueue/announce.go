package pgqueue

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"sync"
	"time"

	"slashbatch/queue"
)

const (
	// channel is where processes tell each other what happened.
	channel = "slashbatch_queue"
	// maxPayload keeps a notification below the 8,000 bytes that PostgreSQL allows.
	maxPayload = 7900
	// maxWaiting is how many events may wait to be sent before they are dropped and
	// a Resync is sent in their place.
	maxWaiting = 4096
)

// announcer sends events on, one statement at a time. It is apart from the
// operations because transactions that notify commit one after the other; hints may
// come a little later, and be lost with the process.
type announcer struct {
	send    func(ctx context.Context, payloads []string) error
	ctx     context.Context // of what is sent
	cancel  context.CancelFunc
	signal  chan struct{} // has one element while there is something to do
	closing chan struct{}
	done    chan struct{}
	log     *slog.Logger

	mu      sync.Mutex
	waiting []queue.Event
	closed  bool
}

func newAnnouncer(send func(ctx context.Context, payloads []string) error, log *slog.Logger) *announcer {
	a := &announcer{send: send, signal: make(chan struct{}, 1), closing: make(chan struct{}), done: make(chan struct{}), log: log}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	go a.run()
	return a
}

// say hands events over without ever waiting.
func (a *announcer) say(events ...queue.Event) {
	if len(events) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return
	}
	a.waiting = append(a.waiting, events...)
	if len(a.waiting) > maxWaiting {
		a.waiting = append(a.waiting[:0], queue.Event{Kind: queue.Resync})
	}
	a.wake()
}

func (a *announcer) wake() {
	select {
	case a.signal <- struct{}{}:
	default:
	}
}

// close sends what is waiting, as long as the context allows.
func (a *announcer) close(ctx context.Context) {
	a.mu.Lock()
	a.closed = true
	close(a.closing)
	a.wake()
	a.mu.Unlock()
	select {
	case <-a.done:
	case <-ctx.Done():
	}
	a.cancel()
	<-a.done
}

// rest waits before the next try, longer after more failures, and not once the
// announcer is being closed.
func (a *announcer) rest(failures int) {
	select {
	case <-a.closing:
	case <-time.After(min(10*time.Millisecond<<min(failures, 10), time.Second)):
	}
}

func (a *announcer) run() {
	defer close(a.done)
	failures := 0 // in a row
	for range a.signal {
		a.mu.Lock()
		events, closed := a.waiting, a.closed
		a.waiting = nil
		a.mu.Unlock()
		if len(events) > 0 {
			ctx, cancel := context.WithTimeout(a.ctx, patience)
			err := a.send(ctx, payloads(latest(events)))
			cancel()
			switch {
			case err == nil:
				failures = 0
			case !closed:
				// Nobody has heard of them; whoever listens shall know.
				if failures++; failures == 1 { // said once: an outage must not fill the log
					a.log.Warn("workers and watchers could not be told of changes in the queue; they will look for themselves", "error", err)
				}
				a.rest(failures)
				a.say(queue.Event{Kind: queue.Resync})
			}
		}
		if closed {
			return
		}
	}
}

// latest leaves one of equal events: the last, so that the last state that is told
// of a job is the one it came to last.
func latest(events []queue.Event) []queue.Event {
	said := make(map[queue.Event]bool, len(events))
	kept := events[:0:0]
	for _, e := range slices.Backward(events) {
		if !said[e] {
			said[e] = true
			kept = append(kept, e)
		}
	}
	slices.Reverse(kept)
	return kept
}

// message is an event in a notification: a Wake has a user, a Changed a job, a Resync
// neither. Names may hold any bytes and so are not strings.
type message struct {
	User  []byte      `json:"u,omitempty"`
	Job   []byte      `json:"j,omitempty"`
	State queue.State `json:"s,omitempty"`
}

// payloads are notifications that hold these events, in their order.
func payloads(events []queue.Event) []string {
	var all []string
	var open []byte
	for _, e := range events {
		m, err := json.Marshal(message{User: []byte(e.User), Job: []byte(e.Job), State: e.State})
		if err != nil || len(m)+2 > maxPayload { // a name that is too long for any notification
			m = []byte("{}")
		}
		if open != nil && len(open)+len(m)+2 > maxPayload {
			all = append(all, string(append(open, ']')))
			open = nil
		}
		if open == nil {
			open = append(open, '[')
		} else {
			open = append(open, ',')
		}
		open = append(open, m...)
	}
	if open != nil {
		all = append(all, string(append(open, ']')))
	}
	return all
}

// events are what a notification holds; one that cannot be read may have held anything.
func events(payload string) []queue.Event {
	var messages []message
	if err := json.Unmarshal([]byte(payload), &messages); err != nil {
		return []queue.Event{{Kind: queue.Resync}}
	}
	all := make([]queue.Event, len(messages))
	for i, m := range messages {
		switch {
		case m.Job != nil:
			all[i] = changed(string(m.Job), m.State)
		case m.User != nil:
			all[i] = wake(string(m.User))
		default:
			all[i] = queue.Event{Kind: queue.Resync}
		}
	}
	return all
}

func changed(job string, s queue.State) queue.Event {
	return queue.Event{Kind: queue.Changed, Job: job, State: s}
}

func wake(user string) queue.Event { return queue.Event{Kind: queue.Wake, User: user} }

func wakeAll(users [][]byte) []queue.Event {
	all := make([]queue.Event, len(users))
	for i, u := range users {
		all[i] = wake(string(u))
	}
	return all
}

// notify sends notifications; listeners of this process get them, too.
func (q *Queue) notify(ctx context.Context, payloads []string) error {
	_, err := q.pool.Exec(ctx, `SELECT pg_notify($1, p) FROM unnest($2::text[]) p`, channel, payloads)
	return err
}
