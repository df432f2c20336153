package upkeep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"
)

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (r *rig) keeper(log *syncBuffer, worker string) *Keeper {
	return NewKeeper(Options{
		Ledger: r.Catalog, Stores: func() []Store { return []Store{r.store} }, Worker: worker, Log: slog.New(slog.NewTextHandler(log, nil)),
		Retention: cache.Retention{Grace: time.Minute, Results: time.Hour, Runs: time.Hour}, Longest: time.Minute,
		TidyEvery: 20 * time.Millisecond, TempsEvery: 20 * time.Millisecond, WalkEvery: 20 * time.Millisecond,
	})
}

// eventually polls until ok says yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// The keepers of a fleet do all chores, tell what they did, and end when they are told.
func TestKeeper(t *testing.T) {
	r := newRig(t)
	r.some(25)
	r.settle()
	r.old("results/orphan", time.Hour)
	r.change(`UPDATE slashbatch.result SET accessed = now() - interval '1 year' WHERE id IN (SELECT result FROM slashbatch.request WHERE key = 'k001')`)
	r.change(`UPDATE slashbatch.request SET expires = now() WHERE key = 'k001'`)
	if err := r.store.Delete(t.Context(), "results/k002.c.csv.gz"); err != nil {
		t.Fatal(err)
	}
	log := &syncBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for i := range 3 {
		running.Go(func() { r.keeper(log, fmt.Sprint("worker", i)).Run(ctx) })
	}
	eventually(t, "orphan and evicted file are gone", func() bool { return len(r.objects(r.store)) == 23 && r.count("removal") == 0 })
	eventually(t, "the missing file is marked", func() bool { return r.count(`location WHERE state = 'missing'`) == 1 })
	stop()
	running.Wait()
	r.agree(r.store, 23)
	for _, want := range []string{"1 old results evicted", "objects removed", "1 files marked as missing", "1 orphans listed"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not tell of %q:\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "WARN") {
		t.Errorf("the log:\n%s", log)
	}
	if n := r.count("chore"); n != 3 {
		t.Errorf("%d chores are known, want 3", n)
	}
}

// With nothing to do nothing is logged.
func TestKeeperIsQuiet(t *testing.T) {
	r := newRig(t)
	r.some(3)
	r.settle()
	log := &syncBuffer{}
	k := r.keeper(log, "worker")
	for _, c := range k.chores {
		c.first = 0
		k.once(t.Context(), c)
	}
	if log.String() != "" || r.count("chore") != 3 {
		t.Errorf("the log of %d chores:\n%s", r.count("chore"), log)
	}
}

// What goes wrong is told, noted, and tried again sooner than else.
func TestKeeperFails(t *testing.T) {
	r := newRig(t)
	r.some(3)
	r.settle()
	log := &syncBuffer{}
	k := r.keeper(log, "worker")
	fail := errors.New("the roof is on fire")
	walk := chore{"walk", 240 * time.Hour, 0, func(context.Context) (string, error) { return "half", fail }, true}
	k.once(t.Context(), walk)
	if n := r.count(`chore WHERE report = 'half; the roof is on fire' AND due BETWEEN now() + interval '9 hours' AND now() + interval '11 hours'`); n != 1 {
		t.Error("it is not noted as to be done again in a 24th of its time")
	}
	if !strings.Contains(log.String(), "roof") {
		t.Errorf("the log:\n%s", log)
	}
	r.change(`UPDATE slashbatch.chore SET due = now()`)
	walk.do = func(context.Context) (string, error) { panic("oh no") }
	k.once(t.Context(), walk)
	if n := r.count(`chore WHERE report = 'panic: oh no'`); n != 1 || !strings.Contains(log.String(), "oh no") {
		t.Error("a panic is not told")
	}
	r.change(`UPDATE slashbatch.chore SET due = now()`)
	ctx, stop := context.WithCancel(t.Context())
	walk.do = func(context.Context) (string, error) { stop(); return "", ctx.Err() }
	k.once(ctx, walk)
	if n := r.count(`chore WHERE report = 'interrupted' AND due <= now()`); n != 1 {
		t.Error("an interrupted chore is not due at once")
	}
}

// The first walk over a store that is used for the first time comes later.
func TestFirstWalkIsLater(t *testing.T) {
	r := newRig(t)
	k := NewKeeper(Options{Ledger: r, Stores: func() []Store { return []Store{r.store} }, Log: slog.New(slog.DiscardHandler)})
	for _, c := range k.chores {
		k.once(t.Context(), c)
	}
	if n := r.count(`chore WHERE name = 'walk' AND due BETWEEN now() + interval '5 hours' AND now() + interval '19 hours'`); n != 1 {
		t.Error("the walk is not due hours later")
	}
}

// A process that sees none of its stores leaves to others what is to be done in them, and
// says so once.
func TestKeeperThatSeesNoStore(t *testing.T) {
	r := newRig(t)
	r.some(3)
	log := &syncBuffer{}
	k := r.keeper(log, "blind")
	lost := Store{Store: openFolder(t, t.TempDir()), ID: r.store.ID, URL: r.store.URL}
	k.Stores = func() []Store { return []Store{lost} }
	for range 2 {
		for _, c := range k.chores {
			c.first = 0
			k.once(t.Context(), c)
		}
	}
	if n := r.count(`chore WHERE name IN ('walk', 'temps')`); n > 0 {
		t.Errorf("it has claimed %d chores", n)
	}
	if n := strings.Count(log.String(), "has no marker"); n != 1 {
		t.Errorf("it says so %d times:\n%s", n, log)
	}
	k.Stores = func() []Store { return []Store{lost, r.store} }
	for _, c := range k.chores {
		c.first = 0
		k.once(t.Context(), c)
	}
	if n := r.count(`chore WHERE name IN ('walk', 'temps')`); n != 2 {
		t.Errorf("with one that it sees it has claimed %d chores", n)
	}
}
