package postgres

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"slashbatch/internal/testenv"
)

// openFolder is like t.TempDir, but PostgreSQL's user may pass through it.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func start(t *testing.T, options Options) *Server {
	t.Helper()
	server, err := Start(t.Context(), options)
	if errors.Is(err, ErrNotInstalled) {
		testenv.Missing(t, "PostgreSQL's server programs")
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	return server
}

func TestServerRunsAndLeavesNothing(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	server := start(t, Options{Dir: dir})

	conn, err := pgconn.Connect(t.Context(), server.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	results, err := conn.Exec(t.Context(), `CREATE ROLE r; SELECT current_setting('server_encoding')`).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if got := string(results[1].Rows[0][0]); got != "UTF8" {
		t.Errorf("server_encoding is %s, want UTF8", got)
	}

	// The connection is still open: it must not keep the server.
	if err := server.Stop(); err != nil {
		t.Errorf("Stop: %v", err)
	}
	if alive(server.process.Pid) {
		t.Error("the process is still there")
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPasswordIsNeeded(t *testing.T) {
	t.Parallel()
	server := start(t, Options{Dir: openFolder(t)})
	address := strings.Replace(server.URL(), server.password, "guess", 1)
	conn, err := pgconn.Connect(t.Context(), address)
	if err == nil {
		conn.Close(t.Context())
		t.Error("connected with a wrong password: any user of this machine could")
	}
}

func TestStartStopsWithItsContext(t *testing.T) {
	t.Parallel()
	dir := openFolder(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Start(ctx, Options{Dir: dir})
	if errors.Is(err, ErrNotInstalled) {
		testenv.Missing(t, "PostgreSQL's server programs")
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Start gave %v, want %v", err, context.Canceled)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// TestKilledParent runs this test in a process of its own that is then killed:
// its PostgreSQL must end by itself, and the next start must remove its folder.
func TestKilledParent(t *testing.T) {
	if dir := os.Getenv("START_AND_BE_KILLED_IN"); dir != "" {
		server := start(t, Options{Dir: dir})
		os.Stdout.WriteString("started " + strconv.Itoa(server.process.Pid) + "\n")
		select {}
	}
	t.Parallel()
	if _, err := find(); err != nil {
		testenv.Missing(t, "PostgreSQL's server programs")
	}
	dir := openFolder(t)
	child := exec.Command(os.Args[0], "-test.run=^TestKilledParent$")
	child.Env = append(os.Environ(), "START_AND_BE_KILLED_IN="+dir)
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		t.Fatal("the child printed nothing")
	}
	pid, err := strconv.Atoi(strings.TrimPrefix(lines.Text(), "started "))
	if err != nil {
		t.Fatalf("the child printed %q", lines.Text())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // it was killed, and says so

	if !diesWithParent() {
		if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(20 * time.Second); alive(pid); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("PostgreSQL %d outlives its parent", pid)
		}
	}
	if got := count(t, dir); got != 1 {
		t.Fatalf("the killed demo left %d folders, want 1", got)
	}
	start(t, Options{Dir: dir})
	if got := count(t, dir); got != 1 {
		t.Errorf("there are %d folders, want only the new one", got)
	}
}

// diesWithParent tells whether this system can do that.
func diesWithParent() bool {
	var empty, set syscall.SysProcAttr
	dieWithParent(&set)
	return !reflect.DeepEqual(set, empty)
}

func count(t *testing.T, dir string) int {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(found)
}
