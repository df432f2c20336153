// Command export times one large export, from the request to the published
// csv.gz, beside the two ways one would do it by hand:
//
//	psql -c "\copy (…) to stdout csv" | gzip -1 > file
//	psql -c "\copy (…) to file csv"
//
// All sides run in turn (A B C A B C …) on the same PostgreSQL and data, and
// ratios are printed with minimum, median and maximum. Beside them: the peak
// memory of the slashbatch process, and the CPU time of everything.
//
// Run it with the services: scripts/services run -- go run ./bench/export
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
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

func main() {
	rows := flag.Int("rows", 5_000_000, "rows to export")
	rounds := flag.Int("rounds", 3, "how often each side runs")
	store := flag.String("store", "s3", "where the result goes: s3 or file")
	together := flag.Int("together", 0, "instead of comparing, run so many exports at once and print the peak memory")
	flag.Parse()
	run := compare
	if *together > 0 {
		run = func(ctx context.Context, rows, _ int, store string) error { return crowd(ctx, rows, *together, store) }
	}
	if err := run(context.Background(), *rows, *rounds, *store); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// query is what all sides export.
const query = "SELECT id, stream, label, mass, fragile, sent_at FROM narrow WHERE id > 0"

// prepare loads the rows and starts a service with its files in dir.
func prepare(ctx context.Context, dir string, rows int, store string) (database string, s *service, err error) {
	if database = os.Getenv(testenv.PostgresVar); database == "" {
		return "", nil, errors.New("no services; use: scripts/services run -- go run ./bench/export")
	}
	fmt.Printf("loading %d rows …\n", rows)
	if err := load(ctx, database, rows); err != nil {
		return "", nil, err
	}
	s, err = startService(dir, database, store)
	return database, s, err
}

// crowd runs several exports at once.
func crowd(ctx context.Context, rows, n int, store string) error {
	dir, err := os.MkdirTemp("", "slashbatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, service, err := prepare(ctx, dir, rows, store)
	if err != nil {
		return err
	}
	start, failed := time.Now(), make(chan error, n)
	for i := range n {
		go func() {
			_, _, err := service.export(i, rows)
			failed <- err
		}()
	}
	for range n {
		err = errors.Join(err, <-failed)
	}
	fmt.Printf("%d exports of %d rows at once to %s: %.2f s\n", n, rows, store, time.Since(start).Seconds())
	err = errors.Join(err, service.stop())
	service.usage(n)
	return err
}

// compare runs the sides in turn.
func compare(ctx context.Context, rows, rounds int, store string) error {
	dir, err := os.MkdirTemp("", "slashbatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	database, service, err := prepare(ctx, dir, rows, store)
	if err != nil {
		return err
	}
	var ours, gzipped, plain []time.Duration
	for round := range rounds {
		_, t, err := service.export(round, rows)
		if err != nil {
			return errors.Join(err, service.stop())
		}
		ours = append(ours, t)
		copySQL := fmt.Sprintf(`\copy (%s) to stdout csv`, query)
		t, err = shell(`psql -X "$1" -c "$2" | gzip -1 > "$3"`, database, copySQL, filepath.Join(dir, "psql.csv.gz"))
		if err != nil {
			return errors.Join(err, service.stop())
		}
		gzipped = append(gzipped, t)
		t, err = shell(`psql -X "$1" -c "$2" > "$3"`, database, copySQL, filepath.Join(dir, "psql.csv"))
		if err != nil {
			return errors.Join(err, service.stop())
		}
		plain = append(plain, t)
		fmt.Printf("round %d: slashbatch %.2fs, psql | gzip -1 %.2fs, psql > file %.2fs\n",
			round+1, ours[round].Seconds(), gzipped[round].Seconds(), plain[round].Seconds())
	}
	if err := service.stop(); err != nil {
		return err
	}
	fmt.Printf("\n%d rows to %s, times in seconds     min   median  max\n", rows, store)
	line("slashbatch, request to published", ours)
	line("psql \\copy | gzip -1 > file", gzipped)
	line("psql \\copy > file", plain)
	fmt.Printf("ratio to psql | gzip -1    %.2f   (medians)\n", median(ours).Seconds()/median(gzipped).Seconds())
	fmt.Printf("ratio to psql > file       %.2f   (medians)\n", median(ours).Seconds()/median(plain).Seconds())
	fmt.Printf("rows per second            %.2f million\n", float64(rows)/median(ours).Seconds()/1e6)
	service.usage(rounds)
	return nil
}

// usage prints what the stopped process took.
func (s *service) usage(exports int) {
	if usage, ok := s.ProcessState.SysUsage().(*syscall.Rusage); ok {
		fmt.Printf("slashbatch process: peak memory %.1f MiB, CPU %.1f s for %d exports\n",
			float64(usage.Maxrss)/1024, (s.ProcessState.UserTime() + s.ProcessState.SystemTime()).Seconds(), exports)
	}
}

func line(name string, times []time.Duration) {
	sorted := slices.Sorted(slices.Values(times))
	fmt.Printf("%-36s  %5.2f  %5.2f  %5.2f\n", name, sorted[0].Seconds(), median(times).Seconds(), sorted[len(sorted)-1].Seconds())
}

func median(times []time.Duration) time.Duration {
	return slices.Sorted(slices.Values(times))[len(times)/2]
}

// load makes the same narrow rows each time.
func load(ctx context.Context, database string, rows int) error {
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

// shell runs a pipeline and times it.
func shell(script string, args ...string) (time.Duration, error) {
	start := time.Now()
	command := exec.Command("bash", append([]string{"-o", "pipefail", "-c", script, "bash"}, args...)...)
	command.Stderr = os.Stderr
	err := command.Run()
	return time.Since(start), err
}

// service is a running slashbatch: server and worker in one process.
type service struct {
	*exec.Cmd
	base string
}

func startService(dir, database, store string) (*service, error) {
	program := filepath.Join(dir, "slashbatch")
	if out, err := exec.Command("go", "build", "-o", program, "slashbatch").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	cache := "file://" + filepath.Join(dir, "results")
	if store == "s3" {
		cache = os.Getenv(testenv.S3Var)
	}
	// {n} makes each request another one, so that no result is found ready.
	config := fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
catalog: {url: %q}
dataSources: {default: {url: %q, statementTimeout: 1h}}
queue: {url: "memory:"}
cache: {url: %q}
batch: {process: {workers: 16}}
auth: {anonymous: {running: 16}}
endpoints:
- name: narrow
  path: /narrow/{n}
  query: %s AND {n}::int >= 0
  key: id
endpointsDir: ""
`, database, database, cache, query)
	file := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	s := &service{Cmd: exec.Command(program, "serve", "-c", file)}
	logs, err := s.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(logs)
	for lines.Scan() {
		var entry struct{ Msg, Address string }
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
		if entry.Msg == "listening" {
			s.base = "http://" + entry.Address
		}
		if entry.Msg == "worker started" {
			go func() { _, _ = io.Copy(io.Discard, logs) }() // what it says from here on is not for us
			return s, nil
		}
	}
	return nil, errors.New("the service did not start")
}

// export asks for the n-th export and waits until it is published.
func (s *service) export(n, rows int) (bytes int64, took time.Duration, err error) {
	url := fmt.Sprintf("%s/narrow/%d/batch", s.base, n)
	start := time.Now()
	response, err := http.Post(url, "", nil)
	if err != nil {
		return 0, 0, err
	}
	response.Body.Close()
	for {
		status, err := s.status(url + "/status")
		if err != nil {
			return 0, 0, err
		}
		switch status.Status {
		case "Completed":
			took = time.Since(start)
			if status.Rows != rows {
				return 0, 0, fmt.Errorf("%d rows were exported, want %d", status.Rows, rows)
			}
			return status.Bytes, took, nil
		case "Pending", "InProgress":
			time.Sleep(20 * time.Millisecond)
		default:
			return 0, 0, fmt.Errorf("the export is %s: %s", status.Status, status.Error)
		}
	}
}

type status struct {
	Status, Error string
	Rows          int
	Bytes         int64
}

func (s *service) status(url string) (out status, err error) {
	response, err := http.Get(url)
	if err != nil {
		return status{}, err
	}
	defer response.Body.Close()
	return out, json.NewDecoder(response.Body).Decode(&out)
}

func (s *service) stop() error {
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	err := s.Wait()
	if strings.Contains(fmt.Sprint(err), "signal") {
		return nil
	}
	return err
}
