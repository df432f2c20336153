package pgqueue

import (
	"fmt"
	"sync"
	"testing"

	"github.com/google/uuid"

	"slashbatch/queue"
)

// TestReads holds that no operation reads more rows with many lists and jobs than it
// needs to, whether it was planned before there were any or after.
func TestReads(t *testing.T) {
	const lists, jobs, most = 3000, 9000, 60
	ctx := t.Context()
	address := database(t, "")
	before := open(t, address, Options{Conns: 1}) // plans while the tables are empty
	run := func(q *Queue, user string) map[string]int64 {
		t.Helper()
		reads := map[string]int64{}
		count := func(op string, call func() error) {
			t.Helper()
			start := rowsRead(t, q)
			if err := call(); err != nil {
				t.Fatalf("%s: %v", op, err)
			}
			reads[op] = rowsRead(t, q) - start
		}
		s, joined := submission(user), submission(user)
		s.Key = uuid.NewString()
		var h queue.Holder
		claim := func() error {
			h.Claim = uuid.NewString()
			c, err := q.Claim(ctx, queue.ClaimRequest{ClaimID: h.Claim, Worker: "w", Lane: queue.LaneExport})
			if err == nil && c == nil {
				err = fmt.Errorf("nothing to claim")
			}
			if err == nil {
				h.Job = c.Job.ID
			}
			return err
		}
		count("enqueue", func() error { _, err := q.Enqueue(ctx, s); return err })
		count("enqueue again", func() error { _, err := q.Enqueue(ctx, s); return err })
		for _, s := range []queue.Submission{joined, submission(user), submission(user)} { // enough to be claimed
			if _, err := q.Enqueue(ctx, s); err != nil {
				t.Fatal(err)
			}
		}
		count("join", func() error { _, err := q.Join(ctx, joined.ID, "other "+user, 1); return err })
		count("get", func() error { _, err := q.Get(ctx, joined.ID); return err })
		count("by key", func() error { _, err := q.ByKey(ctx, s.Key); return err })
		count("list", func() error { _, err := q.List(ctx, user, 0, 10); return err })
		count("leave", func() error { _, _, err := q.Leave(ctx, joined.ID, "other "+user); return err })
		count("cancel", func() error { _, _, err := q.Cancel(ctx, joined.ID); return err })
		count("claim", claim)
		count("beat", func() error {
			_, err := q.Beat(ctx, queue.Worker{ID: "w", Slots: map[queue.Lane]int{queue.LaneExport: 1}}, []queue.Beat{{Holder: h}})
			return err
		})
		count("seal", func() error { return q.Seal(ctx, h) })
		count("finish", func() error { return q.Finish(ctx, h, queue.Success{}) })
		if err := claim(); err != nil {
			t.Fatal(err)
		}
		count("fail", func() error { _, err := q.Fail(ctx, h, queue.Failure{Reason: "no"}); return err })
		if err := claim(); err != nil {
			t.Fatal(err)
		}
		count("release", func() error { return q.Release(ctx, h) })
		count("sweep", func() error { _, err := q.Sweep(ctx); return err })
		return reads
	}
	run(before, "first")

	var wg sync.WaitGroup
	filling := open(t, address, Options{})
	for i := range 8 {
		wg.Go(func() {
			for n := i; n < jobs; n += 8 {
				if _, err := filling.Enqueue(ctx, submission(fmt.Sprint("user", n%lists))); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	check := func(when string, reads map[string]int64) {
		t.Helper()
		for op, n := range reads {
			if n > most {
				t.Errorf("%s, planned %s: %d rows read, want at most %d", op, when, n, most)
			}
		}
	}
	check("while the tables were empty", run(before, "second"))
	if _, err := filling.pool.Exec(ctx, `ANALYZE`); err != nil {
		t.Fatal(err)
	}
	check("with many lists", run(open(t, address, Options{Conns: 1}), "third"))
}

// rowsRead is how many rows the only connection of a queue has read of its tables, and
// entries of their indexes.
func rowsRead(t *testing.T, q *Queue) (n int64) {
	t.Helper()
	if _, err := q.pool.Exec(t.Context(), `SELECT pg_stat_force_next_flush()`); err != nil {
		t.Fatal(err)
	}
	err := q.pool.QueryRow(t.Context(), `
		SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname LIKE 'queue\_%')
		     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname LIKE 'queue\_%')`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
