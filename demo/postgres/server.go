// Package postgres runs a throwaway PostgreSQL server for "slashbatch demo" from
// the programs that are installed on the machine. It listens on loopback only,
// with a random password, keeps its data in a temporary folder and gives up all
// safety against crashes for speed.
package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const superuser = "slashbatch"

// Options say where and how the server runs; the zero value is fine.
type Options struct {
	// Dir is the existing folder in which the server's temporary folder is
	// made. Defaults to the system's folder for temporary files.
	Dir string
	// Log receives what PostgreSQL's programs print. Defaults to nothing; an
	// error of Start quotes the end of it in any case.
	Log io.Writer
}

// Server is a running PostgreSQL.
type Server struct {
	dir      string
	password string
	port     int
	process  *os.Process
	exited   chan struct{} // closed when the process has ended
	stop     func() error
}

// URL returns a URL for pgx and psql: the superuser in database postgres.
func (s *Server) URL() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(superuser, s.password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Stop ends the server, connections and all, waits until it has ended, and
// removes its folder. Further calls return what the first one did.
func (s *Server) Stop() error { return s.stop() }

// Start creates and starts a server and returns once it accepts connections.
// ctx limits only the start. The server runs until Stop or, on Linux, until this
// process dies. Without an installed PostgreSQL the error is [ErrNotInstalled].
func Start(ctx context.Context, options Options) (_ *Server, err error) {
	bin, err := find()
	if err != nil {
		return nil, err
	}
	owner, err := chooseOwner()
	if err != nil {
		return nil, err
	}
	removeStale(options.Dir)
	dir, err := makeFolder(options.Dir, owner)
	if err != nil {
		return nil, fmt.Errorf("folder for PostgreSQL: %w", err)
	}
	s := &Server{dir: dir, password: rand.Text()}
	s.stop = sync.OnceValue(func() error { return errors.Join(s.shutdown(), os.RemoveAll(s.dir)) })
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Stop())
		}
	}()
	if err := s.initialize(ctx, bin, owner, options.Log); err != nil {
		return nil, err
	}
	// Somebody may take the free port before PostgreSQL does; with some ports
	// tried in vain, something else is wrong, and the error says what.
	for range 5 {
		if err = s.launch(ctx, bin, owner, options.Log); err == nil || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// initialize runs initdb.
func (s *Server) initialize(ctx context.Context, bin string, o owner, log io.Writer) error {
	secret := filepath.Join(s.dir, "password") // initdb takes it from a file only
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	defer os.Remove(secret)
	if err := o.own(secret); err != nil {
		return err
	}
	cmd := s.command(exec.CommandContext(ctx, filepath.Join(bin, "initdb"),
		"-D", filepath.Join(s.dir, dataDir), "-U", superuser, "--pwfile", secret, "-A", "scram-sha-256",
		"-E", "UTF8", "--locale=C", "--no-sync"), o)
	// initdb has children of its own, which must not write into the folder
	// while it is being removed.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	output := newTail(log)
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, output)
	}
	return nil
}

// launch starts the server on a free port and waits until it answers.
func (s *Server) launch(ctx context.Context, bin string, o owner, log io.Writer) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	s.port = port
	args := []string{"-D", filepath.Join(s.dir, dataDir), "-p", strconv.Itoa(port)}
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	cmd := s.command(exec.Command(filepath.Join(bin, "postgres"), args...), o)
	dieWithParent(cmd.SysProcAttr)
	output := newTail(log)
	cmd.Stdout, cmd.Stderr = output, output
	if err := s.run(cmd); err != nil {
		return err
	}
	if err := s.await(ctx); err != nil {
		return errors.Join(fmt.Errorf("PostgreSQL did not start: %w\n%s", err, output), s.shutdown())
	}
	return nil
}

var settings = []string{
	"listen_addresses=127.0.0.1",
	"unix_socket_directories=", // none: nothing to collide on, no limit on the folder's length
	"max_connections=100",
	"shared_buffers=256MB",
	"timezone=UTC",
	"log_timezone=UTC",
	// The data need not survive anything, so nothing waits for the disk, and
	// tables loaded in the transaction that made them are not logged.
	"fsync=off",
	"full_page_writes=off",
	"synchronous_commit=off",
	"wal_level=minimal",
	"max_wal_senders=0",
	"max_wal_size=2GB",
}

// command sets what all programs here have in common: their user, a folder that
// user can be in, and an environment without the caller's PG… variables.
func (s *Server) command(cmd *exec.Cmd, o owner) *exec.Cmd {
	cmd.Dir = s.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.dir, "LC_ALL=C"}
	cmd.SysProcAttr = o.attributes()
	cmd.WaitDelay = 2 * time.Second // for whoever still holds its output open
	return cmd
}

// run starts the server's process and returns once it runs. Goroutine and thread
// stay with it until its end: the kernel counts the death of the thread that
// started a child as that of its parent (see dieWithParent), and a thread of
// Go's may end at any time when its goroutine does.
func (s *Server) run(cmd *exec.Cmd) error {
	exited := make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(exited)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // whoever waits for the end tells from the output why
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.exited = cmd.Process, exited
	return nil
}

// await returns nil once the server accepts a connection.
func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		conn, err := pgconn.Connect(ctx, s.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-s.exited:
			return errors.New("it ended at once")
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// shutdown ends the process, more rudely as time passes, and waits for its end.
func (s *Server) shutdown() error {
	if s.process == nil {
		return nil
	}
	for _, step := range []struct {
		signal   os.Signal
		patience time.Duration
	}{
		{syscall.SIGINT, 10 * time.Second}, // fast: ends connections, closes files
		{syscall.SIGQUIT, 5 * time.Second}, // immediate
		{syscall.SIGKILL, 5 * time.Second},
	} {
		if err := s.process.Signal(step.signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return err
		}
		select {
		case <-s.exited:
			return nil
		case <-time.After(step.patience):
		}
	}
	return fmt.Errorf("PostgreSQL (process %d) does not end", s.process.Pid)
}

// freePort returns a port of the loopback interface that is free right now.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
