package redisqueue

import (
	"fmt"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// TestStatsOfManyLists counts more lists than Redis gives in one step.
func TestStatsOfManyLists(t *testing.T) {
	q := open(t, testenv.Redis(t), Options{})
	const lists = 1500
	var first time.Time
	for i := range lists {
		s := submission(fmt.Sprint("user", i))
		s.Lane = queue.Lanes[i%2]
		for range 1 + i%3 {
			s.ID = submission("").ID
			e, err := q.Enqueue(t.Context(), s)
			if err != nil {
				t.Fatal(err)
			}
			if s.Lane == queue.LaneExport && first.IsZero() {
				first = e.Job.Submitted
			}
		}
	}
	pages, cursor := 0, uint64(0)
	for pages == 0 || cursor != 0 {
		pages++
		_, next, err := q.client.HScan(t.Context(), q.keys.index(), cursor, "", statsPage).Result()
		if err != nil {
			t.Fatal(err)
		}
		cursor = next
	}
	if pages < 3 {
		t.Fatalf("the lists come in %d steps: the test has lost its point", pages)
	}
	s, err := q.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, lane := range queue.Lanes {
		if n := s.Lanes[lane]; n.Lists != lists/2 || n.Pending != lists || n.Running != 0 || n.Delayed != 0 {
			t.Errorf("lane %s: %+v, want %d lists with %d jobs", lane, n, lists/2, lists)
		}
	}
	if got := s.Lanes[queue.LaneExport].Oldest; !got.Equal(first) {
		t.Errorf("oldest %v, want %v", got, first)
	}
}
