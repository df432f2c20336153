// Package redisqueue is the job queue in Redis, shared by any number of
// processes. Redis 7.0 or later, one server or a primary with replicas.
//
// Every operation is one Lua script and so one atomic step; lua/ holds them,
// documented like functions, and keys.go the layout of the data. Nothing is
// kept in the process: any process may die at any instant.
//
// # Durability
//
// What survives a restart of Redis is what its append-only file holds: with
// appendfsync everysec up to a second may be lost when the machine (not just
// Redis) dies, with always nothing. What Redis has not yet replicated is lost
// in a failover. Open warns of a server that persists nothing.
//
// # Order
//
// A claim never searches. Of every list that may start a job, the head job's
// source decides in which "ready" set it stands, ordered by running jobs and
// place in line; sources with room and a ready list stand in the lane's "open"
// set, ordered by their best list. A claim takes the best list of the best
// source. Lists at their cap and sources at capacity are in neither set.
//
// # Limits
//
// A job cancelled far from either end of a long list costs Redis about 10 µs
// for each thousand jobs between it and the nearer end. Proxies that insist on
// declared keys will not do, and Redis Cluster is refused.
package redisqueue

import (
	"context"
	"log/slog"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// Options of a Queue.
type Options struct {
	// Prefix begins the name of every key and channel. Defaults to "batch".
	Prefix string
	// Settings hold for the whole fleet.
	Settings queue.Settings
	// Logger gets warnings about the server. Defaults to none.
	Logger *slog.Logger
}

// Queue implements queue.Queue.
type Queue struct {
	client   *redis.Client
	keys     keys
	settings queue.Settings
	log      *slog.Logger
	quiet    time.Duration // see follow
}

var _ queue.Queue = (*Queue)(nil)

// Open connects to the Redis at a URL, redis://[user:password@]host[:port][/db]
// or rediss:// for TLS; the database is 5 when the URL names none. Settings of
// the connection may be given as query parameters, as in go-redis.
//
// When Redis cannot be asked now, the error wraps queue.ErrUnavailable and
// trying again may help. Every other error is final: a URL or a server that
// will not do, or data laid out by another version.
func Open(ctx context.Context, url string, o Options) (*Queue, error) {
	connection, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if o.Prefix == "" {
		o.Prefix = "batch"
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	q := &Queue{
		client:   redis.NewClient(connection),
		keys:     keys{o.Prefix},
		settings: o.Settings.WithDefaults(),
		log:      o.Logger,
		quiet:    quiet,
	}
	if err := q.prepare(ctx); err != nil {
		_ = q.client.Close()
		return nil, err
	}
	return q, nil
}

// Ping implements queue.Queue.
func (q *Queue) Ping(ctx context.Context) error {
	return unavailable(ctx, q.client.Ping(ctx).Err())
}

// Close implements queue.Queue.
func (q *Queue) Close() error { return q.client.Close() }
