package blackbox

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/testenv"

	"github.com/redis/go-redis/v9"
)

// Finished records go after a while, others never. A record's time to live is that
// of its key in Redis.
func TestCartoC241Retention(t *testing.T) {
	t.Parallel()
	shared := with(redisQueue(t), map[string]any{"batch.retention.jobs": "1h"})
	s := newSite(t, shared)
	options, err := redis.ParseURL(testenv.Redis(t))
	if err != nil {
		t.Fatal(err)
	}
	options.DB = 5 // the default
	store := redis.NewClient(options)
	defer store.Close()
	record := func(j sqlJob) string { return shared["queue.prefix"].(string) + ":jobs:" + j.JobID }
	t.Run("C-241 finished jobs expire", func(t *testing.T) {
		s := s.in(t)
		ctx := context.Background()
		open := shut(t, s.db)
		defer open()
		done, failed := s.run(simple(t, "select 1 as a")), s.run(toJSON(t, q(nx, "", "select 1")))
		running := s.waitStates(s.create(vizzuality, toJSON(t, q("select 1", "select pg_advisory_xact_lock_shared(42)", ""))), "done/running")
		pending, cancelled := s.create(vizzuality, simple(t, "select 1")), s.create(vizzuality, simple(t, "select 1"))
		s.cancelled(cancelled)
		ttl := func(j sqlJob) time.Duration {
			left, err := store.PTTL(ctx, record(j)).Result()
			if err != nil {
				t.Fatal(err)
			}
			return left
		}
		for name, j := range map[string]sqlJob{"done": done, "failed": failed, "cancelled": cancelled} {
			s.eventually("the record of the "+name+" job expires", func() bool { left := ttl(j); return left > 0 && left <= time.Hour })
		}
		for name, j := range map[string]sqlJob{"running its last fallback": running, "pending": pending} {
			if left := ttl(j); left >= 0 {
				t.Errorf("%s: expires in %v", name, left)
			}
		}
		if err := store.PExpire(ctx, record(done), time.Millisecond).Err(); err != nil {
			t.Fatal(err)
		}
		s.eventually("the record is gone", func() bool {
			return s.do(http.MethodGet, jobsPath+"/"+done.JobID, as(vizzuality)).code != http.StatusOK
		})
		for path, method := range map[string]string{"": http.MethodGet, " ": http.MethodDelete, "/result": http.MethodGet} {
			s.ask(method, jobsPath+"/"+done.JobID+strings.TrimSpace(path), as(vizzuality)).wantError(t, http.StatusBadRequest, "Job with id "+done.JobID+" not found")
		}
		if ids, _ := s.pages(vizzuality, jobsPath, func() {}); slices.Contains(ids, done.JobID) || len(ids) != 4 {
			t.Errorf("listed: %v", ids)
		}
	})
	t.Run("C-234 no credential is written", func(t *testing.T) {
		s := s.in(t)
		everything := dump(t, store, shared["queue.prefix"].(string))
		if !strings.Contains(everything, "nonexistent_table") {
			t.Fatal("the jobs are not in the dump")
		}
		for _, secret := range []string{s.world.password, masterKeys[cartodb250], digest("1234"), "postgres://"} {
			if strings.Contains(everything, secret) || strings.Contains(s.log.String(), secret) {
				t.Errorf("%q is in Redis or in the log", secret)
			}
		}
	})
}

// dump is all that Redis holds under a prefix, as text.
func dump(t *testing.T, store *redis.Client, prefix string) string {
	t.Helper()
	var b strings.Builder
	keys := store.Scan(t.Context(), 0, prefix+"*", 1000).Iterator()
	for keys.Next(t.Context()) {
		value, err := store.Dump(t.Context(), keys.Val()).Result()
		if errors.Is(err, redis.Nil) {
			continue // it expired meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		b.WriteString(keys.Val() + " " + value + "\n")
		if fields, err := store.HGetAll(t.Context(), keys.Val()).Result(); err == nil {
			for name, field := range fields {
				b.WriteString(name + "=" + field + "\n")
			}
		}
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}
