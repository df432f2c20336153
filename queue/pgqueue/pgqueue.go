// Package pgqueue is the job queue in PostgreSQL, shared by any number of
// processes: tables queue_… of the schema slashbatch. PostgreSQL 13 or later.
//
// Every operation is one PL/pgSQL function, called in one round trip, and so one
// transaction; migrations/ holds them, documented like functions, and the tables.
// Nothing is kept in the process but hints that are on their way: any process may
// die at any instant.
//
// # Durability
//
// What PostgreSQL has committed. With synchronous_commit off, what it committed in
// the last moments before it or its machine died may be lost.
//
// # Order
//
// A claim never searches: an index has the lists that may start a job, by gate and
// then in the contract's order. A source with a capacity is a gate of its own, all
// others share one. So a claim takes the best list of those at the head of each
// open gate. Claims do not wait for each other as long as they can be served from
// different lists: a list that another claim just holds is passed over, and only
// when nothing else is left is it waited for. Calls made one after the other are
// served exactly in the contract's order.
//
// # Limits
//
// Ids of jobs and claims have at most 1,000 bytes. A transaction that stays open
// for hours in the same database keeps PostgreSQL from clearing away what the queue
// has long changed, and so makes it slower.
package pgqueue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"slashbatch/internal/pg"
	"slashbatch/queue"
)

// Options of a Queue.
type Options struct {
	// Settings hold for the whole fleet.
	Settings queue.Settings
	// Conns is how many connections one process opens at most, not counting the
	// one of each subscription. Defaults to 8.
	Conns int
	// Logger gets warnings. Defaults to none.
	Logger *slog.Logger
}

// Queue implements queue.Queue.
type Queue struct {
	pool     *pgxpool.Pool
	settings queue.Settings
	log      *slog.Logger
	quiet    time.Duration // see subscription.follow
	frozen   time.Duration // see Sweep
	out      *announcer

	// Ends when the queue is closed, and with it every call and subscription.
	open  context.Context
	close context.CancelFunc
}

var _ queue.Queue = (*Queue)(nil)

// Open connects to the queue in the PostgreSQL database at a URL, postgres://….
// The schema must be up to date: see Migrate.
//
// When the database cannot be asked now, the error wraps queue.ErrUnavailable and
// trying again may help. Every other error is final: a URL or a server that will
// not do, or a schema that is behind.
func Open(ctx context.Context, url string, o Options) (*Queue, error) {
	config, err := configure(url, o.Conns)
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("pgqueue: %w", err)
	}
	if err := prepare(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	q := &Queue{pool: pool, settings: o.Settings.WithDefaults(), log: o.Logger, quiet: quiet, frozen: frozen}
	q.open, q.close = context.WithCancel(context.Background())
	q.out = newAnnouncer(q.notify, q.log)
	return q, nil
}

// prepare checks that the server and the schema will do.
func prepare(ctx context.Context, pool *pgxpool.Pool) error {
	var version int
	if err := pool.QueryRow(ctx, `SELECT current_setting('server_version_num')::int`).Scan(&version); err != nil {
		return reachable(err)
	}
	if version < minVersion {
		return fmt.Errorf("pgqueue: PostgreSQL %d.%d, want %d or later", version/10000, version%10000, minVersion/10000)
	}
	all, err := migrations()
	if err != nil {
		return err
	}
	missing, err := pg.Behind(ctx, pool, table, all)
	if err != nil {
		return reachable(err)
	}
	if len(missing) > 0 {
		return fmt.Errorf("pgqueue: the schema is behind (%s); run slashbatch migrate", strings.Join(pg.Names(missing), ", "))
	}
	return nil
}

// minVersion is the first PostgreSQL that has all that is used here.
const minVersion = 130000

// reachable makes an error of the contract of one that may pass.
func reachable(err error) error {
	if pg.IsAway(err) {
		return fmt.Errorf("%w: %w", queue.ErrUnavailable, err)
	}
	return fmt.Errorf("pgqueue: %w", err)
}

// Ping implements queue.Queue. It asks for our own table, so that a database
// without our schema is not taken for ready.
func (q *Queue) Ping(ctx context.Context) error {
	return q.do(ctx, func(ctx context.Context) error {
		_, err := q.pool.Exec(ctx, `SELECT FROM slashbatch.queue_meta`)
		return err
	})
}

// flushing is how long Close lets the last hints take.
const flushing = 2 * time.Second

// Close implements queue.Queue. Calls that are still on their way fail.
func (q *Queue) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushing)
	defer cancel()
	q.out.close(ctx)
	q.close()
	q.pool.Close()
	return nil
}

// errClosed is the cause of calls that fail because the queue was closed.
var errClosed = errors.New("the queue is closed")
