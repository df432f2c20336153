package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"slashbatch/internal/pg"
	"slashbatch/queue"
)

// defaultConns is enough to keep several cores of a server busy.
const defaultConns = 8

// configure is how the queue connects. The errors never show a password.
func configure(raw string, conns int) (*pgxpool.Config, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("pgqueue: not a URL")
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, fmt.Errorf("pgqueue: scheme %q, want postgres://", u.Scheme)
	}
	if conns <= 0 {
		conns = defaultConns
	}
	config, err := pg.Config(raw, "slashbatch queue", conns)
	if err != nil {
		return nil, fmt.Errorf("pgqueue: %w", err)
	}
	// Every statement of the queue finds its few rows by an index. The planner cannot
	// know that in time: it plans when the tables are empty and have no statistics,
	// for which reading them as a whole looks best, and keeps that plan while they
	// grow; and it takes the limits that are parameters for large ones, for which
	// sorting or hashing all lists looks best. So it is told, once for all parameters;
	// and not to compile for it.
	params := config.ConnConfig.RuntimeParams
	params["enable_seqscan"] = "off"
	params["enable_bitmapscan"] = "off"
	params["enable_mergejoin"] = "off"
	params["enable_hashjoin"] = "off"
	params["plan_cache_mode"] = "force_generic_plan"
	params["jit"] = "off"
	return config, nil
}

// patience is a little more than the database itself allows our statements:
// past it there is nobody at the other end of the connection.
const patience = 20 * time.Second

// repeats is how often a call is made before somebody was quicker too often.
const repeats = 30

// do makes a call of the database, once more where that helps, and makes errors of
// the contract of its errors. All operations may be repeated.
func (q *Queue) do(ctx context.Context, call func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stop := context.AfterFunc(q.open, cancel)
	defer stop()
	lost := 0
	for try := 1; ; try++ {
		err := call(limited)
		if err == nil {
			return nil
		}
		again := false
		if limited.Err() == nil {
			switch whatFor(err) {
			case overtaken:
				again = try < repeats
				pause(limited, try)
			case disconnected:
				// All connections of the pool may be dead, as after a restart of
				// the server. When it is not there any more, connecting fails.
				lost++
				again = lost <= int(q.pool.Config().MaxConns)
			}
		}
		if !again {
			if q.open.Err() != nil {
				err = errClosed
			}
			return unavailable(ctx, err)
		}
	}
}

// reason is why a call failed.
type reason int

const (
	refused      reason = iota
	overtaken           // somebody else was quicker, or in the way
	disconnected        // the connection broke
)

func whatFor(err error) reason {
	if answer, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch answer.Code {
		case "40001", "40P01", "23505": // a job has moved on; a deadlock; the same call made twice at once
			return overtaken
		case "57P01", "57P02": // the operator ended the connection
			return disconnected
		}
		return refused
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return refused
	}
	return disconnected
}

// pause waits a little, longer after more tries, and never as long as others do.
func pause(ctx context.Context, try int) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(time.Duration(min(try, 10)) * time.Millisecond)):
	}
}

// unavailable makes an error of the contract of one that is not an answer. An
// expired context can be told from the rest.
func unavailable(ctx context.Context, err error) error {
	cause := ctx.Err()
	// The connection's own deadline is the context's and may strike first.
	if deadline, ok := ctx.Deadline(); cause == nil && ok && !time.Now().Before(deadline) {
		cause = context.DeadlineExceeded
	}
	if cause != nil && !errors.Is(err, cause) {
		return fmt.Errorf("%w: %w (%w)", queue.ErrUnavailable, cause, err)
	}
	return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
}

// millis passes a duration to the database.
func millis(d time.Duration) int64 { return max(d.Milliseconds(), 0) }
