package rows

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"testing"
	"time"

	"slashbatch/internal/pgtest"

	"github.com/jackc/pgx/v5"
)

// patience is how long a test waits for what has to happen at once, on a machine that may
// be busy with everything else.
const patience = 10 * time.Second

// place is a database, a source over it, and a connection to look on.
type place struct {
	*Source
	watch *pgx.Conn
}

func open(t *testing.T) place {
	t.Helper()
	url := pgtest.New(t)
	s, err := Open("test", url, SourceOptions{MaxConns: 2, StatementTimeout: time.Minute, Application: "slashbatch test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	watch, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { watch.Close(context.Background()) })
	return place{s, watch}
}

// active counts the source's backends that run or hold a transaction.
func (p place) active(t *testing.T) (n int) {
	t.Helper()
	if err := p.watch.QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = 'slashbatch test' AND state <> 'idle'`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// quiet waits for the database to be rid of the source's query, and asks that the source
// still works.
func (p place) quiet(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(patience); p.active(t) > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Error("the query goes on in the database")
			return
		}
	}
	var out bytes.Buffer
	if sum, err := p.export(t.Context(), Read{Statement: Statement{SQL: "SELECT 1"}}, &out); err != nil || sum.Rows != 1 {
		t.Errorf("the next query: %+v, %v", sum, err)
	}
}

// export streams a statement into out as the worker does.
func (p place) export(ctx context.Context, r Read, out *bytes.Buffer) (Summary, error) {
	e := NewExport(ctx, out, 0)
	sum, err := p.Stream(ctx, r, e)
	if err != nil {
		e.Cancel()
		return sum, err
	}
	_, err = e.Close()
	return sum, err
}

func TestStream(t *testing.T) {
	p := open(t)
	var out bytes.Buffer
	var estimate int64
	before := time.Now().Add(-time.Second)
	sum, err := p.export(t.Context(), Read{
		Statement: Statement{SQL: "SELECT i, CASE WHEN i > $1 THEN $2::text END AS t FROM generate_series(1, 100000) i", Args: []Arg{{Value: "99998"}, {Value: "a,b"}}},
		Estimate:  func(n int64) { estimate = n },
	}, &out)
	if err != nil || sum.Rows != 100_000 || estimate != 100_000 || sum.Snapshot.Before(before) {
		t.Fatalf("%+v, estimate %d, %v", sum, estimate, err)
	}
	records, err := csv.NewReader(bytes.NewReader(inflate(t, out.Bytes()))).ReadAll()
	if err != nil || len(records) != 100_001 || records[0][1] != "t" || records[99_998][1] != "" || records[99_999][1] != "a,b" {
		t.Errorf("%d records, %v", len(records), err)
	}
	p.quiet(t)
}

// A statement that fails in the database fails as what it is, however many rows
// came before, and its connection can be used or is gone.
func TestStreamFails(t *testing.T) {
	p := open(t)
	for _, tt := range []struct {
		name string
		read Read
		kind Kind
		code string
		rows int64 // at least
	}{
		{"at once", Read{Statement: Statement{SQL: "SELEC 1"}}, BadQuery, "42601", 0},
		{"on a value", Read{Statement: Statement{SQL: "SELECT $1::int", Args: []Arg{{Value: "x"}}}}, BadValue, "22P02", 0},
		{"after many rows", Read{Statement: Statement{SQL: "SELECT 1/(i-100000) FROM generate_series(1, 200000) i"}}, BadQuery, "22012", 90_000},
		{"because it writes", Read{Statement: Statement{SQL: "CREATE TABLE x ()"}}, BadQuery, "25006", 0},
		{"in time", Read{Statement: Statement{SQL: "SELECT i, pg_sleep(0.01) FROM generate_series(1, 10000) i"}, Timeout: 200 * time.Millisecond}, Timeout, "57014", 0},
		{"because its backend is terminated", Read{Statement: Statement{SQL: "SELECT i, CASE WHEN i = 100000 THEN pg_terminate_backend(pg_backend_pid()) END FROM generate_series(1, 200000) i"}}, Unavailable, "57P01", 90_000},
		{"because an operator cancels it", Read{Statement: Statement{SQL: "SELECT i, CASE WHEN i = 100000 THEN pg_cancel_backend(pg_backend_pid()) END FROM generate_series(1, 200000) i"}}, Cancelled, "57014", 90_000},
		{"because others come first", Read{Statement: Statement{SQL: "SELECT raise('40001')"}}, Unavailable, "40001", 0},
		{"because it needs too much room", Read{Statement: Statement{SQL: "SELECT raise('53400')"}}, BadQuery, "53400", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := p.watch.Exec(t.Context(), `CREATE OR REPLACE FUNCTION raise(code text) RETURNS int LANGUAGE plpgsql
				AS $$ BEGIN RAISE EXCEPTION 'raised' USING ERRCODE = code; END $$`); err != nil {
				t.Fatal(err)
			}
			sum, err := p.export(t.Context(), tt.read, new(bytes.Buffer))
			var got *Error
			if !errors.As(err, &got) || got.Kind != tt.kind || got.Code != tt.code || sum.Rows < tt.rows {
				t.Errorf("kind %v, %d rows, %#v; want kind %v, code %s", KindOf(err), sum.Rows, err, tt.kind, tt.code)
			}
			p.quiet(t)
		})
	}
}

// stopping is a sink that fails after n rows.
type stopping struct{ n int }

func (s *stopping) Columns([]Column) error { return nil }
func (s *stopping) Row([][]byte) error {
	if s.n--; s.n < 0 {
		return errBroken
	}
	return nil
}

// endless would go on for days; not in FROM, where all of it would be made first.
const endless = "SELECT generate_series(1, 1000000000000), repeat('x', 1000)"

// When nobody takes the rows any more the database is told.
func TestStreamStopped(t *testing.T) {
	p := open(t)
	t.Run("by the sink", func(t *testing.T) {
		_, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: endless}}, &stopping{n: 10_000})
		if KindOf(err) != SinkFailed || !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		p.quiet(t)
	})
	t.Run("by a limit", func(t *testing.T) {
		e := NewExport(t.Context(), new(bytes.Buffer), 10_000_000)
		_, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: endless}}, e)
		e.Cancel()
		if KindOf(err) != SinkFailed || !errors.Is(err, ErrTooLarge) {
			t.Errorf("got %v", err)
		}
		p.quiet(t)
	})
	t.Run("by the context", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(errBroken) })
		_, err := p.export(ctx, Read{Statement: Statement{SQL: endless}}, new(bytes.Buffer))
		if kind := KindOf(err); kind != Cancelled && kind != SinkFailed || !errors.Is(err, errBroken) {
			t.Errorf("kind %v, %v", kind, err)
		}
		p.quiet(t)
	})
	t.Run("by the context, before any row", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := p.export(ctx, Read{Statement: Statement{SQL: "SELECT pg_sleep(3600)"}}, new(bytes.Buffer))
		if KindOf(err) != Timeout {
			t.Errorf("got %v", err)
		}
		p.quiet(t)
	})
	t.Run("because the destination stands still", func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(errBroken) })
		e := NewExport(ctx, gate{ctx, nil}, 0)
		_, err := p.Stream(ctx, Read{Statement: Statement{SQL: endless}}, e)
		within(t, "the end", e.Cancel)
		if !errors.Is(err, errBroken) {
			t.Errorf("got %v", err)
		}
		p.quiet(t)
	})
}

// A count is of the same snapshot as the rows; an estimate is the planner's.
func TestCount(t *testing.T) {
	p := open(t)
	const all = "SELECT * FROM generate_series(1, 12345) n"
	for _, count := range []Count{
		{Statement: Statement{SQL: "SELECT count(*) FROM (" + all + ") q WHERE n > $1", Args: []Arg{{Value: "345"}}}},
		{Statement: Statement{SQL: all}, Estimated: true},
	} {
		var got collected
		_, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: all + " LIMIT 2"}, Count: &count}, &got)
		if err != nil || len(got.rows) != 2 || !count.Estimated && count.Rows != 12000 || count.Estimated && count.Rows != 12345 {
			t.Errorf("%+v, %v, %v", count, got.rows, err)
		}
	}
	_, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: all}, Count: &Count{Statement: Statement{SQL: "SELECT 1 / 0"}}}, &collected{})
	if KindOf(err) != BadQuery {
		t.Error(err)
	}
}
