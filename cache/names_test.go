package cache_test

import (
	"path"
	"strings"
	"testing"

	"slashbatch/cache"
)

func TestValidName(t *testing.T) {
	tests := []struct {
		about string
		name  string
		want  bool
	}{
		{"one letter", "a", true},
		{"folders", "results/ab/cd.csv.gz", true},
		{"every punctuation allowed", "._~%=+@-", true},
		{"an escaped slash is three bytes", "a%2Fb", true},
		{"an escaped dot-dot is a segment like any other", "a/%2e%2e/b", true},
		{"three dots", ".../a", true},
		{"a hidden file", ".hidden", true},
		{"dots inside a segment", "a..b/c", true},
		{"512 bytes", longName(512), true},
		{"a segment of 255 bytes", strings.Repeat("x", 255), true},

		{"empty", "", false},
		{"513 bytes", longName(513), false},
		{"a segment of 256 bytes", "a/" + strings.Repeat("x", 256), false},
		{"a leading slash", "/a", false},
		{"a trailing slash", "a/", false},
		{"only a slash", "/", false},
		{"an empty segment", "a//b", false},
		{"dot", ".", false},
		{"dot-dot", "..", false},
		{"leading dot-dot", "../a", false},
		{"inner dot-dot", "a/../b", false},
		{"trailing dot-dot", "a/..", false},
		{"inner dot", "a/./b", false},
		{"backslash", `a\b`, false},
		{"NUL", "a\x00b", false},
		{"newline", "a\n", false},
		{"space", "a b", false},
		{"DEL", "a\x7f", false},
		{"not ASCII", "ä", false},
		{"invalid UTF-8", "a\xff", false},
		{"a query", "a?b", false},
		{"a fragment", "a#b", false},
		{"a drive", "c:a", false},
		{"a glob", "*", false},
		{"a comma, which file stores keep for themselves", ".tmp,/a", false},
	}
	for _, tt := range tests {
		t.Run(tt.about, func(t *testing.T) {
			if got := cache.ValidName(tt.name); got != tt.want {
				t.Errorf("ValidName(%q) = %t, want %t", tt.name, got, tt.want)
			}
		})
	}
}

// FuzzValidName checks what the backends rely on: a valid name is already
// clean, relative, and stays below any folder it is joined to.
func FuzzValidName(f *testing.F) {
	for _, seed := range []string{"", "a", "a/b", "../a", "a/..", "/a", "a//b", "a%2Fb", "a\x00", "./a", "...", "a/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		if !cache.ValidName(name) {
			return
		}
		if len(name) > 512 || path.IsAbs(name) || path.Clean(name) != name {
			t.Errorf("%q is valid but not a clean relative path of at most 512 bytes", name)
		}
		if joined := path.Join("/root", name); !strings.HasPrefix(joined, "/root/") {
			t.Errorf("%q leaves the folder: %q", name, joined)
		}
		if i := strings.IndexAny(name, "\x00\\ \"'<>?#&:*,"); i >= 0 {
			t.Errorf("%q is valid but holds %q", name, name[i])
		}
	})
}

// longName returns a name of n bytes in segments of at most 200.
func longName(n int) string {
	var b strings.Builder
	for b.Len() < n {
		if b.Len()%200 == 199 && b.Len() < n-1 {
			b.WriteByte('/')
			continue
		}
		b.WriteByte('n')
	}
	return b.String()
}
