package jobs

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// mallory, whose list is full, asks for a form of alice's run first; then alice does.
func TestWishOfAFullList(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	filler := s.request("filler", Post)
	filler.User, filler.QueuedCap = "mallory", 1
	filler.Plan.SQL = "SELECT pg_sleep(20)"
	filler.RunningCap = 1
	if _, err := service.Submit(t.Context(), filler); err != nil { // runs
		t.Fatal(err)
	}
	second := filler
	second.Plan.Key, second.QueuedCap = "filler2", 100
	if _, err := service.Submit(t.Context(), second); err != nil { // waits behind it
		t.Fatal(err)
	}
	r := s.request("k", Post)
	r.QueuedCap = 100
	status, err := service.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	// mallory joins and wishes; nothing counts against a cap
	m := r
	m.User, m.QueuedCap, m.RunningCap, m.Form = "mallory", 1, 1, ndjson
	if _, err := service.Submit(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	a := r
	a.Form = ndjson
	if _, err := service.Submit(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	_, kill, _ := s.start(t)
	defer kill()
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
	got, err := service.StatusOfKey(t.Context(), "k", false, ndjson)
	if err != nil || got.Word == WordUnknown {
		t.Errorf("alice's file: %s, %v; %d wishes left", got.Word, err, s.rowsOf(t, "wish"))
	}
}

// bob wishes first, alice second; bob leaves the job that makes the file.
func TestFirstWisherLeaves(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	r := s.request("k", Post)
	status, err := service.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"bob", "alice"} {
		w := r
		w.User, w.Form = user, ndjson
		if _, err := service.Submit(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	// The run ends, and nobody has claimed the file's job yet.
	s.queue.fault = func(op string, call func() error) error {
		if op == "claim" {
			if _, err := s.queue.Queue.ByKey(context.Background(), "variant:1.ndjson"); err == nil {
				return queue.ErrUnavailable
			}
		}
		return nil
	}
	stop, _, ended := s.start(t)
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
	stop()
	<-ended
	s.queue.fault = func(string, func() error) error { return nil }
	job, err := service.FileJob(t.Context(), "k", ndjson)
	if err != nil {
		t.Fatal(err)
	}
	if waits, _ := service.Waits(t.Context(), job.ID, "alice"); !waits {
		t.Errorf("alice, who asked for the file, is no waiter of its job")
	}
	left, err := service.LeaveFile(t.Context(), "k", ndjson, "bob")
	got, _ := service.StatusOfKey(t.Context(), "k", false, ndjson)
	t.Logf("bob leaves: %s %v; alice's status: %s", left.Word, err, got.Word)
	if got.Word.Final() && got.Word != WordCompleted {
		t.Errorf("alice's file is %s", got.Word)
	}
}

// unreadable is a store in which some objects cannot be read to their ends.
type unreadable struct {
	cache.Store
	prefix string
	opened atomic.Int32
}

func (u *unreadable) Open(ctx context.Context, name string, o, n int64) (io.ReadCloser, cache.Object, error) {
	if strings.HasPrefix(name, u.prefix) {
		u.opened.Add(1)
		return nil, cache.Object{}, fmt.Errorf("%w: AccessDenied", cache.ErrUnavailable)
	}
	return u.Store.Open(ctx, name, o, n)
}

// An object that never can be read: checksum mismatch, no permission, a disk's bad block.
func TestUnreadableObject(t *testing.T) {
	for _, tt := range []struct{ name, prefix string }{{"premade", "premade/"}, {"variant", "results/"}} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t)
			bad := &unreadable{Store: s.store, prefix: tt.prefix}
			s.Store = bad
			service := s.service()
			r := s.request("k", Post)
			if tt.name == "premade" {
				w, err := s.store.Create(t.Context(), "premade/k.csv", cache.ObjectOptions{})
				if err != nil {
					t.Fatal(err)
				}
				_, _ = io.WriteString(w, "n\n1\n")
				if _, err := w.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else {
				r.Form = ndjson
			}
			if _, err := service.Submit(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			s.start(t)
			for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
				got, err := service.StatusOfKey(t.Context(), "k", false, r.Form)
				if err != nil || time.Now().After(end) {
					t.Fatalf("after %d attempts: %s, %v", bad.opened.Load(), got.Word, err)
				}
				if got.Word == WordFailed {
					break
				}
			}
		})
	}
}

// The csv is evicted while a file that was asked for waits to be made from it.
func TestKeptWhileFileWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	r := s.request("k", Post)
	status, err := service.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	stop, _, ended := s.start(t)
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
	stop()
	<-ended
	for _, table := range []string{"result", "request", "variant"} {
		if _, err := s.pool.Exec(t.Context(), "UPDATE slashbatch."+table+" SET accessed = now() - interval '25 hours'"); err != nil {
			t.Fatal(err)
		}
	}
	r.Form, r.Method = ndjson, Get
	if status, err = service.Submit(t.Context(), r); err != nil || status.Word != WordPending {
		t.Fatal(status.Word, err)
	}
	freed, err := s.Catalog.(interface {
		Evict(context.Context, cache.Retention) (cache.Freed, error)
	}).Evict(t.Context(), cache.Retention{Grace: 24 * time.Hour, Results: 168 * time.Hour, Runs: time.Hour, MaxBytes: 1})
	if err != nil || freed.Results() > 0 {
		t.Errorf("the result that a file is just being made of was evicted: %+v, %v", freed, err)
	}
	s.start(t)
	s.await(t, status.Job.ID, queue.Done, 10*time.Second)
}

// An object was deleted from the store by hand; nobody has asked for it since. A run of another
// request comes to the same rows (an empty table, say), and throws its good file away for it.
func TestRowsAreNotGivenUpForAGoneFile(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	service := s.service()
	s.start(t)
	run := func(key string) Status {
		status, err := service.Submit(t.Context(), s.request(key, Post))
		if err != nil {
			t.Fatal(err)
		}
		s.await(t, status.Job.ID, queue.Done, 10*time.Second)
		return status
	}
	run("k1")
	e, err := s.Catalog.ByKey(t.Context(), "k1")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.store.Delete(t.Context(), e.File.Object); err != nil {
		t.Fatal(err)
	}
	run("k2")
	// a server that has not looked at the object within the last minute
	got, err := s.service().StatusOfKey(t.Context(), "k2", false, rows.Form{})
	if err != nil || got.Word != WordCompleted {
		t.Errorf("the run has just ended well: %s, %v", got.Word, err)
	}
}
