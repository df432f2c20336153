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
// Redis) dies, with always nothing. Open warns of a server that persists nothing.
//
// What Redis has not yet replicated is lost in a failover. With Options.Replicas
// Enqueue, Claim and Seal answer only when that many replicas have confirmed what
// they did; with fewer the error wraps queue.ErrUnavailable, and as with every
// such error it may have happened, and repeating the call is safe.
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
// A job taken out far from either end of a long list, by a cancel or by a waiter
// who takes it over, costs Redis about 10 µs for each thousand jobs between it
// and the nearer end. Proxies that insist on
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
	// Replicas is how many replicas of Redis must have what Enqueue, Claim and
	// Seal did before they answer. Defaults to none.
	Replicas int
	// Logger gets warnings about the server. Defaults to none.
	Logger *slog.Logger
}

// Queue implements queue.Queue.
type Queue struct {
	client   *redis.Client
	keys     keys
	settings queue.Settings
	replicas int
	log      *slog.Logger
	quiet    time.Duration // see follow
	confirm  time.Duration // see confirmed
}

var _ queue.Queue = (*Queue)(nil)

// Open connects to the Redis at a URL, redis://[user:password@]host[:port][/db]
// or rediss:// for TLS; the database is 5 when the URL names none. Settings of
// the connection may be given as query parameters, as in go-redis.
//
// redis+sentinel://[user:password@]host[:port][,host[:port]...][/db]?master_name=...
// or rediss+sentinel:// asks sentinels where the primary is, and follows it in a
// failover. User and password are those of Redis; those of the sentinels, if they
// want any, are the parameters sentinel_username and sentinel_password. Further
// sentinels may also be given as parameters addr, as IPv6 addresses must.
//
// When Redis cannot be asked now, the error wraps queue.ErrUnavailable and
// trying again may help. Every other error is final: a URL or a server that
// will not do, or data laid out by another version.
func Open(ctx context.Context, url string, o Options) (*Queue, error) {
	client, err := connect(url)
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
		client:   client,
		keys:     keys{o.Prefix},
		settings: o.Settings.WithDefaults(),
		replicas: o.Replicas,
		log:      o.Logger,
		quiet:    quiet,
		confirm:  confirmTime,
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
