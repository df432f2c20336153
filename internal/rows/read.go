package rows

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Statement is SQL text with its bound arguments, in text format.
type Statement struct {
	SQL  string
	Args []Arg
}

// Arg is one bound argument.
type Arg struct {
	Value string
	Null  bool
}

// Sink takes the rows of one statement. Values are in PostgreSQL's text
// format, nil is NULL; they are valid until Row returns. An error ends the
// reading, and is what the reader returns.
type Sink interface {
	Columns(columns []Column) error
	Row(values [][]byte) error
}

// Read says how a statement is to be run.
type Read struct {
	Statement
	// Timeout ends the statement by the database's clock; 0 keeps the source's.
	Timeout time.Duration
	// Estimate, when set, is called with the planner's estimate of the number
	// of rows before they are read.
	Estimate func(rows int64)
	// Count, when set, is asked in the same snapshot before the rows.
	Count *Count
	// Guard, when set, is asked in the same snapshot before everything else: one text, by
	// which it is told later whether the rows would still be the same. What it gives is never
	// newer than the rows, also where it looks past the snapshot.
	Guard *Statement
}

// Count asks how many rows there are in all.
type Count struct {
	// Statement gives one number, or, when Estimated, the rows whose number the planner
	// is asked for.
	Statement
	Estimated bool
	// Rows is the answer.
	Rows int64
}

// Summary is what a completed read came to.
type Summary struct {
	Rows int64
	// Snapshot is the time, by the database's clock, of the one state of the
	// database that all rows are from.
	Snapshot time.Time
	// Guard is what Read.Guard gave: "" for NULL and for no row; nil when none was asked.
	Guard *string
}

// Stream runs a statement in a READ ONLY transaction with one REPEATABLE READ
// snapshot and passes its rows to the sink. It returns without an error only
// when the database said that the statement ended well, with as many rows as
// were passed on.
//
// When ctx ends, or the sink fails, the statement is cancelled in the database
// and its connection is closed, never reused: a cancel that arrives late could
// else hit the next statement.
func (s *Source) Stream(ctx context.Context, r Read, sink Sink) (Summary, error) {
	var sum Summary
	err := transaction(ctx, s.pool, r.Timeout, func(pg *pgconn.PgConn, snapshot time.Time) (err error) {
		sum.Snapshot = snapshot
		if sum.Guard, err = r.before(ctx, pg); err == nil {
			sum.Rows, err = stream(ctx, pg, r.Statement, sink)
		}
		return err
	})
	return sum, err
}

// before asks what is to be known before the rows.
func (r Read) before(ctx context.Context, pg *pgconn.PgConn) (guard *string, err error) {
	if r.Guard != nil {
		text, err := value(ctx, pg, *r.Guard)
		if err != nil {
			return nil, err
		}
		guard = &text
	}
	if r.Estimate != nil {
		rows, err := estimate(ctx, pg, r.Statement)
		if err != nil {
			return nil, err
		}
		r.Estimate(rows)
	}
	if r.Count != nil {
		err = r.Count.ask(ctx, pg)
	}
	return guard, err
}

// transaction has statements run in one READ ONLY transaction with one snapshot. When they
// fail, their connection is closed; timeout is theirs by the database's clock, 0 that of the pool.
func transaction(ctx context.Context, pool *pgxpool.Pool, timeout time.Duration, run func(pg *pgconn.PgConn, snapshot time.Time) error) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return failure(ctx, err)
	}
	defer conn.Release() // a connection that is not idle is closed by the pool
	pg := conn.Conn().PgConn()
	snapshot, err := begin(ctx, pg, timeout)
	if err != nil {
		return failure(ctx, err)
	}
	if err := run(pg, snapshot); err != nil {
		abandon(pg)
		return failure(ctx, err)
	}
	// Nothing was written, so how the transaction ends says nothing about the
	// rows; but a connection that cannot end it is not for reuse.
	if _, err := pg.Exec(ctx, "COMMIT").ReadAll(); err != nil {
		abandon(pg)
	}
	return nil
}

// abandonWait bounds how long the closing of a connection may take.
const abandonWait = 5 * time.Second

func abandon(pg *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), abandonWait)
	defer cancel()
	_ = pg.Close(ctx) // either way the pool throws it away
	// A statement that was given up has its connection closed in the background, once a
	// cancel request has been answered, which may take long. The database notices at once,
	// or within client_connection_check_interval, that nobody is there.
	_ = pg.Conn().Close()
}

// begin opens the transaction and returns the time of its snapshot.
func begin(ctx context.Context, pg *pgconn.PgConn, timeout time.Duration) (time.Time, error) {
	sql := "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
	if timeout > 0 {
		sql += "SET LOCAL statement_timeout = " + millis(timeout) + ";"
	}
	results, err := pg.Exec(ctx, sql+"SELECT (extract(epoch FROM pg_catalog.statement_timestamp()) OPERATOR(pg_catalog.*) 1000::pg_catalog.numeric)::pg_catalog.int8").ReadAll()
	if err != nil {
		return time.Time{}, err
	}
	last := results[len(results)-1]
	var ms int64
	if err := json.Unmarshal(last.Rows[0][0], &ms); err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(ms), nil
}

// stream sends the statement and passes every row on.
func stream(ctx context.Context, pg *pgconn.PgConn, st Statement, sink Sink) (int64, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	result := pg.ExecParams(ctx, st.SQL, bind(st.Args), nil, nil, nil)
	fields := result.FieldDescriptions()
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.Name, OID: f.DataTypeOID, Mod: modifier(f.TypeModifier)}
	}
	var n int64
	var failed error
	if fields != nil {
		failed = sink.Columns(columns)
	}
	for failed == nil && result.NextRow() {
		n++
		failed = sink.Row(result.Values())
	}
	if failed != nil {
		cancel(failed) // the reader stops, and the database is told to
		_, _ = result.Close()
		return n, &Error{Kind: SinkFailed, Reason: failed.Error(), err: failed}
	}
	tag, err := result.Close()
	if err != nil {
		return n, err
	}
	if tag.RowsAffected() != n {
		return n, countError(n, tag.RowsAffected())
	}
	return n, nil
}

func bind(args []Arg) [][]byte {
	values := make([][]byte, len(args))
	for i, a := range args {
		if !a.Null {
			values[i] = []byte(a.Value)
		}
	}
	return values
}

func (c *Count) ask(ctx context.Context, pg *pgconn.PgConn) (err error) {
	if c.Estimated {
		c.Rows, err = estimate(ctx, pg, c.Statement)
		return err
	}
	answer := pg.ExecParams(ctx, c.SQL, bind(c.Args), nil, nil, nil).Read()
	if answer.Err != nil {
		return answer.Err
	}
	if len(answer.Rows) != 1 || len(answer.Rows[0]) != 1 {
		return errors.New("a count has one row of one column")
	}
	c.Rows, err = strconv.ParseInt(string(answer.Rows[0][0]), 10, 64)
	return err
}

// estimate asks the planner how many rows the statement will give.
func estimate(ctx context.Context, pg *pgconn.PgConn, st Statement) (int64, error) {
	result := pg.ExecParams(ctx, "EXPLAIN (FORMAT JSON) "+st.SQL, bind(st.Args), nil, nil, nil).Read()
	if result.Err != nil {
		return 0, result.Err
	}
	var plans []struct {
		Plan struct {
			Rows float64 `json:"Plan Rows"`
		}
	}
	if len(result.Rows) == 1 {
		_ = json.Unmarshal(result.Rows[0][0], &plans) // another server's form of EXPLAIN: no estimate, no harm
	}
	if len(plans) != 1 {
		return 0, nil
	}
	return int64(plans[0].Plan.Rows), nil
}
