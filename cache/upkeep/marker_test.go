package upkeep

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
)

func openFolder(t *testing.T, dir string) cache.Store {
	t.Helper()
	s, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRegister(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	again := func(s cache.Store, url string) Registration {
		t.Helper()
		got, err := Register(ctx, r, s, url)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := again(r.store, r.store.URL); got != (Registration{ID: r.store.ID, Marked: true}) {
		t.Errorf("again it is %+v", got)
	}

	t.Run("another store is another one", func(t *testing.T) {
		other := r.folder(t.TempDir())
		if other.ID == r.store.ID {
			t.Error("it has the number of the first")
		}
	})
	t.Run("a store that has moved", func(t *testing.T) {
		if got := again(r.store, "file:///moved"); got != (Registration{ID: r.store.ID, Marked: true}) {
			t.Errorf("it is %+v, want the same store", got)
		}
		if known, err := lookUp(ctx, r, func(k cache.Registered) bool { return k.ID == r.store.ID }); err != nil || known.URL != "file:///moved" {
			t.Errorf("the catalogue has %+v, %v", known, err)
		}
		again(r.store, r.store.URL)
	})
	t.Run("two stores that have changed places", func(t *testing.T) {
		one, two := r.folder(t.TempDir()), r.folder(t.TempDir())
		if a, b := again(two, one.URL), again(one, two.URL); a.ID != two.ID || b.ID != one.ID || !a.Marked || !b.Marked {
			t.Errorf("they are %+v and %+v, want %d and %d", a, b, two.ID, one.ID)
		}
	})
	t.Run("a store that was away when its URL was new", func(t *testing.T) {
		dir := t.TempDir()
		s := r.folder(dir)
		away := &odd{s.Store, func(string, string) error { return errBroken }}
		got := again(away, "file:///elsewhere")
		if got.Away == nil || got.Marked || got.ID == s.ID {
			t.Errorf("away it is %+v, want a store of its own that cannot be asked", got)
		}
		if got := again(s, "file:///elsewhere"); got != (Registration{ID: s.ID, Marked: true}) {
			t.Errorf("back again it is %+v, want store %d", got, s.ID)
		}
		if stores, _ := r.Stores(ctx); strings.Contains(stores[len(stores)-1].URL, "not there") {
			t.Errorf("a store that never was is left in the catalogue: %+v", stores)
		}
	})
	t.Run("a store that has lost its marker", func(t *testing.T) {
		s := r.folder(t.TempDir())
		if err := s.Delete(ctx, cache.MarkerObject); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got := again(s, s.URL); got.ID != s.ID || got.Marked || !strings.Contains(got.Warning, "lost its marker") {
				t.Errorf("it is %+v, want it with a warning", got)
			}
		}
		if _, err := readMarker(ctx, s); err == nil {
			t.Error("it was marked again")
		}
		wantMarker(t, ours(ctx, r, s))
		if err := RestoreMarker(ctx, r, s); err != nil {
			t.Fatal(err)
		}
		if got := again(s, s.URL); got != (Registration{ID: s.ID, Marked: true}) {
			t.Errorf("with its marker restored it is %+v", got)
		}
	})
	t.Run("a store of another catalogue", func(t *testing.T) {
		s := newRig(t).store
		got := again(s, s.URL)
		if got.Marked || !strings.Contains(got.Warning, "another catalogue") {
			t.Errorf("it is %+v, want a warning", got)
		}
		s.ID = got.ID
		wantMarker(t, ours(ctx, r, s))
		wantMarker(t, RestoreMarker(ctx, r, s))
	})
	t.Run("something else has the marker's name", func(t *testing.T) {
		s := openFolder(t, t.TempDir())
		put(t, s, cache.MarkerObject, []byte("hello"))
		if got := again(s, "file:///hello"); got.Marked || got.Warning == "" {
			t.Errorf("it is %+v, want a warning", got)
		}
	})
	t.Run("a store that was retired, and its marker left", func(t *testing.T) {
		s := r.folder(t.TempDir())
		if err := r.ForgetStore(ctx, s.ID); err != nil {
			t.Fatal(err)
		}
		got := again(s, s.URL)
		if got.ID == s.ID || !got.Marked {
			t.Errorf("it is %+v, want a new store", got)
		}
		s.ID = got.ID
		if err := ours(ctx, r, s); err != nil {
			t.Error(err)
		}
	})
}

// The first version's store is the one that has its files, also when several processes
// open it at once.
func TestRegisterTogether(t *testing.T) {
	r, _ := upgraded(t, 3)
	dir, s := r.dir, r.store.Store
	ids := make(chan Registration, 6)
	for range 6 {
		go func() {
			got, err := Register(context.Background(), r, s, "file://"+dir)
			if err != nil {
				t.Error(err)
			}
			ids <- got
		}()
	}
	first := <-ids
	for range 5 {
		if got := <-ids; got != first || !got.Marked {
			t.Errorf("one has %+v, another %+v", first, got)
		}
	}
	if n := r.count("store"); n != 1 {
		t.Errorf("%d stores are known, want one", n)
	}
	text, err := os.ReadFile(filepath.Join(dir, cache.MarkerObject))
	if err != nil || !strings.Contains(string(text), `"store"`) {
		t.Errorf("the marker is %q, %v", text, err)
	}
}

func TestKnown(t *testing.T) {
	r, ctx := newRig(t), t.Context()
	if got, err := Known(ctx, r, r.store, "file:///wherever"); err != nil || got != (Registration{ID: r.store.ID, Marked: true}) {
		t.Errorf("by its marker it is %+v, %v", got, err)
	}
	if err := r.store.Delete(ctx, cache.MarkerObject); err != nil {
		t.Fatal(err)
	}
	if got, err := Known(ctx, r, r.store, r.store.URL); err != nil || got != (Registration{ID: r.store.ID}) {
		t.Errorf("by its URL it is %+v, %v", got, err)
	}
	before := r.count("store")
	if _, err := Known(ctx, r, openFolder(t, t.TempDir()), "file:///new"); err == nil {
		t.Error("a store that nobody knows is known")
	}
	if r.count("store") != before {
		t.Error("looking has made a store known")
	}
}

// A marker that is very long is not read to its end.
func TestMarkerIsBounded(t *testing.T) {
	s := openFolder(t, t.TempDir())
	w, err := s.Create(t.Context(), cache.MarkerObject, cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, strings.Repeat(" ", maxMarker)+`{"catalog":"x","store":1}`); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := readMarker(t.Context(), s); err == nil {
		t.Error("it was read")
	}
}
