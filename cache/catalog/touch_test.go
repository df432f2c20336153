package catalog

import (
	"sync"
	"testing"
	"time"

	"slashbatch/cache"
)

// Two downloads at once of a file last read over a minute ago: both must find it.
func TestTouchTogether(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _, err := c.Publish(ctx, publication("j", "c", "k", time.Now()))
	if err != nil {
		t.Fatal(err)
	}
	bad := 0
	for range 100 {
		age(t, c, e.Result, 2*time.Minute)
		var wg sync.WaitGroup
		var mu sync.Mutex
		for range 4 {
			wg.Go(func() {
				if err := c.Touch(ctx, e, cache.FormCSV); err != nil {
					mu.Lock()
					bad++
					mu.Unlock()
					t.Log(err)
				}
			})
		}
		wg.Wait()
	}
	if bad > 0 {
		t.Fatalf("%d of 400 touches of a file that is there say it is gone", bad)
	}
}
