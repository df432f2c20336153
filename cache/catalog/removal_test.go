package catalog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// listed puts objects on the list of what is to be removed.
func listed(t *testing.T, c *Catalog, objects ...string) {
	t.Helper()
	change(t, c, `INSERT INTO slashbatch.removal (store, object) SELECT 1, unnest($1::text[])`, objects)
}

var errStuck = errors.New("the store will not have it")

// An object that cannot be removed stays listed, and stands in nobody's way, however many
// such there are; one that has become a file again is left alone.
func TestRemove(t *testing.T) {
	c, ctx := open(t), t.Context()
	var all []string
	for i := range 350 {
		all = append(all, fmt.Sprintf("results/%03d", i))
	}
	listed(t, c, all...)
	p := publication("again", "c", "again", submitted)
	p.File.Object = "results/320"
	publish(t, c, p)
	var mu sync.Mutex
	gone := map[string]bool{}
	stuck := func(object string) bool { return object < "results/230" } // two batches and more
	remove := func(_ context.Context, object string) error {
		if stuck(object) {
			return errStuck
		}
		mu.Lock()
		defer mu.Unlock()
		gone[object] = true
		return nil
	}
	asked := 0
	removed, err := c.Remove(ctx, 1, remove, func(context.Context) bool { asked++; return true })
	if err != nil || removed.Objects != 119 || removed.Failed != 230 || !errors.Is(removed.Reason, errStuck) {
		t.Errorf("%+v, %v; want 119 removed and 230 failed", removed, err)
	}
	if asked != 2 {
		t.Errorf("asked %d times whether the store is to blame, want once for each batch of failures", asked)
	}
	if len(gone) != 119 || gone["results/320"] {
		t.Errorf("%d were deleted, the one that is a file again: %t", len(gone), gone["results/320"])
	}
	if n := count(t, c, "removal"); n != 230 {
		t.Errorf("%d are listed still, want those that failed", n)
	}

	// A store that is away is not asked for all of them.
	tries := 0
	if _, err := c.Remove(ctx, 1, func(context.Context, string) error {
		mu.Lock()
		defer mu.Unlock()
		tries++
		return errStuck
	}, func(context.Context) bool { return false }); err != nil || tries != 100 {
		t.Errorf("%d tries, %v; want those of one batch", tries, err)
	}
	stuck = func(string) bool { return false }
	if removed, err := c.Remove(ctx, 1, remove, nil); err != nil || removed.Objects != 230 || count(t, c, "removal") != 0 {
		t.Errorf("the next time %+v, %v", removed, err)
	}
}

// Two processes share the work, and no object is deleted by both.
func TestRemoveTogether(t *testing.T) {
	c := open(t)
	for i := range 5 {
		var some []string
		for j := range 100 {
			some = append(some, fmt.Sprintf("results/%d.%d", i, j))
		}
		listed(t, c, some...)
	}
	var mu sync.Mutex
	times := map[string]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := c.Remove(context.Background(), 1, func(_ context.Context, object string) error {
				mu.Lock()
				defer mu.Unlock()
				times[object]++
				return nil
			}, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	twice := 0
	for _, n := range times {
		if n > 1 {
			twice++
		}
	}
	if len(times) != 500 || twice > 0 {
		t.Errorf("%d objects were deleted, %d of them twice; want 500 once", len(times), twice)
	}
}

// Who is about to write an object again waits until its removal is over.
func TestIntendWaitsForRemoval(t *testing.T) {
	c, ctx := open(t), t.Context()
	target, _, err := c.StoreByURL(ctx, "file:///two")
	if err != nil {
		t.Fatal(err)
	}
	publish(t, c, publication("j", "c", "k", submitted))
	files, err := c.ToCopy(ctx, 1, target, 0, 10)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	change(t, c, `INSERT INTO slashbatch.removal (store, object) VALUES ($1, $2)`, target, files[0].Object)
	removing, intended := make(chan struct{}), make(chan struct{})
	var ended atomic.Bool
	go func() {
		defer close(intended)
		<-removing
		if ok, err := c.Intend(ctx, files[0], 1, target); !ok || err != nil {
			t.Error(ok, err)
		}
		if !ended.Load() {
			t.Error("the file may be written while its object is being removed")
		}
	}()
	if _, err := c.Remove(ctx, target, func(ctx context.Context, _ string) error {
		close(removing)
		// Until it waits for us.
		for waiting := 0; waiting == 0 && ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
			if err := c.one(ctx, &waiting, `SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`); err != nil {
				return err
			}
		}
		ended.Store(true)
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	<-intended
	if n := count(t, c, "removal"); n != 0 {
		t.Errorf("%d objects are listed still", n)
	}
}

// A chore is done by one of those who ask for it, and again when its time has come.
func TestChores(t *testing.T) {
	c, ctx := open(t), t.Context()
	claim := func(worker string, every, first time.Duration) bool {
		t.Helper()
		due, err := c.ClaimChore(ctx, "walk", worker, every, first)
		if err != nil {
			t.Fatal(err)
		}
		return due
	}
	if claim("a", time.Hour, time.Hour) {
		t.Error("a new chore is due at once, not after an hour")
	}
	change(t, c, `UPDATE slashbatch.chore SET due = now()`)
	var mu sync.Mutex
	var wg sync.WaitGroup
	winners := []string{}
	for i := range 8 {
		wg.Go(func() {
			worker := fmt.Sprint("w", i)
			if claim(worker, time.Hour, 0) {
				mu.Lock()
				defer mu.Unlock()
				winners = append(winners, worker)
			}
		})
	}
	wg.Wait()
	if len(winners) != 1 {
		t.Fatalf("%v do it at once", winners)
	}
	if err := c.EndChore(ctx, "walk", "another", "wrong", 0); err != nil {
		t.Fatal(err)
	}
	if claim("b", time.Hour, 0) {
		t.Error("it is due again before its time")
	}
	if err := c.EndChore(ctx, "walk", winners[0], "all is well", 0); err != nil {
		t.Fatal(err)
	}
	var report string
	if err := c.one(ctx, &report, `SELECT report FROM slashbatch.chore`); err != nil || report != "all is well" {
		t.Errorf("the report is %q, %v", report, err)
	}
	if !claim("b", time.Hour, 0) {
		t.Error("it is not due again, though that was asked for")
	}
}
