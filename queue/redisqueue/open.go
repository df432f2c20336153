package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// The driver prints to standard error what it returns as an error anyway.
func init() { logging.Disable() }

// minMajor is the first Redis with script flags, which let a full server still
// finish and release jobs.
const minMajor = 7

// defaultDB is where CartoDB's tooling looks.
const defaultDB = 5

// parseURL turns a URL into connection options. Its errors never show the URL,
// which may hold a password.
func parseURL(raw string) (*redis.Options, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("redisqueue: not a URL")
	}
	switch u.Scheme {
	case "redis", "rediss":
	case "redis+sentinel", "rediss+sentinel":
		return nil, fmt.Errorf("redisqueue: %s:// is not supported yet; give the address of the primary as redis://", u.Scheme)
	default:
		return nil, fmt.Errorf("redisqueue: scheme %q, want redis:// or rediss://", u.Scheme)
	}
	o, err := redis.ParseURL(raw)
	if err != nil {
		return nil, fmt.Errorf("redisqueue: %w", err)
	}
	if strings.Trim(u.Path, "/") == "" && !u.Query().Has("db") {
		o.DB = defaultDB
	}
	o.ContextTimeoutEnabled = true
	// Commands are sent again as a whole, which every script allows; dialling
	// many times for each of them would only hide an outage from the caller.
	o.DialerRetries = 1
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return o, nil
}

// prepare checks that the server will do and that the data is laid out as this
// version knows it.
func (q *Queue) prepare(ctx context.Context) error {
	text, err := q.client.Info(ctx).Result()
	if err != nil {
		return unavailable(ctx, err)
	}
	info := parseInfo(text)
	if err := q.checkServer(info); err != nil {
		return err
	}
	q.checkPersistence(ctx, info)

	if err := q.client.SetNX(ctx, q.keys.layout(), layoutVersion, 0).Err(); err != nil {
		return unavailable(ctx, err)
	}
	found, err := q.client.Get(ctx, q.keys.layout()).Result()
	if err != nil {
		return unavailable(ctx, err)
	}
	if found != layoutVersion {
		return errLayout(found)
	}
	return nil
}

func errLayout(found string) error {
	return fmt.Errorf("redisqueue: the data has layout %q, this version knows only %q", found, layoutVersion)
}

func (q *Queue) checkServer(info map[string]string) error {
	version := info["redis_version"]
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err != nil || n < minMajor {
		return fmt.Errorf("redisqueue: Redis %s, want %d.0 or later", version, minMajor)
	}
	if info["redis_mode"] == "cluster" {
		return errors.New("redisqueue: Redis Cluster is not supported")
	}
	// From INFO, since hosted servers forbid CONFIG.
	policy := info["maxmemory_policy"]
	switch {
	case strings.HasPrefix(policy, "allkeys-"):
		return fmt.Errorf("redisqueue: maxmemory-policy is %s, under which Redis drops jobs; set noeviction", policy)
	case strings.HasPrefix(policy, "volatile-"):
		q.log.Warn("Redis may drop the records of ended jobs before their time; set noeviction", "maxmemory-policy", policy)
	}
	return nil
}

// checkPersistence warns when a restart of Redis would lose jobs.
func (q *Queue) checkPersistence(ctx context.Context, info map[string]string) {
	if info["aof_enabled"] != "0" {
		return
	}
	points, err := q.client.ConfigGet(ctx, "save").Result()
	switch {
	case err != nil: // CONFIG is forbidden: there may be snapshots
		q.log.Warn("the append-only file of Redis is off: what no snapshot holds is lost in a restart")
	case points["save"] == "":
		q.log.Warn("Redis persists nothing: all jobs are lost in a restart; set appendonly yes")
	default:
		q.log.Warn("the append-only file of Redis is off: jobs since the last snapshot are lost in a restart", "save", points["save"])
	}
}

// parseInfo reads the answer to INFO.
func parseInfo(text string) map[string]string {
	info := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			info[name] = value
		}
	}
	return info
}
