// Package site is what the comparisons share: rows, a running slashbatch beside them, and
// commands that are timed.
package site

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5"
)

// Load makes the same narrow rows each time.
func Load(ctx context.Context, database string, rows int) error {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	for _, sql := range []string{
		"DROP TABLE IF EXISTS narrow",
		"DROP SCHEMA IF EXISTS slashbatch CASCADE",
		fmt.Sprintf(`CREATE UNLOGGED TABLE narrow AS
			SELECT i AS id, 'AB-' || lpad((i %% 40)::text, 2, '0') AS stream, 'label ' || md5(i::text) AS label,
			       ((i * 7919) %% 1000000 / 100.0)::numeric(10,2) AS mass, i %% 3 = 0 AS fragile,
			       timestamptz '2020-01-01' + i * interval '13 seconds' AS sent_at
			FROM generate_series(1::bigint, %d) i`, rows),
		"VACUUM ANALYZE narrow",
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}

// Database is the URL of the server that the services' script has started.
func Database() (string, error) {
	if url := os.Getenv(testenv.PostgresVar); url != "" {
		return url, nil
	}
	return "", errors.New("no services; use: scripts/services run -- go run ./bench/…")
}

// Shell runs a pipeline and times it.
func Shell(script string, args ...string) (time.Duration, error) {
	start := time.Now()
	command := exec.Command("bash", append([]string{"-o", "pipefail", "-c", script, "bash"}, args...)...)
	command.Stderr = os.Stderr
	err := command.Run()
	return time.Since(start), err
}

// Median is the middle one.
func Median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// Service is a running slashbatch: server and worker in one process.
type Service struct {
	*exec.Cmd
	// Base is the root of its URLs.
	Base string
}

// Start builds and runs slashbatch with its files in dir. cache is the URL of its store,
// "" for a folder in dir; endpoints is a YAML list of specs.
func Start(dir, database, cache, endpoints string) (*Service, error) {
	program := filepath.Join(dir, "slashbatch")
	if out, err := exec.Command("go", "build", "-o", program, "slashbatch").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	if cache == "" {
		cache = "file://" + filepath.Join(dir, "results")
	}
	config := fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
catalog: {url: %q}
dataSources: {default: {url: %q, statementTimeout: 1h}}
queue: {url: "memory:"}
cache: {url: %q}
batch: {process: {workers: 16}}
auth: {anonymous: {running: 16}}
endpointsDir: ""
endpoints:
%s`, database, database, cache, endpoints)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s := &Service{Cmd: exec.Command(program, "serve", "-c", file)}
	logs, err := s.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
		if entry.Msg == "listening" {
			s.Base = "http://" + entry.Address
		}
		if entry.Msg == "worker started" {
			go func() { _, _ = io.Copy(io.Discard, logs) }() // what it says from here on is not for us
			return s, nil
		}
	}
	return nil, errors.New("the service did not start")
}

// Stop ends the process as SIGTERM does.
func (s *Service) Stop() error {
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := s.Wait()
	if strings.Contains(fmt.Sprint(err), "signal") {
		return nil
	}
	return err
}
