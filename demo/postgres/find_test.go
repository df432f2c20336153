package postgres

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewestFirst(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"pg/9.6/bin", "pg/15/bin", "pg/17/bin", "brew/postgresql@16/bin", "brew/postgresql"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, dir := range newestFirst([]string{root + "/brew/postgresql@*/bin", root + "/none/*", root + "/pg/*/bin"}) {
		got = append(got, strings.TrimPrefix(dir, root+"/"))
	}
	want := []string{"pg/17/bin", "brew/postgresql@16/bin", "pg/15/bin", "pg/9.6/bin"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
}

func TestNotInstalledSaysWhatToDo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	old := places
	t.Cleanup(func() { places = old })
	places = []string{t.TempDir() + "/*/bin"}

	_, err := Start(t.Context(), Options{})
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "install") {
		t.Errorf("got %v, want %v and how to install it", err, ErrNotInstalled)
	}
}

func TestRemoveStale(t *testing.T) {
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	deadPid, livePid := strconv.Itoa(dead.Process.Pid), strconv.Itoa(os.Getpid())
	tests := []struct {
		name        string
		maker       string // content of the pid file; empty: none
		postmaster  string
		wantRemoved bool
	}{
		{"its maker lives", livePid, "", false},
		{"its maker is dead", deadPid, "", true},
		{"its maker and PostgreSQL are dead", deadPid, deadPid + "\n/data\n", true},
		{"its maker is dead, PostgreSQL lives", deadPid, livePid + "\n/data\n", false},
		{"it is just being made", "", "", false},
		{"the pid file is not ours", "hello", "", false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, prefix+"1")
			if err := os.MkdirAll(filepath.Join(dir, dataDir), 0o700); err != nil {
				t.Fatal(err)
			}
			for path, content := range map[string]string{pidFile: test.maker, dataDir + "/postmaster.pid": test.postmaster} {
				if content == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, path), []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			removeStale(parent)
			if _, err := os.Stat(dir); os.IsNotExist(err) != test.wantRemoved {
				t.Errorf("removed: %v, want %v", os.IsNotExist(err), test.wantRemoved)
			}
		})
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	var all strings.Builder
	output := newTail(&all)
	for i := range 1000 {
		if _, err := output.Write([]byte("line " + strconv.Itoa(i) + "\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got := output.String(); len(got) > tailSize || !strings.HasSuffix(got, "line 998\nline 999") {
		t.Errorf("kept %d bytes ending in %q", len(got), got[max(0, len(got)-20):])
	}
	if got := strings.Count(all.String(), "\n"); got != 1000 {
		t.Errorf("passed on %d lines, want 1000", got)
	}
}
