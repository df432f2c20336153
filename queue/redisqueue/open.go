package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// minMajor is the first Redis with script flags, which let a full server still
// finish and release jobs.
const minMajor = 7

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
	q.checkReplicas(info)

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

// checkReplicas warns when calls will fail for want of replicas.
func (q *Queue) checkReplicas(info map[string]string) {
	if n, err := strconv.Atoi(info["connected_slaves"]); err == nil && n < q.replicas {
		q.log.Warn("Redis has fewer replicas than must confirm: nothing is queued or claimed until there are more",
			"connected", n, "wanted", q.replicas)
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
