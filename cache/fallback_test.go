package cache_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
	"slashbatch/cache/storetest"
)

func folder(t *testing.T) cache.Store {
	t.Helper()
	s, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Whatever is behind it, it is a store like any other.
func TestFallbackIsAStore(t *testing.T) {
	storetest.Run(t, "file", func(t *testing.T) cache.Store { return cache.Fallback(folder(t), folder(t), folder(t)) })
}

func TestFallback(t *testing.T) {
	ctx := t.Context()
	first, second, third := folder(t), folder(t), folder(t)
	put := func(s cache.Store, name, content string) {
		t.Helper()
		w, err := s.Create(ctx, name, cache.ObjectOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err := io.WriteString(w, content); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Commit(ctx); err != nil {
			t.Fatal(err)
		}
	}
	read := func(s cache.Store, name string) (string, error) {
		body, _, err := s.Open(ctx, name, 0, -1)
		if err != nil {
			return "", err
		}
		defer body.Close()
		text, err := io.ReadAll(body)
		return string(text), err
	}
	put(first, "both", "first")
	put(second, "both", "second")
	put(second, "old", "from the second")
	put(third, "older", "from the third")
	f := cache.Fallback(first, second, third)

	for name, want := range map[string]string{"both": "first", "old": "from the second", "older": "from the third"} {
		if got, err := read(f, name); err != nil || got != want {
			t.Errorf("%s holds %q, %v; want %q", name, got, err, want)
		}
		if o, err := f.Stat(ctx, name); err != nil || o.Size != int64(len(want)) {
			t.Errorf("%s is %+v, %v", name, o, err)
		}
	}
	if _, err := read(f, "nowhere"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("what no store has: %v", err)
	}
	put(f, "new", "x")
	if _, err := first.Stat(ctx, "new"); err != nil {
		t.Errorf("a new object is not in the first store: %v", err)
	}
	for o, err := range f.List(ctx, "") {
		if err != nil || o.Name == "old" {
			t.Errorf("listed %s, %v; want the first store alone", o.Name, err)
		}
	}
	if err := f.Delete(ctx, "both"); err != nil {
		t.Fatal(err)
	}
	if _, err := read(f, "both"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a deleted object: %v", err)
	}
	if _, err := f.SignURL(ctx, "nowhere", cache.SignOptions{TTL: 1}); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a URL of what no store has: %v", err)
	}
	if cache.Fallback(first) != first {
		t.Error("one store alone needs nothing around it")
	}
}

// away is a store that cannot be asked.
type away struct{ cache.Store }

func (away) Open(context.Context, string, int64, int64) (io.ReadCloser, cache.Object, error) {
	return nil, cache.Object{}, cache.ErrUnavailable
}

func (away) Stat(context.Context, string) (cache.Object, error) {
	return cache.Object{}, cache.ErrUnavailable
}

func (away) Delete(context.Context, string) error { return cache.ErrUnavailable }

// signing signs whatever it is asked to, as S3 does.
type signing struct{ cache.Store }

func (signing) SignURL(_ context.Context, name string, _ cache.SignOptions) (string, error) {
	return "https://example.org/" + name, nil
}

// With a store out of reach nothing is said not to be there that may be there.
func TestFallbackAway(t *testing.T) {
	ctx, there := t.Context(), folder(t)
	w, err := there.Create(ctx, "x", cache.ObjectOptions{})
	if err == nil {
		_, err = w.Commit(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]cache.Store{
		"first": cache.Fallback(away{folder(t)}, there),
		"last":  cache.Fallback(there, away{folder(t)}),
	} {
		if _, err := f.Stat(ctx, "x"); err != nil {
			t.Errorf("the %s is away: %v, want the object of the other", name, err)
		}
		if _, err := f.Stat(ctx, "y"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the %s is away: %v, want that to be told", name, err)
		}
		if _, err := f.Stat(ctx, "../y"); !errors.Is(err, cache.ErrName) {
			t.Errorf("the %s is away: %v, want ErrName", name, err)
		}
		if err := f.Delete(ctx, "y"); !errors.Is(err, cache.ErrUnavailable) {
			t.Errorf("the %s is away: deleted, %v", name, err)
		}
	}
	// A URL is signed by the store that has the object.
	if u, err := cache.Fallback(signing{folder(t)}, signing{there}).SignURL(ctx, "x", cache.SignOptions{TTL: 1}); err != nil || !strings.HasSuffix(u, "/x") {
		t.Errorf("%q, %v", u, err)
	}
	if _, err := cache.Fallback(signing{folder(t)}, there).SignURL(ctx, "x", cache.SignOptions{TTL: 1}); !errors.Is(err, cache.ErrUnsupported) {
		t.Errorf("a URL of a folder: %v, want ErrUnsupported", err)
	}
}
