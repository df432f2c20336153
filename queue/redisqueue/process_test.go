package redisqueue

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"slashbatch/internal/testenv"
)

// server is a redis-server of one test's own, to be killed, frozen and restarted.
type server struct {
	t       *testing.T
	port    string
	url     string // of the server; a sentinel has none
	args    []string
	cmd     *exec.Cmd
	answers func() error
}

// startServer starts a redis-server with these arguments on a free port, and
// stops it when the test ends.
func startServer(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{t: t, port: freePort(t)}
	u := url.URL{Scheme: "redis", Host: "127.0.0.1:" + s.port}
	if at := slices.Index(args, "--requirepass"); at >= 0 {
		u.User = url.UserPassword("", args[at+1])
	}
	s.url = u.String()
	s.args = append([]string{
		"--port", s.port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--daemonize", "no",
		"--repl-diskless-sync-delay", "0",
	}, args...)
	s.answers = func() error {
		c := s.client()
		defer c.Close()
		return c.Ping(t.Context()).Err()
	}
	s.start()
	t.Cleanup(s.kill)
	return s
}

// startReplica starts the only replica of s, and returns once it confirms writes.
func (s *server) startReplica(args ...string) *server {
	s.t.Helper()
	replica := startServer(s.t, append([]string{"--replicaof", "127.0.0.1 " + s.port}, args...)...)
	c := s.client()
	defer c.Close()
	eventually(s.t, "the replica confirms", func() bool {
		confirmed := redis.NewIntCmd(s.t.Context(), "wait", 1, 100)
		_, _ = c.Pipelined(s.t.Context(), func(p redis.Pipeliner) error {
			p.Set(s.t.Context(), "replica", replica.port, 0)
			return p.Process(s.t.Context(), confirmed)
		})
		return confirmed.Val() == 1
	})
	return replica
}

// startSentinel starts a sentinel that watches s under a name, with a quorum of
// one, and returns once it knows the replica.
func (s *server) startSentinel(name string, settings ...string) *server {
	t := s.t
	t.Helper()
	sentinel := &server{t: t, port: freePort(t)}
	dir := t.TempDir()
	config := append([]string{
		"port " + sentinel.port, "bind 127.0.0.1", "dir " + dir, "daemonize no",
		fmt.Sprintf("sentinel monitor %s 127.0.0.1 %s 1", name, s.port),
		"sentinel down-after-milliseconds " + name + " 300",
		"sentinel failover-timeout " + name + " 3000",
	}, settings...)
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(strings.Join(config, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	sentinel.args = []string{file, "--sentinel"}
	sentinel.answers = func() error {
		conn, err := net.Dial("tcp", "127.0.0.1:"+sentinel.port)
		if err == nil {
			_ = conn.Close()
		}
		return err
	}
	sentinel.start()
	t.Cleanup(sentinel.kill)
	return sentinel
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func (s *server) start() {
	s.t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		testenv.Missing(s.t, "redis-server")
	}
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	eventually(s.t, "redis-server answers", func() bool { return s.answers() == nil })
}

// kill ends the server as kill -9 does.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// freeze stops the server without closing its connections; thaw lets it go on.
func (s *server) freeze() { s.signal(syscall.SIGSTOP) }
func (s *server) thaw()   { s.signal(syscall.SIGCONT) }

func (s *server) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// client is a plain client of the database that a queue uses by default.
func (s *server) client() *redis.Client { return client(s.t, s.url) }

func client(t testing.TB, url string) *redis.Client {
	t.Helper()
	c, err := connect(url)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// eventually polls until ok, which must come true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("still not: " + what)
		}
	}
}
