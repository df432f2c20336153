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
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"slashbatch/bench/site"
	"slashbatch/internal/testenv"
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
	if database, err = site.Database(); err != nil {
		return "", nil, err
	}
	fmt.Printf("loading %d rows …\n", rows)
	if err := site.Load(ctx, database, rows); err != nil {
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
	err = errors.Join(err, service.Stop())
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
			return errors.Join(err, service.Stop())
		}
		ours = append(ours, t)
		copySQL := fmt.Sprintf(`\copy (%s) to stdout csv`, query)
		t, err = site.Shell(`psql -X "$1" -c "$2" | gzip -1 > "$3"`, database, copySQL, filepath.Join(dir, "psql.csv.gz"))
		if err != nil {
			return errors.Join(err, service.Stop())
		}
		gzipped = append(gzipped, t)
		t, err = site.Shell(`psql -X "$1" -c "$2" > "$3"`, database, copySQL, filepath.Join(dir, "psql.csv"))
		if err != nil {
			return errors.Join(err, service.Stop())
		}
		plain = append(plain, t)
		fmt.Printf("round %d: slashbatch %.2fs, psql | gzip -1 %.2fs, psql > file %.2fs\n",
			round+1, ours[round].Seconds(), gzipped[round].Seconds(), plain[round].Seconds())
	}
	if err := service.Stop(); err != nil {
		return err
	}
	fmt.Printf("\n%d rows to %s, times in seconds     min   median  max\n", rows, store)
	line("slashbatch, request to published", ours)
	line("psql \\copy | gzip -1 > file", gzipped)
	line("psql \\copy > file", plain)
	fmt.Printf("ratio to psql | gzip -1    %.2f   (medians)\n", site.Median(ours).Seconds()/site.Median(gzipped).Seconds())
	fmt.Printf("ratio to psql > file       %.2f   (medians)\n", site.Median(ours).Seconds()/site.Median(plain).Seconds())
	fmt.Printf("rows per second            %.2f million\n", float64(rows)/site.Median(ours).Seconds()/1e6)
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
	fmt.Printf("%-36s  %5.2f  %5.2f  %5.2f\n", name, sorted[0].Seconds(), site.Median(times).Seconds(), sorted[len(sorted)-1].Seconds())
}

// service is a running slashbatch that is asked for exports.
type service struct{ *site.Service }

// endpoint has an {n} that makes each request another one, so that no result is found
// ready.
const endpoint = `
- name: narrow
  path: /narrow/{n}
  query: ` + query + ` AND {n}::int >= 0
  key: id
`

func startService(dir, database, store string) (*service, error) {
	cache := ""
	if store == "s3" {
		cache = os.Getenv(testenv.S3Var)
	}
	s, err := site.Start(dir, database, cache, endpoint)
	return &service{s}, err
}

// export asks for the n-th export and waits until it is published.
func (s *service) export(n, rows int) (bytes int64, took time.Duration, err error) {
	url := fmt.Sprintf("%s/narrow/%d/batch", s.Base, n)
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
