package filestore_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"slashbatch/cache"
)

// TestKilled: a process that is killed between the first byte and the rename
// leaves the old object, no part of the new one, and one file for Sweep.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "a", "old")

	child, lines := helper(t, "write-and-wait", dir)
	if line := <-lines; line != "written" {
		t.Fatalf("the helper says %q", line)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()

	if o, err := s.Stat(t.Context(), "a"); err != nil || o.Size != 3 {
		t.Errorf("Stat after the kill = %+v, %v, want the old object", o, err)
	}
	if got := len(temps(t, dir)); got != 1 {
		t.Errorf("the kill left %d temporary files, want 1", got)
	}
	if n, err := s.Sweep(t.Context(), 0); n != 1 || err != nil {
		t.Errorf("Sweep = %d, %v, want 1", n, err)
	}
	if got := files(t, dir); len(got) != 1 {
		t.Errorf("left: %q, want a", got)
	}
}

// TestDiskFull: a write that does not fit is an error, and nothing of it stays.
// A limit on file size stands in for the full disk: the same calls fail.
func TestDiskFull(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs RLIMIT_FSIZE")
	}
	dir := t.TempDir()
	_, lines := helper(t, "fill", dir)
	for line := range lines {
		if line != "refused" {
			t.Errorf("the helper says %q", line)
		}
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
}

// helper runs this test binary again as another process, see TestHelper, and
// returns what it prints.
func helper(t *testing.T, what, dir string) (*exec.Cmd, <-chan string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHelper$")
	cmd.Env = append(os.Environ(), "FILESTORE_HELPER="+what, "FILESTORE_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for scanner := bufio.NewScanner(out); scanner.Scan(); {
			if line, ok := strings.CutPrefix(scanner.Text(), "helper: "); ok {
				lines <- line
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, lines
}

// TestHelper is the other process of helper, and no test by itself.
func TestHelper(t *testing.T) {
	what := os.Getenv("FILESTORE_HELPER")
	if what == "" {
		return
	}
	s := open(t, os.Getenv("FILESTORE_DIR"))
	w, err := s.Create(t.Context(), "a", cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	switch what {
	case "write-and-wait":
		if _, err := w.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("helper: written\n")
		select {}
	case "fill":
		signal.Ignore(syscall.SIGXFSZ)
		limit := syscall.Rlimit{Cur: 1 << 20, Max: 1 << 20}
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			t.Fatal(err)
		}
		_, err := w.Write(make([]byte, 2<<20))
		_, again := w.Write([]byte("x"))
		_, committed := w.Commit(t.Context())
		for _, err := range []error{err, again, committed} {
			if !errors.Is(err, cache.ErrUnavailable) {
				t.Fatalf("the full disk answers %v, want ErrUnavailable", err)
			}
		}
		os.Stdout.WriteString("helper: refused\n")
	}
}
