// Command read times interactive answers beside psql, which sends the same SQL to the same
// PostgreSQL:
//
//	a page     100 rows as JSON, over one HTTP connection; \copy of the same rows, in one session of psql
//	a table    100,000 rows as CSV, and its first byte; \copy of the same rows into a pipe
//
// Both sides run in turn, and ratios are printed with minimum, median and maximum. Then the
// peak memory of the slashbatch process for answers from 1,000 to 1,000,000 rows.
//
// Run it with the services: scripts/services run -- go run ./bench/read
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"slashbatch/bench/site"
)

const columns = "id, stream, label, mass, fragile, sent_at"

// endpoint gives as many rows as it is asked for.
const endpoint = `
- name: narrow
  path: /narrow
  query: SELECT ` + columns + ` FROM narrow WHERE id > 0
  key: id
  softLimit: 100
  hardLimit: 2000000
`

func main() {
	rounds := flag.Int("rounds", 7, "how often each side runs")
	pages := flag.Int("pages", 300, "pages of each side and round")
	flag.Parse()
	if err := run(context.Background(), *rounds, *pages); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, rounds, pages int) (err error) {
	database, err := site.Database()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "slashbatch-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := site.Load(ctx, database, 1_000_000); err != nil {
		return err
	}
	if _, err := site.Shell(`psql -qX "$1" -c "CREATE UNIQUE INDEX ON narrow (id)" -c "ANALYZE narrow"`, database); err != nil {
		return err
	}
	s, err := site.Start(dir, database, "", endpoint)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	fmt.Printf("%-34s %10s   ratio to psql: min  median     max\n", "", "median")
	if err := page(s, database, rounds, pages); err != nil {
		return err
	}
	if err := table(s, database, rounds); err != nil {
		return err
	}
	return memory(s)
}

// page compares lists of 100 rows, each beginning somewhere else.
func page(s *site.Service, database string, rounds, pages int) error {
	var ours, theirs []time.Duration
	for range rounds {
		start := time.Now()
		for i := range pages {
			if _, _, err := fetch(fmt.Sprintf("%s/narrow?min-id=%d", s.Base, i*1000)); err != nil {
				return err
			}
		}
		ours = append(ours, time.Since(start)/time.Duration(pages))
		var script strings.Builder
		for i := range pages {
			fmt.Fprintf(&script, "\\copy (SELECT %s FROM (SELECT %[1]s FROM narrow WHERE id > 0) q WHERE id > %d ORDER BY id LIMIT 100) to '/dev/null' csv\n", columns, i*1000)
		}
		psql := exec.Command("psql", "-qX", database)
		psql.Stdin = strings.NewReader(script.String())
		start = time.Now()
		if out, err := psql.CombinedOutput(); err != nil || len(out) > 0 {
			return fmt.Errorf("psql: %w\n%s", err, out)
		}
		theirs = append(theirs, time.Since(start)/time.Duration(pages))
	}
	compare("a page of 100 rows", ours, theirs)
	return nil
}

// table compares 100,000 rows of CSV, and their first byte.
func table(s *site.Service, database string, rounds int) error {
	const rows = 100_000
	var first, whole, theirFirst, theirWhole []time.Duration
	for range rounds {
		a, b, err := fetch(fmt.Sprintf("%s/narrow.csv?_limit=%d", s.Base, rows))
		if err != nil {
			return err
		}
		first, whole = append(first, a), append(whole, b)
		psql := exec.Command("psql", "-qX", database, "-c",
			fmt.Sprintf("\\copy (SELECT %s FROM narrow WHERE id > 0 ORDER BY id LIMIT %d) to stdout csv header", columns, rows))
		out, err := psql.StdoutPipe()
		if err != nil {
			return err
		}
		start := time.Now()
		if err := psql.Start(); err != nil {
			return err
		}
		a, err = drain(out, start)
		if err := errors.Join(err, psql.Wait()); err != nil {
			return err
		}
		theirFirst, theirWhole = append(theirFirst, a), append(theirWhole, time.Since(start))
	}
	compare("100,000 rows of CSV, first byte", first, theirFirst)
	compare("100,000 rows of CSV", whole, theirWhole)
	return nil
}

// fetch reads an answer to its end.
func fetch(url string) (first, whole time.Duration, err error) {
	start := time.Now()
	response, err := http.Get(url)
	if err != nil {
		return 0, 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, 0, fmt.Errorf("%s: %s", url, response.Status)
	}
	first, err = drain(response.Body, start)
	return first, time.Since(start), err
}

// drain reads to the end, and returns when the first byte came.
func drain(r io.Reader, start time.Time) (first time.Duration, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	if _, err := in.Peek(1); err != nil {
		return 0, err
	}
	first = time.Since(start)
	_, err = io.Copy(io.Discard, in)
	return first, err
}

func compare(what string, ours, theirs []time.Duration) {
	var ratios []float64
	for i := range ours {
		ratios = append(ratios, float64(ours[i])/float64(theirs[i]))
	}
	slices.Sort(ratios)
	fmt.Printf("%-34s %10s %18.2f %7.2f %7.2f\n", what, site.Median(ours).Round(10*time.Microsecond), ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1])
}

// memory prints the peak of the process for answers of different lengths.
func memory(s *site.Service) error {
	fmt.Printf("\n%-12s %s\n", "rows", "peak memory of the process in MiB, as csv, json, ndjson, html")
	for _, rows := range []int{1_000, 10_000, 100_000, 1_000_000} {
		fmt.Printf("%-12d", rows)
		for _, format := range []string{"csv", "json", "ndjson", "html"} {
			process := fmt.Sprintf("/proc/%d", s.Process.Pid)
			if err := os.WriteFile(process+"/clear_refs", []byte("5"), 0o600); err != nil { // the peak begins anew
				return err
			}
			if _, _, err := fetch(fmt.Sprintf("%s/narrow.%s?_limit=%d", s.Base, format, rows)); err != nil {
				return err
			}
			status, err := os.ReadFile(process + "/status")
			if err != nil {
				return err
			}
			_, after, _ := strings.Cut(string(status), "VmHWM:")
			var kib int
			if _, err := fmt.Sscan(after, &kib); err != nil {
				return err
			}
			fmt.Printf(" %8.1f", float64(kib)/1024)
		}
		fmt.Println()
	}
	return nil
}
