package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// counting is a queue of which only Snapshot works; it takes a while.
type counting struct {
	Queue
	takes time.Duration
	calls int64
	err   error
}

func (c *counting) Snapshot(ctx context.Context) (*Snapshot, error) {
	c.calls++ // the race detector would see two at once
	select {
	case <-time.After(c.takes):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if c.err != nil {
		return nil, c.err
	}
	return &Snapshot{Version: c.calls}, nil
}

func version(t *testing.T, s *Snapshots) int64 {
	t.Helper()
	snap, err := s.Get(t.Context())
	if err != nil {
		t.Error(err)
		return -1
	}
	return snap.Version
}

func TestSnapshotsAreShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &counting{takes: 10 * time.Millisecond}
		s := NewSnapshots(q, 0)
		for range 100 { // one is on its way
			go version(t, s)
		}
		synctest.Wait()
		version(t, s)
		for range 100 { // then there is one
			if v := version(t, s); v != 1 {
				t.Fatalf("version %d, want 1", v)
			}
		}
		time.Sleep(SnapshotEvery - 11*time.Millisecond)
		if v := version(t, s); v != 1 {
			t.Errorf("just before the interval is over: version %d, want 1", v)
		}
		time.Sleep(time.Millisecond)
		if v := version(t, s); v != 2 {
			t.Errorf("after the interval: version %d, want 2", v)
		}
		if q.calls != 2 {
			t.Errorf("%d calls, want 2", q.calls)
		}
	})
}

func TestSnapshotsKeepNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &counting{err: ErrUnavailable}
		s := NewSnapshots(q, time.Second)
		if _, err := s.Get(t.Context()); !errors.Is(err, ErrUnavailable) {
			t.Errorf("%v, want ErrUnavailable", err)
		}
		q.err = nil
		if v := version(t, s); v != 2 {
			t.Errorf("version %d, want 2", v)
		}
	})
}

func TestSnapshotsSurviveACallerThatHangsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSnapshots(&counting{takes: time.Second}, time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		hungUp := make(chan error)
		go func() {
			_, err := s.Get(ctx)
			hungUp <- err
		}()
		synctest.Wait()
		other := make(chan int64)
		go func() { other <- version(t, s) }()
		if err := <-hungUp; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v, want the caller's own deadline", err)
		}
		if v := <-other; v != 1 {
			t.Errorf("the other caller got version %d, want 1", v)
		}
	})
}

func TestSnapshotsGiveUpOnASilentBackend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := &counting{takes: time.Hour}
		s := NewSnapshots(q, 0)
		if _, err := s.Get(t.Context()); err == nil {
			t.Error("no error")
		}
		q.takes = 0
		version(t, s)
	})
}
