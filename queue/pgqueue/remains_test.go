package pgqueue

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"slashbatch/queue/queuetest"
)

// TestNothingRemains drains a random run of jobs in all ways they can end, and
// lets everything expire: no row may remain but settings and what was learned.
func TestNothingRemains(t *testing.T) {
	q := open(t, database(t, ""), Options{Settings: queuetest.Remains})
	queuetest.Drain(t, q)

	want := map[string]int{"queue_meta": 1, "queue_source": 1, "queue_estimate": 2, "queue_migration": 8}
	var left map[string]int
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err := q.Sweep(t.Context()); err != nil { // forgets the worker and the histories
			t.Fatal(err)
		}
		left = map[string]int{}
		for _, name := range tables(t, q.pool) {
			var rows int
			if err := q.pool.QueryRow(t.Context(), `SELECT count(*) FROM slashbatch.`+name).Scan(&rows); err != nil {
				t.Fatal(err)
			}
			if rows > 0 {
				left[name] = rows
			}
		}
		if maps.Equal(left, want) {
			break
		}
	}
	if diff := cmp.Diff(want, left); diff != "" {
		t.Errorf("rows that remain (-want +got):\n%s", diff)
	}
	var running int
	if err := q.pool.QueryRow(t.Context(), `SELECT running FROM slashbatch.queue_source`).Scan(&running); err != nil || running != 0 {
		t.Errorf("%d jobs run at the source, %v; want none", running, err)
	}
}
