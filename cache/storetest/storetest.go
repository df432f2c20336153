// Package storetest is the conformance suite of cache.Store. A backend joins in
// two lines:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, "file", func(t *testing.T) cache.Store { … })
//	}
//
// Every topic opens its own store, which must be empty.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"slashbatch/cache"
	"slashbatch/internal/testenv"
)

// topic is one promise of the contract.
type topic struct {
	name string
	run  func(t *testing.T, s cache.Store)
}

// topics in the order of the contract.
var topics = []topic{
	{"visibility", testVisibility},
	{"replace", testReplace},
	{"all or nothing", testAllOrNothing},
	{"end of a writer", testEndOfWriter},
	{"context", testContext},
	{"big objects", testBig},
	{"many writers", testManyWriters},
	{"ranges", testRanges},
	{"not found", testNotFound},
	{"names", testNames},
	{"delete", testDelete},
	{"list", testList},
	{"list pages", testListPages},
	{"ping", testPing},
	{"signed URL", testSignURL},
}

// Run runs the suite against the stores that open returns, each of them empty
// and of the kind that backend names. Its last line says what ran:
//
//	storetest: s3: 15 topics: visibility, replace, …
func Run(t *testing.T, backend string, open func(t *testing.T) cache.Store) {
	var ran []string
	for _, topic := range topics {
		t.Run(topic.name, func(t *testing.T) {
			// Deferred, because a topic that skips itself does not return.
			defer func() {
				name := topic.name
				if t.Skipped() {
					name += " (opted out)"
				}
				ran = append(ran, name)
			}()
			s := open(t)
			if got := s.Backend(); got != backend {
				t.Fatalf("Backend() = %q, want %q", got, backend)
			}
			if left := names(t, s, ""); len(left) > 0 {
				t.Fatalf("the store is not empty at the start: %q", left)
			}
			topic.run(t, s)
		})
	}
	testenv.Report(t, "storetest: %s: %d topics: %s", backend, len(ran), strings.Join(ran, ", "))
}

// put stores an object and checks what Commit says about it.
func put(t *testing.T, s cache.Store, name string, data []byte) cache.Object {
	t.Helper()
	w := create(t, s, name)
	defer w.Abort()
	if n, err := w.Write(data); err != nil || n != len(data) {
		t.Fatalf("Write(%d bytes of %s) = %d, %v", len(data), name, n, err)
	}
	return commit(t, w, name, int64(len(data)))
}

func create(t *testing.T, s cache.Store, name string) cache.Writer {
	t.Helper()
	w, err := s.Create(t.Context(), name, cache.ObjectOptions{ContentType: "text/csv"})
	if err != nil {
		t.Fatalf("Create(%s): %v", name, err)
	}
	return w
}

func commit(t *testing.T, w cache.Writer, name string, size int64) cache.Object {
	t.Helper()
	o, err := w.Commit(t.Context())
	if err != nil {
		t.Fatalf("Commit of %s: %v", name, err)
	}
	if o.Name != name || o.Size != size || o.Modified.IsZero() {
		t.Fatalf("Commit = %+v, want name %s, %d bytes and a time", o, name, size)
	}
	return o
}

// read opens a range and reads it to its end.
func read(ctx context.Context, s cache.Store, name string, offset, length int64) ([]byte, cache.Object, error) {
	r, o, err := s.Open(ctx, name, offset, length)
	if err != nil {
		return nil, o, err
	}
	data, err := io.ReadAll(r)
	return data, o, errors.Join(err, r.Close())
}

// expect fails unless the object holds exactly want.
func expect(t *testing.T, s cache.Store, name string, want []byte) {
	t.Helper()
	got, o, err := read(t.Context(), s, name, 0, -1)
	if err != nil {
		t.Fatalf("reading %s: %v", name, err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("%s holds %s, want %s", name, abridged(got), abridged(want))
	}
	stat, err := s.Stat(t.Context(), name)
	if err != nil {
		t.Fatalf("Stat(%s): %v", name, err)
	}
	for from, o := range map[string]cache.Object{"Open": o, "Stat": stat} {
		if o.Name != name || o.Size != int64(len(want)) || o.Modified.IsZero() {
			t.Fatalf("%s describes %+v, want name %s, %d bytes and a time", from, o, name, len(want))
		}
	}
}

// expectNothing fails if anybody could tell that the object exists.
func expectNothing(t *testing.T, s cache.Store, name string) {
	t.Helper()
	if _, err := s.Stat(t.Context(), name); !errors.Is(err, cache.ErrNotFound) {
		t.Fatalf("Stat(%s) = %v, want ErrNotFound", name, err)
	}
	if r, _, err := s.Open(t.Context(), name, 0, -1); !errors.Is(err, cache.ErrNotFound) {
		if err == nil {
			r.Close()
		}
		t.Fatalf("Open(%s) = %v, want ErrNotFound", name, err)
	}
	if got := names(t, s, name); len(got) > 0 {
		t.Fatalf("List(%s) = %q, want nothing", name, got)
	}
}

// names lists what begins with prefix.
func names(t *testing.T, s cache.Store, prefix string) []string {
	t.Helper()
	var all []string
	for o, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatalf("List(%q): %v", prefix, err)
		}
		all = append(all, o.Name)
	}
	return all
}

func abridged(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}
