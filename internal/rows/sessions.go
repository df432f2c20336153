package rows

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
)

// Sessions keeps sessions, fully reset, for the next piece of work of the same owner with
// the same login: to begin a server process costs a database far more than to run a small
// statement. What a library that was loaded into a session remembers is not reset, as
// connections of dblink; so owners share none. It is for the slots of one process.
type Sessions struct {
	most int
	mu   sync.Mutex
	idle []*Session // the one that waits longest first
	over bool
}

// How long a session waits for more work, and how old it may become: a login that
// loses its rights to connect, or gets other defaults, is found out by then.
const (
	longestIdle = 5 * time.Second
	longestLife = time.Minute
)

// NewSessions keeps so many sessions at most, over all sources.
func NewSessions(most int) *Sessions { return &Sessions{most: most} }

// Take returns a session of the source, a fresh one where none is kept. The caller
// gives it back or closes it.
func (k *Sessions) Take(ctx context.Context, source *Source, o SessionOptions) (*Session, error) {
	for s := k.take(source, o.Owner); s != nil; s = k.take(source, o.Owner) {
		if s.again(ctx, o) {
			return s, nil
		}
		s.Close()
	}
	return source.Session(ctx, o)
}

func (k *Sessions) take(source *Source, owner string) *Session {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, s := range slices.Backward(k.idle) {
		if s.source == source && s.options.Owner == owner {
			k.idle = slices.Delete(k.idle, i, i+1)
			return s
		}
	}
	return nil
}

// Give takes a session back whose work has ended, and closes it unless it is as good as
// a fresh one. Whoever knows its server process must have no more reason to end it.
func (k *Sessions) Give(s *Session) {
	if !s.reset() {
		s.Close()
		return
	}
	since := s.given
	k.mu.Lock()
	full := k.over || len(k.idle) >= k.most
	out := s
	switch {
	case !full:
		k.idle, out = append(k.idle, s), nil
	case !k.over && k.most > 0:
		out = k.idle[0]
		k.idle = append(slices.Delete(k.idle, 0, 1), s)
	}
	k.mu.Unlock()
	if out != nil {
		out.Close()
	}
	if out != s {
		time.AfterFunc(longestIdle, func() { k.drop(s, since) })
	}
}

// drop closes a session that still waits since then.
func (k *Sessions) drop(s *Session, since time.Time) {
	k.mu.Lock()
	i := slices.Index(k.idle, s)
	waits := i >= 0 && s.given.Equal(since)
	if waits {
		k.idle = slices.Delete(k.idle, i, i+1)
	}
	k.mu.Unlock()
	if waits {
		s.Close()
	}
}

// Close closes what is kept, and keeps nothing more.
func (k *Sessions) Close() {
	k.mu.Lock()
	idle := k.idle
	k.idle, k.over = nil, true
	k.mu.Unlock()
	for _, s := range idle {
		s.Close()
	}
}

// reset sends for everything to be as it is in a fresh session; again takes the answer.
// What was stopped is not for reuse: a cancel may still be on its way to it.
func (s *Session) reset() bool {
	if s.spent.Load() || s.pg.TxStatus() != 'I' || time.Since(s.opened) > longestLife {
		return false
	}
	s.given = time.Now()
	// DISCARD ALL takes any role away, also one that the login has by itself.
	return s.send("DISCARD ALL", "RESET ROLE") == nil
}

// again makes a session that was reset ready for more work. It is asked for a sign of
// life: what is sent into a connection that has ended meanwhile counts as begun.
func (s *Session) again(ctx context.Context, o SessionOptions) bool {
	ctx, cancel := context.WithTimeout(ctx, cancelPatience) // a peer may be gone unheard
	defer cancel()
	if s.send("") != nil {
		return false
	}
	for answers := 0; answers < 3; {
		message, err := s.pg.ReceiveMessage(ctx)
		if err != nil {
			return false
		}
		switch message.(type) {
		case *pgproto3.ErrorResponse:
			return false
		case *pgproto3.ReadyForQuery:
			answers++
		}
	}
	return s.prepare(ctx, o) == nil
}

func (s *Session) send(statements ...string) error {
	for _, sql := range statements {
		s.pg.Frontend().Send(&pgproto3.Query{String: sql})
	}
	return s.pg.Frontend().Flush()
}
