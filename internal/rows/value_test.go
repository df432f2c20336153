package rows

import (
	"context"
	"testing"
	"time"

	"slashbatch/internal/pgtest"
)

// The guard is of the snapshot of the rows, and was asked before them: what looks past the
// snapshot is older in it than in the rows.
func TestGuard(t *testing.T) {
	p := open(t)
	p.do(t, `CREATE SEQUENCE past; CREATE TABLE kept (n int); INSERT INTO kept VALUES (1); SELECT nextval('past')`)
	var got collected
	sum, err := p.Stream(t.Context(), Read{
		Statement: Statement{SQL: "SELECT count(*) || ' of ' || (SELECT last_value FROM past) FROM kept"},
		Guard:     &Statement{SQL: "SELECT count(*) || $1 || (SELECT last_value FROM past) FROM kept", Args: []Arg{{Value: " of "}}},
		Estimate:  func(int64) { p.do(t, `INSERT INTO kept VALUES (2); SELECT nextval('past')`) },
	}, &got)
	if err != nil || len(got.rows) != 1 {
		t.Fatal(got.rows, err)
	}
	if got.rows[0] != "1 of 2" || sum.Guard == nil || *sum.Guard != "1 of 1" {
		t.Errorf("rows %q, guard %v; want 1 of 2 and 1 of 1", got.rows, sum.Guard)
	}
	if sum, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: "SELECT 1"}}, &collected{}); err != nil || sum.Guard != nil {
		t.Errorf("nothing was asked: %v, %v", sum.Guard, err)
	}
}

func (p place) do(t *testing.T, sql string) {
	t.Helper()
	if _, err := p.watch.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Error(err)
	}
}

// What a statement gives is the same as a guard and by itself, and so is how it fails.
func TestValue(t *testing.T) {
	p := open(t)
	for _, tt := range []struct {
		name string
		st   Statement
		want string
		kind Kind
	}{
		{"a text", Statement{SQL: "SELECT 'a'"}, "a", 0},
		{"an argument", Statement{SQL: "SELECT $1::int + 1", Args: []Arg{{Value: "41"}}}, "42", 0},
		{"NULL", Statement{SQL: "SELECT NULL"}, "", 0},
		{"no row", Statement{SQL: "SELECT 1 WHERE false"}, "", 0},
		{"rows", Statement{SQL: "SELECT generate_series(1, 2)"}, "", BadQuery},
		{"columns", Statement{SQL: "SELECT 1, 2"}, "", BadQuery},
		{"no column", Statement{SQL: "SELECT"}, "", BadQuery},
		{"wrong", Statement{SQL: "SELEC 1"}, "", BadQuery},
		{"writing", Statement{SQL: "CREATE TABLE x ()"}, "", BadQuery},
		{"a value that is none", Statement{SQL: "SELECT $1::int", Args: []Arg{{Value: "x"}}}, "", BadValue},
		{"a backend that ends", Statement{SQL: "SELECT pg_terminate_backend(pg_backend_pid())"}, "", Unavailable},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := p.Value(t.Context(), tt.st)
			if got != tt.want || KindOf(err) != tt.kind {
				t.Errorf("by itself %q, %v", got, err)
			}
			sum, err := p.Stream(t.Context(), Read{Statement: Statement{SQL: "SELECT 1"}, Guard: &tt.st}, &collected{})
			if KindOf(err) != tt.kind || err == nil && *sum.Guard != tt.want {
				t.Errorf("as a guard %v, %v", sum.Guard, err)
			}
			p.quiet(t)
		})
	}
}

// A value does not wait for streams that have all connections of the pool, and has a
// time limit of its own where the streams have none.
func TestValueBesideStreams(t *testing.T) {
	url := pgtest.New(t)
	s, err := Open("test", url, SourceOptions{MaxConns: 1, StatementTimeout: 0, Application: "slashbatch test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	if s.valueTimeout != longestValue {
		t.Errorf("a value may take %v, want %v", s.valueTimeout, longestValue)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got string
	if _, err := s.Stream(ctx, Read{Statement: Statement{SQL: "SELECT 1"}}, hook(func() {
		got, err = s.Value(ctx, Statement{SQL: "SELECT current_setting('statement_timeout')"})
	})); err != nil {
		t.Fatal(err)
	}
	if got != "30s" || err != nil {
		t.Errorf("%q, %v; want 30s", got, err)
	}

	short, err := Open("test", url, SourceOptions{MaxConns: 1, StatementTimeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(short.Close)
	if _, err := short.Value(t.Context(), Statement{SQL: "SELECT pg_sleep(3600)"}); KindOf(err) != Timeout {
		t.Errorf("kind %v, %v; want a timeout", KindOf(err), err)
	}
}

// hook is a sink that calls a function for each row.
type hook func()

func (hook) Columns([]Column) error { return nil }
func (h hook) Row([][]byte) error   { h(); return nil }
