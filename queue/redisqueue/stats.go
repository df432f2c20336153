package redisqueue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/queue"
)

// statsPage is about how many lists Stats looks at in one step, which Redis
// serves in some hundred microseconds, so that it holds up nobody.
const statsPage = 100

// Stats implements queue.Queue. It goes through the lists in many short steps; a
// list that comes or goes meanwhile may be counted or not.
func (q *Queue) Stats(ctx context.Context) (*queue.Stats, error) {
	var (
		clock            *redis.TimeCmd
		paused           *redis.IntCmd
		sources, workers *redis.MapStringStringCmd
	)
	_, err := q.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		clock = p.Time(ctx)
		paused = p.Exists(ctx, q.keys.paused())
		sources = p.HGetAll(ctx, q.keys.sources())
		workers = p.HGetAll(ctx, q.keys.workers())
		return nil
	})
	if err != nil {
		return nil, unavailable(ctx, err)
	}
	lists, err := q.lists(ctx)
	if err != nil {
		return nil, err
	}

	var r reader
	s := &queue.Stats{
		Now:    clock.Val().UTC().Truncate(time.Millisecond),
		Paused: paused.Val() == 1,
		Lanes:  map[queue.Lane]queue.LaneStats{},
	}
	s.Sources = decodeSources(&r, sources.Val())
	s.Workers = decodeWorkers(&r, workers.Val(), s.Now)
	heads := map[queue.Lane][]string{}
	for _, lane := range queue.Lanes {
		s.Lanes[lane] = queue.LaneStats{}
	}
	for list, record := range lists {
		_, lane := r.list(list)
		n := r.leading(record, 3) // pending running delayed
		l := s.Lanes[lane]
		l.Lists++
		l.Pending, l.Running, l.Delayed = l.Pending+int(n[0]), l.Running+int(n[1]), l.Delayed+int(n[2])
		s.Lanes[lane] = l
		if n[0] > 0 {
			heads[lane] = append(heads[lane], list)
		}
	}
	if r.err != nil {
		return nil, fmt.Errorf("%w: stats: %w", queue.ErrUnavailable, r.err)
	}
	for lane, lists := range heads {
		l := s.Lanes[lane]
		if l.Oldest, err = q.oldest(ctx, lists); err != nil {
			return nil, err
		}
		s.Lanes[lane] = l
	}
	return s, nil
}

// lists reads the records of all lists with work.
func (q *Queue) lists(ctx context.Context) (map[string]string, error) {
	records := map[string]string{} // a scan may see one twice
	var cursor uint64
	for {
		page, next, err := q.client.HScan(ctx, q.keys.index(), cursor, "", statsPage).Result()
		if err != nil {
			return nil, unavailable(ctx, err)
		}
		for i := 0; i+1 < len(page); i += 2 {
			records[page[i]] = page[i+1]
		}
		if cursor = next; cursor == 0 {
			return records, nil
		}
	}
}

// oldest is when the job was submitted that has waited longest at the head of
// one of these lists; zero when they have all become empty.
func (q *Queue) oldest(ctx context.Context, lists []string) (time.Time, error) {
	var first time.Time
	for page := range slices.Chunk(lists, statsPage) {
		heads, err := q.each(ctx, page, func(p redis.Pipeliner, list string) *redis.StringCmd {
			return p.LIndex(ctx, q.keys.pending(list), -1)
		})
		if err != nil {
			return first, err
		}
		created, err := q.each(ctx, heads, func(p redis.Pipeliner, id string) *redis.StringCmd {
			return p.HGet(ctx, q.keys.job(id), "created")
		})
		if err != nil {
			return first, err
		}
		var r reader
		for _, ms := range created {
			if at := r.time(ms); first.IsZero() || at.Before(first) {
				first = at
			}
		}
		if r.err != nil {
			return first, fmt.Errorf("%w: stats: %w", queue.ErrUnavailable, r.err)
		}
	}
	return first, nil
}

// each asks for one string about each of some names, in one round trip, and
// leaves out those that are not there.
func (q *Queue) each(ctx context.Context, names []string, ask func(redis.Pipeliner, string) *redis.StringCmd) ([]string, error) {
	var answers []string
	if len(names) == 0 {
		return nil, nil
	}
	commands, _ := q.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, name := range names {
			ask(p, name)
		}
		return nil
	})
	for _, c := range commands {
		answer, err := c.(*redis.StringCmd).Result()
		switch {
		case err == nil:
			answers = append(answers, answer)
		case !errors.Is(err, redis.Nil):
			return nil, unavailable(ctx, err)
		}
	}
	return answers, nil
}

// decodeSources reads "running:{source}" and "capacity:{source}". A job may do
// without a source, which then counts only when it is limited.
func decodeSources(r *reader, fields map[string]string) map[string]queue.SourceStats {
	sources := map[string]queue.SourceStats{}
	for field, n := range fields {
		kind, name, _ := strings.Cut(field, ":")
		s, ok := sources[name]
		if !ok {
			s.Capacity = -1
		}
		switch kind {
		case "running":
			s.Running = int(r.integer(n))
		case "capacity":
			s.Capacity = int(r.integer(n))
		}
		sources[name] = s
	}
	maps.DeleteFunc(sources, func(name string, s queue.SourceStats) bool { return name == "" && s.Capacity < 0 })
	return sources
}
