package storetest

import (
	"errors"
	"strings"
	"testing"

	"slashbatch/cache"
)

// goodNames are all different objects, although some layer below the store
// might be tempted to decode, clean or fold them into one.
var goodNames = []string{
	"plain",
	"PLAIN2",
	"a/b/c/d/e/f/g",
	"slash%2Fescaped",
	"slash/escaped",
	"nul%00",
	"percent%",
	"percent%25",
	"plus+plus",
	"plus%2Bplus",
	"...",
	"..a/b..",
	"dot./x",
	"dotdot%2F..%2Fx",
	".hidden",
	".tmp/x",
	"-dash",
	"~tilde",
	"key=value@host",
	strings.Repeat("s", 255),
	strings.Repeat("d/", 200) + "deep",
	strings.Repeat(strings.Repeat("x", 127)+"/", 3) + strings.Repeat("y", 128),
}

// evilNames must be refused before anything is touched.
var evilNames = []string{
	"",
	".",
	"..",
	"../x",
	"a/../x",
	"a/..",
	"a/.",
	"./a",
	"/",
	"/etc/passwd",
	"a/",
	"a//b",
	"nul\x00",
	"line\nbreak",
	`back\slash`,
	"spa ce",
	"a?versionId=1",
	"a#b",
	"umläut",
	"\xff",
	"*",
	strings.Repeat("x", 256),
	strings.Repeat(strings.Repeat("x", 127)+"/", 3) + strings.Repeat("y", 129),
}

// testNames: every valid name is an object of its own, every other one is
// ErrName from every method.
func testNames(t *testing.T, s cache.Store) {
	for _, name := range goodNames {
		put(t, s, name, []byte("content of "+name))
	}
	for _, name := range goodNames {
		expect(t, s, name, []byte("content of "+name))
	}
	if got := names(t, s, ""); len(got) != len(goodNames) {
		t.Errorf("List yields %d names, want %d: %q", len(got), len(goodNames), got)
	}

	for _, name := range evilNames {
		if _, err := s.Create(t.Context(), name, cache.ObjectOptions{}); !errors.Is(err, cache.ErrName) {
			t.Errorf("Create(%q) = %v, want ErrName", name, err)
		}
		if _, _, err := s.Open(t.Context(), name, 0, -1); !errors.Is(err, cache.ErrName) {
			t.Errorf("Open(%q) = %v, want ErrName", name, err)
		}
		if _, err := s.Stat(t.Context(), name); !errors.Is(err, cache.ErrName) {
			t.Errorf("Stat(%q) = %v, want ErrName", name, err)
		}
		if err := s.Delete(t.Context(), name); !errors.Is(err, cache.ErrName) {
			t.Errorf("Delete(%q) = %v, want ErrName", name, err)
		}
		if _, err := s.SignURL(t.Context(), name, cache.SignOptions{TTL: cache.MaxSignTTL}); !errors.Is(err, cache.ErrName) {
			t.Errorf("SignURL(%q) = %v, want ErrName", name, err)
		}
	}

	for _, name := range goodNames {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%s): %v", name, err)
		}
	}
	if left := names(t, s, ""); len(left) > 0 {
		t.Errorf("after all were deleted there are still %q", left)
	}
}
