package pgqueue

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"

	"slashbatch/internal/pgtest"
	"slashbatch/queue"
	"slashbatch/queue/queuetest"
)

// database is a new database with the queue's schema, whose sessions are in a time
// zone ("": the queue's own choice).
func database(t testing.TB, zone string) string {
	t.Helper()
	address := pgtest.New(t)
	if zone != "" {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		query := u.Query()
		query.Set("timezone", zone)
		u.RawQuery = query.Encode()
		address = u.String()
	}
	if _, err := Migrate(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	return address
}

// open opens a queue and closes it when the test ends.
func open(t testing.TB, address string, o Options) *Queue {
	t.Helper()
	q, err := Open(t.Context(), address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := q.Close(); err != nil {
			t.Error(err)
		}
	})
	return q
}

// tables are the names of the queue's tables.
func tables(t testing.TB, pool *pgxpool.Pool) []string {
	t.Helper()
	var names []string
	err := pool.QueryRow(t.Context(), `
		SELECT array_agg(relname::text ORDER BY relname) FROM pg_class
		WHERE relnamespace = 'slashbatch'::regnamespace AND relkind = 'r' AND relname LIKE 'queue\_%'`).Scan(&names)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// empty takes everything out of a queue that nobody else uses: faster than a new
// database, or TRUNCATE of tables that hold little.
func empty(t testing.TB, q *Queue) {
	t.Helper()
	sql := ""
	for _, name := range tables(t, q.pool) {
		switch name {
		case "queue_migration":
		case "queue_meta":
			sql += "UPDATE slashbatch.queue_meta SET paused = false, swept = NULL;"
		default:
			sql += "DELETE FROM slashbatch." + name + ";"
		}
	}
	if _, err := q.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// databases are databases of one test that are used again and again, by one queue at
// a time: making a new one for each would take most of the time.
type databases struct {
	t    *testing.T
	zone string

	mu   sync.Mutex
	free []string
}

// open opens an empty queue on a database that nobody uses.
func (d *databases) open(t *testing.T, s queue.Settings) *Queue {
	t.Helper()
	d.mu.Lock()
	var address string
	if last := len(d.free) - 1; last >= 0 {
		address, d.free = d.free[last], d.free[:last]
	}
	d.mu.Unlock()
	if address == "" {
		address = database(d.t, d.zone)
	}
	t.Cleanup(func() { // after the queue is closed
		d.mu.Lock()
		defer d.mu.Unlock()
		d.free = append(d.free, address)
	})
	q := open(t, address, Options{Settings: s})
	empty(t, q)
	return q
}

// TestQueue runs the suite in sessions of several time zones.
func TestQueue(t *testing.T) {
	for name, zone := range map[string]string{
		"postgres":        "",
		"postgres, UTC+9": "Asia/Tokyo",
		"postgres, UTC-8": "Etc/GMT+8",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			d := &databases{t: t, zone: zone}
			var got string
			if err := d.open(t, queue.Settings{}).pool.QueryRow(t.Context(), `SHOW timezone`).Scan(&got); err != nil || zone != "" && got != zone {
				t.Fatalf("time zone %q, %v; want %q", got, err, zone)
			}
			queuetest.Run(t, name, func(t *testing.T, s queue.Settings) queue.Queue { return d.open(t, s) })
		})
	}
}

func BenchmarkQueue(b *testing.B) {
	queuetest.Bench(b, func(b *testing.B, s queue.Settings) queue.Queue {
		return filler{open(b, database(b, ""), Options{Settings: s})}
	})
}

type filler struct{ *Queue }

// Fill enqueues plain jobs by one statement, which locks lists in a fixed order.
func (f filler) Fill(ctx context.Context, all []queue.Submission) error {
	slices.SortFunc(all, func(a, b queue.Submission) int { return strings.Compare(a.User, b.User) })
	ids, users := make([][]byte, len(all)), make([][]byte, len(all))
	for i, s := range all {
		ids[i], users[i] = []byte(s.ID), []byte(s.User)
	}
	s := all[0]
	_, err := f.pool.Exec(ctx, `
		SELECT count(*) FROM unnest($1::bytea[], $2::bytea[]) u (id, owner)
		CROSS JOIN LATERAL slashbatch.queue_enqueue(u.id, NULL, 0, '', u.owner, $3, $4, $5, $6, $7, $8, 0, 0, $9) f
		WHERE f.o_answer = 'new'`,
		ids, users, string(s.Lane), []byte(s.Kind), []byte(s.Source), []byte(s.Class), millis(s.Estimate), count(s.RunningCap, 1), s.Definition)
	return err
}
