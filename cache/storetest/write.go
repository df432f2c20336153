package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"slashbatch/cache"
)

// testVisibility: nothing is visible before Commit, everything after it, and
// never anything after Abort.
func testVisibility(t *testing.T, s cache.Store) {
	w := create(t, s, "dir/committed")
	if _, err := w.Write([]byte("hello ")); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, s, "dir/committed")
	if _, err := w.Write([]byte("world")); err != nil {
		t.Fatal(err)
	}
	expectNothing(t, s, "dir/committed")
	commit(t, w, "dir/committed", 11)
	expect(t, s, "dir/committed", []byte("hello world"))

	w = create(t, s, "dir/aborted")
	if _, err := w.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatalf("Abort: %v", err)
	}
	expectNothing(t, s, "dir/aborted")

	put(t, s, "empty", nil)
	expect(t, s, "empty", nil)

	w = create(t, s, "never-written")
	commit(t, w, "never-written", 0)
	expect(t, s, "never-written", nil)
}

// testReplace: Commit replaces, an aborted writer does not, and of two writers
// the last to commit wins.
func testReplace(t *testing.T, s cache.Store) {
	put(t, s, "a", []byte("first, and longer"))
	put(t, s, "a", []byte("second"))
	expect(t, s, "a", []byte("second"))

	w := create(t, s, "a")
	if _, err := w.Write([]byte("third")); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	expect(t, s, "a", []byte("second"))

	early, late := create(t, s, "a"), create(t, s, "a")
	for w, text := range map[cache.Writer]string{early: "early", late: "later"} {
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, late, "a", 5)
	commit(t, early, "a", 5)
	expect(t, s, "a", []byte("early"))
	if got := names(t, s, ""); len(got) != 1 {
		t.Fatalf("List = %q, want only a", got)
	}
}

// testAllOrNothing: readers that run while an object is replaced over and over
// see one version or another, never a mixture, a part or a gap. A store may
// notice that the object changed under a reader and say so; that reader tries
// again, and whoever reads when nothing changes any more succeeds.
func testAllOrNothing(t *testing.T, s cache.Store) {
	const size, versions = 100_000, 20
	version := func(i int) []byte { return bytes.Repeat([]byte{'a' + byte(i)}, size) }
	put(t, s, "v", version(0))

	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() {
			for reads := 0; ; reads++ {
				quiet := ended(done)
				got, o, err := read(t.Context(), s, "v", 0, -1)
				if errors.Is(err, cache.ErrUnavailable) && !quiet {
					continue
				}
				if err != nil {
					t.Errorf("while it is replaced: %v", err)
					return
				}
				if len(got) != size || o.Size != size || bytes.Count(got, got[:1]) != size {
					t.Errorf("read a mixture: %d bytes, announced %d, beginning with %q", len(got), o.Size, got[:min(1, len(got))])
					return
				}
				if quiet {
					return
				}
			}
		})
	}
	for i := range versions {
		put(t, s, "v", version(i))
	}
	close(done)
	readers.Wait()
}

// testEndOfWriter: one of Commit and Abort ends a writer, and nothing that is
// called afterwards does anything.
func testEndOfWriter(t *testing.T, s cache.Store) {
	w := create(t, s, "committed")
	if _, err := w.Write([]byte("kept")); err != nil {
		t.Fatal(err)
	}
	commit(t, w, "committed", 4)
	if n, err := w.Write([]byte("more")); err == nil || n != 0 {
		t.Errorf("Write after Commit = %d, %v, want an error", n, err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("the second Commit succeeded")
	}
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("Abort after Commit: %v", err)
		}
	}
	expect(t, s, "committed", []byte("kept"))

	w = create(t, s, "aborted")
	for range 2 {
		if err := w.Abort(); err != nil {
			t.Errorf("Abort: %v", err)
		}
	}
	if n, err := w.Write([]byte("more")); err == nil || n != 0 {
		t.Errorf("Write after Abort = %d, %v, want an error", n, err)
	}
	if _, err := w.Commit(t.Context()); err == nil {
		t.Error("Commit after Abort succeeded")
	}
	expectNothing(t, s, "aborted")
}

// testContext: a writer whose context ends leaves nothing, whether it is a
// small object or one whose beginning is on its way already, and whether or not
// its owner still calls Abort.
func testContext(t *testing.T, s cache.Store) {
	for _, size := range []int{10, 20 << 20} {
		if size > 1<<20 && testing.Short() {
			continue
		}
		for _, then := range []string{"Write", "Commit", "Abort", "nothing"} {
			name := fmt.Sprintf("%d-bytes-then-%s", size, then)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w, err := s.Create(ctx, name, cache.ObjectOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write(make([]byte, size)); err != nil {
				t.Fatal(err)
			}
			cancel()
			switch then {
			case "Write":
				if _, err := w.Write([]byte("x")); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: Write after the end of the context = %v, want context.Canceled", name, err)
				}
			case "Commit":
				if _, err := w.Commit(t.Context()); !errors.Is(err, context.Canceled) {
					t.Errorf("%s: Commit after the end of the context = %v, want context.Canceled", name, err)
				}
			case "Abort":
				if err := w.Abort(); err != nil {
					t.Errorf("%s: Abort after the end of the context: %v", name, err)
				}
			}
			if then != "Abort" {
				if _, err := w.Commit(t.Context()); err == nil {
					t.Errorf("%s: Commit succeeded after all", name)
				}
			}
			expectNothing(t, s, name)
		}
	}

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	w := create(t, s, "commit-context")
	if _, err := w.Commit(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit with an ended context = %v, want context.Canceled", err)
	}
	expectNothing(t, s, "commit-context")

	put(t, s, "a", []byte("a"))
	if _, err := s.Create(ended, "b", cache.ObjectOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Create with an ended context = %v, want context.Canceled", err)
	}
	if _, err := s.Stat(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Stat with an ended context = %v, want context.Canceled", err)
	}
	if _, _, err := read(ended, s, "a", 0, -1); !errors.Is(err, context.Canceled) {
		t.Errorf("Open with an ended context = %v, want context.Canceled", err)
	}
	if err := s.Delete(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete with an ended context = %v, want context.Canceled", err)
	}
	for _, err := range s.List(ended, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List with an ended context yields %v, want context.Canceled", err)
		}
	}
	expect(t, s, "a", []byte("a"))
}

// testManyWriters: writers do not get in each other's way, also in one folder
// that does not exist yet and disappears in between.
func testManyWriters(t *testing.T, s cache.Store) {
	const writers, rounds = 16, 5
	content := func(i, round int) []byte {
		return bytes.Repeat(fmt.Appendf(nil, "writer %d round %d\n", i, round), 1000+i)
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for round := range rounds {
				name := fmt.Sprintf("many/%d", i)
				w, err := s.Create(t.Context(), name, cache.ObjectOptions{})
				if err != nil {
					t.Errorf("Create: %v", err)
					return
				}
				defer w.Abort()
				for line := range bytes.Lines(content(i, round)) {
					if _, err := w.Write(line); err != nil {
						t.Errorf("Write: %v", err)
						return
					}
				}
				if _, err := w.Commit(t.Context()); err != nil {
					t.Errorf("Commit: %v", err)
					return
				}
				if got, _, err := read(t.Context(), s, name, 0, -1); err != nil || !bytes.Equal(got, content(i, round)) {
					t.Errorf("%s in round %d: %v, or it holds something else: %s", name, round, err, abridged(got))
					return
				}
				if round < rounds-1 {
					if err := s.Delete(t.Context(), name); err != nil {
						t.Errorf("Delete: %v", err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	if got := names(t, s, "many/"); len(got) != writers && !t.Failed() {
		t.Errorf("%d objects are left, want %d: %q", len(got), writers, got)
	}
}

// ended reports whether the channel is closed.
func ended(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
