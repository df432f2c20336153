package storetest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"slashbatch/cache"
)

// testList: names come in byte order whatever the folders, a prefix may end
// anywhere in a name, and one that no name has matches nothing.
func testList(t *testing.T, s cache.Store) {
	all := []string{"a-b", "a.b", "a/b", "a/b-c/d", "a/b.c", "a/c/x/y", "a0", "a=b", "aa", "ab/c", "b%2Fc", "b/c", "~"}
	if !slices.IsSorted(all) {
		t.Fatal("the test expects its names in byte order")
	}
	for i := range all {
		// Written in another order than listed.
		name := all[(i*5)%len(all)]
		put(t, s, name, []byte(name))
	}
	tests := []struct {
		prefix string
		want   []string
	}{
		{"", all},
		{"a", all[:10]},
		{"a/", []string{"a/b", "a/b-c/d", "a/b.c", "a/c/x/y"}},
		{"a/b", []string{"a/b", "a/b-c/d", "a/b.c"}},
		{"a/b-", []string{"a/b-c/d"}},
		{"a/c/x/y", []string{"a/c/x/y"}},
		{"a/c/x/y/", nil},
		{"b", []string{"b%2Fc", "b/c"}},
		{"b%2F", []string{"b%2Fc"}},
		{"b%2f", nil},
		{"A", nil},
		{"nothing/", nil},
		{"/", nil},
		{"/a", nil},
		{"..", nil},
		{"../", nil},
		{"a/../a", nil},
		{"a//", nil},
		{"./", nil},
		{"a\x00", nil},
		{"a*", nil},
		{"ä", nil},
		{"a b", nil},
	}
	for _, tt := range tests {
		if diff := cmp.Diff(tt.want, names(t, s, tt.prefix)); diff != "" {
			t.Errorf("List(%q) (-want +got):\n%s", tt.prefix, diff)
		}
	}
	for o, err := range s.List(t.Context(), "") {
		if err != nil || o.Size != int64(len(o.Name)) || o.Modified.IsZero() {
			t.Errorf("List yields %+v, %v, want %d bytes and a time", o, err, len(o.Name))
		}
	}

	// A caller may stop at any time, and change the store while it lists.
	for o := range s.List(t.Context(), "a") {
		if o.Name != all[0] {
			t.Errorf("the first is %s, want %s", o.Name, all[0])
		}
		break
	}
	for o, err := range s.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Delete(t.Context(), o.Name); err != nil {
			t.Fatal(err)
		}
	}
	if left := names(t, s, ""); len(left) > 0 {
		t.Errorf("after each listed object was deleted there are still %q", left)
	}
}

// testListPages: a list longer than a page of the backend is complete, in
// order, without repetition.
func testListPages(t *testing.T, s cache.Store) {
	if testing.Short() {
		t.Skip("writes 1,100 objects")
	}
	const objects, writers = 1100, 8
	var want []string
	for i := range objects {
		want = append(want, fmt.Sprintf("page/%d/%05d", i/300, i))
	}
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			for j := i; j < objects; j += writers {
				w, err := s.Create(t.Context(), want[j], cache.ObjectOptions{})
				if err == nil {
					_, err = w.Commit(t.Context())
				}
				if err != nil {
					t.Errorf("storing %s: %v", want[j], err)
					return
				}
			}
		})
	}
	all.Wait()
	if t.Failed() {
		return
	}
	if diff := cmp.Diff(want, names(t, s, "page/")); diff != "" {
		t.Errorf("List (-want +got):\n%s", diff)
	}
}
