package filestore_test

import (
	"errors"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/filestore"
	"slashbatch/cache/storetest"
)

func TestStore(t *testing.T) {
	storetest.Run(t, "file", func(t *testing.T) cache.Store { return open(t, t.TempDir()) })
}

func open(t *testing.T, dir string) *filestore.Store {
	t.Helper()
	s, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t *testing.T, s *filestore.Store, name, content string) {
	t.Helper()
	w, err := s.Create(t.Context(), name, cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if _, err := io.WriteString(w, content); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// files lists every file and folder below dir, as paths relative to it. The
// folder for temporary files counts only when it holds something.
func files(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, name)
		if rel != "." && rel != ".tmp," {
			all = append(all, filepath.ToSlash(rel))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestOpenURL(t *testing.T) {
	dir := t.TempDir()
	tests := []struct {
		url  string
		want string // the error contains it; empty means success
	}{
		{"file://" + dir + "/new/store", ""},
		{"file://localhost" + dir + "/new/store", ""},
		{"file://" + dir + "/with%20space", ""},
		{"file://relative/path", "three slashes"},
		{"file:relative", "three slashes"},
		{"file://", "no path"},
		{"file://" + dir + "?sync=no", "no user, options or fragment"},
		{"file://" + dir + "#x", "no user, options or fragment"},
		{"file://user@localhost" + dir, "no user, options or fragment"},
		{"s3://bucket", "not file"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		s, err := filestore.OpenURL(u)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("OpenURL(%s): %v", tt.url, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("OpenURL(%s) = %v, want an error with %q", tt.url, err, tt.want)
		}
		if err == nil {
			s.Close()
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "with space")); err != nil {
		t.Errorf("an escaped path was not decoded: %v", err)
	}

	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := filestore.Open(file); err == nil {
		t.Error("a file was opened as a store")
	}
}

// TestLayout: the folder holds plain files under the objects' names and nothing
// else, whoever put them there, and no empty folders stay behind.
func TestLayout(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "results/ab/one", "1")
	if err := os.MkdirAll(filepath.Join(dir, "premade"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "premade", "two.csv"), []byte("22"), 0o644); err != nil {
		t.Fatal(err)
	}
	o, err := s.Stat(t.Context(), "premade/two.csv")
	if err != nil || o.Size != 2 {
		t.Errorf("Stat of a file put there by hand = %+v, %v", o, err)
	}
	if got, want := strings.Join(files(t, dir), " "), "premade premade/two.csv results results/ab results/ab/one"; got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
	for _, name := range []string{"results/ab/one", "premade/two.csv"} {
		if err := s.Delete(t.Context(), name); err != nil {
			t.Errorf("Delete(%s): %v", name, err)
		}
	}
	if left := files(t, dir); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

// TestLinks: a symbolic link does not lead out of the store.
func TestLinks(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	put(t, s, "real", "r")
	for link, target := range map[string]string{"out": outside, "out-file": filepath.Join(outside, "secret"), "in": "real"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"out/secret", "out-file"} {
		if r, _, err := s.Open(t.Context(), name, 0, -1); err == nil {
			r.Close()
			t.Errorf("Open(%s) left the store", name)
		}
		if err := s.Delete(t.Context(), name); err == nil {
			t.Errorf("Delete(%s) left the store", name)
		}
	}
	if w, err := s.Create(t.Context(), "out/new", cache.ObjectOptions{}); err == nil {
		if _, err := w.Commit(t.Context()); err == nil {
			t.Error("Commit left the store")
		}
	}
	if got := files(t, outside); len(got) != 1 {
		t.Errorf("outside there are now %q", got)
	}
	if o, err := s.Stat(t.Context(), "in"); err != nil || o.Size != 1 {
		t.Errorf("Stat of a link inside the store = %+v, %v", o, err)
	}
}

// TestTruncated: a file that loses bytes while it is read ends with an error.
func TestTruncated(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", "0123456789")
	r, o, err := s.Open(t.Context(), "a", 2, -1)
	if err != nil || o.Size != 10 {
		t.Fatalf("Open = %+v, %v", o, err)
	}
	defer r.Close()
	if err := os.Truncate(filepath.Join(dir, "a"), 5); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if string(got) != "234" || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("read %q, %v, want 234 and io.ErrUnexpectedEOF", got, err)
	}
}

func TestPing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	s := open(t, dir)
	if err := s.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+"-moved"); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Ping without its folder = %v, want ErrUnavailable", err)
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := s.Ping(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Ping with another folder in its place = %v, want ErrUnavailable", err)
	}
}

// TestSweep: old temporary files go, young ones and objects stay, and a writer
// that was swept away fails at Commit and not later.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", "a")
	w, err := s.Create(t.Context(), "b", cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if n, err := s.Sweep(t.Context(), time.Hour); n != 0 || err != nil {
		t.Errorf("Sweep of what is older than an hour = %d, %v, want none", n, err)
	}
	old := time.Now().Add(-2 * time.Hour)
	for _, name := range append(temps(t, dir), filepath.Join(dir, "a")) {
		if err := os.Chtimes(name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Sweep(t.Context(), time.Hour); n != 1 || err != nil {
		t.Errorf("Sweep of what is older than an hour = %d, %v, want 1", n, err)
	}
	if _, err := w.Commit(t.Context()); !errors.Is(err, cache.ErrUnavailable) {
		t.Errorf("Commit of what was swept = %v, want ErrUnavailable", err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("there are %q, want a", got)
	}
}

// TestTempFolderRemoved: the folder for temporary files may vanish under a running
// process, as after a careless clean-up.
func TestTempFolderRemoved(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if err := os.RemoveAll(filepath.Join(dir, ".tmp,")); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Sweep(t.Context(), 0); n != 0 || err != nil {
		t.Errorf("Sweep = %d, %v", n, err)
	}
	put(t, s, "a", "a")
}

func temps(t *testing.T, dir string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, ".tmp,", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}
