package assets

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"slashbatch/internal/testenv"
)

// history makes n finished batches of 250 members each, the first ones completed, the last
// of each in error, which ended so long ago. It returns the first and the last batch.
func (s shop) history(n int, age string) (first, last int64) {
	s.t.Helper()
	s.exec(`INSERT INTO slashbatch.batch (customer, submitted, count, completed, errors, finished)
		SELECT $1, now() - $3::interval, 250, 249, 1, now() - $3::interval FROM generate_series(1, $2)`, s.customer, n, age)
	if err := s.pool.QueryRow(s.t.Context(), `SELECT max(id) - $1 + 1, max(id) FROM slashbatch.batch`, n).Scan(&first, &last); err != nil {
		s.t.Fatal(err)
	}
	s.exec(`INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, error, finished)
		SELECT b, $1::int || '/1/h' || b || '-' || m, CASE m WHEN 250 THEN 'error' ELSE 'completed' END, CASE m WHEN 250 THEN 'broken' ELSE '' END, now() - $4::interval
		FROM generate_series($2::bigint, $3::bigint) b, generate_series(1, 250) m`, s.customer, first, last, age)
	s.exec(`ANALYZE slashbatch.batch, slashbatch.batch_asset`)
	return first, last
}

func (s shop) prune(r Retention, dry bool) Pruned {
	s.t.Helper()
	pruned, err := s.Prune(s.t.Context(), r, dry, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return pruned
}

const day30 = 30 * 24 * time.Hour

// While very much goes, outcomes arrive: nothing of an open batch is lost, and nobody waits
// for long. 500,000 records when the long tests are asked for.
func TestPruneWhileOutcomesArrive(t *testing.T) {
	batches := 100
	if os.Getenv("SLASHBATCH_TEST_CHAOS") == "full" {
		batches = 2000
	}
	s := open(t)
	first, last := s.history(batches, "40 days")
	opened := make([]int64, 8)
	list := keys("open", 40)
	for i := range opened {
		opened[i] = s.post(list...)
	}
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	var mu sync.Mutex
	var slowest time.Duration
	sent := 0
	for _, batch := range opened {
		wg.Go(func() {
			for _, key := range list[:39] { // the last is told after the pruning
				began := time.Now()
				if _, err := s.Record(ctx, s.customer, batch, outcomes(OutcomeCompleted, "", key)); err != nil {
					t.Error(err)
				}
				mu.Lock()
				slowest, sent = max(slowest, time.Since(began)), sent+1
				mu.Unlock()
				time.Sleep(time.Millisecond)
			}
		})
	}
	if dry := s.prune(Retention{Completed: day30}, true); dry.Records != int64(batches)*249 || dry.Batches != int64(batches) {
		t.Errorf("%+v would go of %d batches", dry, batches)
	}
	began, longest, steps := time.Now(), time.Duration(0), 0
	pruned, err := s.Prune(t.Context(), Retention{Completed: day30}, false, func(Pruned) {
		longest, steps, began = max(longest, time.Since(began)), steps+1, time.Now()
	})
	wg.Wait()
	stop()
	if err != nil || pruned.Records != int64(batches)*249 || pruned.Batches != int64(batches) {
		t.Errorf("%+v went of %d batches, %v", pruned, batches, err)
	}
	testenv.Report(t, "prune: %d records of %d batches in %d steps, the longest %v; meanwhile %d outcomes, the slowest %v",
		pruned.Records, pruned.Batches, steps, longest.Round(time.Millisecond), sent, slowest.Round(time.Millisecond))
	for _, batch := range opened {
		s.wants(batch, "40/39/0 0")
		s.record(batch, OutcomeCompleted, "", list[39])
		s.wants(batch, "40/40/0 finished 1")
	}
	if n := s.value(`SELECT count(*) FROM slashbatch.batch_asset WHERE batch_id BETWEEN $1 AND $2 AND status = 'error'`, first, last); n != fmt.Sprint(batches) {
		t.Errorf("%s errors are left", n)
	}
	if got := s.value(`SELECT DISTINCT format('%s %s %s %s %s', count, completed, errors, pruned_count, pruned_at IS NOT NULL) FROM slashbatch.batch WHERE id BETWEEN $1 AND $2`, first, last); got != "250 249 1 249 t" {
		t.Errorf("pruned batches are %s", got)
	}
	if again := s.prune(Retention{Completed: day30}, false); again != (Pruned{}) {
		t.Errorf("pruned again: %+v", again)
	}
}

// The closest policy holds, and what is kept by number is kept whatever its age.
func TestPrunePolicies(t *testing.T) {
	s := open(t)
	aged := func(batch int64) {
		s.exec(`UPDATE slashbatch.batch_asset SET finished = now() - interval '40 days' WHERE batch_id = $1`, batch)
		s.exec(`UPDATE slashbatch.batch SET finished = now() - interval '40 days' WHERE id = $1`, batch)
	}
	left := func(batch int64) string {
		return s.value(`SELECT coalesce(string_agg(split_part(asset_id, '/', 3), ' ' ORDER BY asset_id), '') FROM slashbatch.batch_asset WHERE batch_id = $1`, batch)
	}
	made := func(p Posting) int64 {
		batch := s.postWith(p, "a", "b", "c")
		s.record(batch, OutcomeCompleted, "", "a", "b")
		s.record(batch, OutcomeError, "broken", "c")
		aged(batch)
		return batch
	}
	kept := made(Posting{Retention: &Retention{}})
	errs := made(Posting{Retention: &Retention{Errors: day30}})
	usual := made(Posting{})
	newest := made(Posting{Retention: &Retention{}})
	s.exec(`UPDATE slashbatch.batch_asset SET finished = now() WHERE batch_id = $1`, newest)
	opened := s.post("a")
	if pruned := s.prune(Retention{Completed: day30}, false); pruned != (Pruned{Records: 3, Batches: 2}) {
		t.Errorf("%+v", pruned)
	}
	for batch, want := range map[int64]string{kept: "a b c", errs: "a b", usual: "c", newest: "a b c", opened: "a"} {
		if got := left(batch); got != want {
			t.Errorf("batch %d has %q, want %q", batch, got, want)
		}
	}
	// The customer's own policy; superseded ones go but for the two newest of each asset.
	s.exec(`UPDATE slashbatch.customer SET retention = '{"superseded": "1d", "keepLast": 2}'`)
	s.exec(`UPDATE slashbatch.batch SET retention = NULL`)
	s.prune(Retention{Completed: day30}, false)
	for batch, want := range map[int64]string{kept: "", errs: "b", usual: "c", newest: "a b c", opened: "a"} {
		if got := left(batch); got != want {
			t.Errorf("superseded: batch %d has %q, want %q", batch, got, want)
		}
	}
}
