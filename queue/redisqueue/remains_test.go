package redisqueue

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/internal/testenv"
	"slashbatch/queue/queuetest"
)

// TestNothingRemains drains a random run of jobs in all ways they can end, and
// lets everything expire: no key may remain but the fixed small ones.
func TestNothingRemains(t *testing.T) {
	url := testenv.Redis(t)
	q := open(t, url, Options{Settings: queuetest.Remains})
	c := client(t, url)
	defer c.Close()
	queuetest.Drain(t, q)

	want := []string{"estimates", "layout", "seq", "sources", "swept"}
	var left []string
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := q.Sweep(t.Context()); err != nil { // forgets the worker and the histories
			t.Fatal(err)
		}
		var err error
		if left, err = c.Keys(t.Context(), q.keys.prefix+":*").Result(); err != nil {
			t.Fatal(err)
		}
		for i := range left {
			left[i] = strings.TrimPrefix(left[i], q.keys.prefix+":")
		}
		slices.Sort(left)
		if slices.Equal(left, want) {
			break
		}
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("keys that remain (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{"capacity:s1": "2"}, c.HGetAll(t.Context(), q.keys.sources()).Val()); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if n := c.HLen(t.Context(), q.keys.prefix+":estimates").Val(); n != 2 {
		t.Errorf("%d classes were learned, want 2", n)
	}
}
