package rows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Session is one connection with a source's login, for statements that may write,
// fresh or fully reset. It is beside the pool, and used by one goroutine: nothing that
// the statements leave in a session reaches another one.
type Session struct {
	source  *Source
	pg      *pgconn.PgConn
	backend Backend
	options SessionOptions // of the work at hand
	opened  time.Time
	given   time.Time // when it last came back to Sessions
	// spent: it is not to be used for more work.
	spent atomic.Bool
}

// Backend identifies one server process of a database. Both are needed: the
// number of a process that has ended is given out again.
type Backend struct {
	PID int64 `json:"pid"`
	// Start is when it began, as the database writes it.
	Start string `json:"start"`
}

// SessionOptions set up a Session.
type SessionOptions struct {
	// Owner is whose work it is: a kept session is used again for the same owner only.
	Owner string
	// Application is told to the database as application_name.
	Application string
	// Timeout is the statement_timeout that the session begins with; 0 means
	// none. Statements may change it.
	Timeout time.Duration
	// Settings, of the form "batch.job_id", can be read with current_setting.
	Settings map[string]string
}

// What a session is asked about itself. Like all our own statements on a source
// these name everything in full: a function or an operator of the same name, which
// somebody else has put into a schema of the session's search path, may fit better,
// and would run with the session's rights.
const (
	// backendSQL is asked as the login: a role that it takes on by itself sees less.
	backendSQL = `
		SET LOCAL ROLE none;
		SELECT pid, backend_start::pg_catalog.text FROM pg_catalog.pg_stat_get_activity(pg_catalog.pg_backend_pid())`

	settingSQL = "SELECT pg_catalog.set_config($1::pg_catalog.text, $2::pg_catalog.text, false)"

	// transactionSQL asks for the number of the transaction that asks.
	transactionSQL = `
		SELECT pg_catalog.split_part(virtualtransaction, '/', 2) FROM pg_catalog.pg_locks
		WHERE locktype OPERATOR(pg_catalog.=) 'virtualxid'::pg_catalog.text AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()`
)

// Session connects. The time limits of interactive queries do not hold in it.
func (s *Source) Session(ctx context.Context, o SessionOptions) (*Session, error) {
	config := s.pool.Config().ConnConfig.Config
	config.BuildFrontend = skipping
	config.RuntimeParams["statement_timeout"] = "0"
	config.RuntimeParams["lock_timeout"] = "0"
	config.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	pg, err := pgconn.ConnectConfig(ctx, &config)
	if err != nil {
		return nil, loginFailure(ctx, err)
	}
	session := &Session{source: s, pg: pg, opened: time.Now()}
	if session.backend, err = identify(ctx, pg); err == nil {
		err = session.prepare(ctx, o)
	}
	if err != nil {
		session.Close()
		return nil, failure(ctx, err)
	}
	return session, nil
}

func identify(ctx context.Context, pg *pgconn.PgConn) (b Backend, err error) {
	results, err := pg.Exec(ctx, backendSQL).ReadAll()
	if err != nil {
		return b, err
	}
	if len(results) != 2 || len(results[1].Rows) != 1 || results[1].Rows[0][1] == nil {
		return b, errors.New("the session does not find itself among the activities")
	}
	row := results[1].Rows[0]
	b.Start = string(row[1])
	b.PID, err = strconv.ParseInt(string(row[0]), 10, 64)
	return b, err
}

// prepare makes a session ready for work.
func (s *Session) prepare(ctx context.Context, o SessionOptions) error {
	s.options = o
	for name, value := range o.Settings {
		s.spent.Store(true) // a name that was once set stays known, if empty
		if err := s.pg.ExecParams(ctx, settingSQL, [][]byte{[]byte(name), []byte(value)}, nil, nil, nil).Read().Err; err != nil {
			return err
		}
	}
	return nil
}

// firstSQL asks for the number of the transaction, and sets what the statements that
// follow begin with.
func (s *Session) firstSQL() string {
	set := func(name, value string) string {
		return ", pg_catalog.set_config('" + name + "', " + literal(value) + ", false)"
	}
	columns, from, _ := strings.Cut(transactionSQL, " FROM ")
	return columns + set("application_name", s.options.Application) + set("statement_timeout", millis(s.options.Timeout)) + " FROM " + from
}

// Backend is the server process of the session.
func (s *Session) Backend() Backend { return s.backend }

// Close ends the session.
func (s *Session) Close() { abandon(s.pg) }

// Ended is how the statements of a Session came to their end.
type Ended struct {
	// Err is an *Error, or nil when all of them did what they were to do, and are
	// committed.
	Err error
	// Refused is why the sink did not take all rows of statements that did what they
	// were to do all the same: they had ended before they could be stopped.
	Refused error
	// Undone: the database says that they were cancelled or failed, and had no
	// effect. Statements that commit in their middle, or work outside of
	// transactions, are never undone.
	Undone bool
	// Broken: the session ended first, so what they did is unknown.
	Broken bool
}

// Run sends SQL text as one message, so that its statements are one implicit
// transaction. The rows that they give go to the sink, if there is one: its Columns is
// called anew for each statement that gives rows. When it fails, or ctx ends, the
// statements are cancelled, and Run goes on waiting for the database to say how they
// ended.
func (s *Session) Run(ctx context.Context, sql string, sink Sink) Ended {
	begun, ended := make(chan struct{}), make(chan Ended, 1)
	go func() { ended <- s.exec(sql, sink, begun) }()
	select {
	case e := <-ended:
		return e
	case <-ctx.Done():
		return s.stop(begun, ended)
	}
}

// How long statements may take to stop: then their server process is ended, and
// at last the connection is cut.
const (
	stopPatience = 5 * time.Second
	cutPatience  = 5 * time.Second
)

// stop cancels the statements until they have ended. A cancel that reaches the
// database before the statements do is lost, so one is not enough.
func (s *Session) stop(begun <-chan struct{}, ended <-chan Ended) Ended {
	patience, enough := context.WithTimeout(context.Background(), stopPatience)
	defer enough()
	for {
		select {
		case <-begun:
			s.cancel(patience)
		default: // it would hit the question before the statements
		}
		select {
		case e := <-ended:
			return e
		case <-time.After(250 * time.Millisecond):
		case <-patience.Done():
			ctx, cancel := context.WithTimeout(context.Background(), cutPatience)
			defer cancel()
			_ = s.source.End(ctx, s.backend) // how the statements end says whether it did
			select {
			case e := <-ended:
				return e
			case <-ctx.Done():
				_ = s.pg.Conn().Close()
				return <-ended
			}
		}
	}
}

// cancelPatience is how long a cancel may take to be delivered.
const cancelPatience = 2 * time.Second

func (s *Session) cancel(ctx context.Context) {
	s.spent.Store(true)
	ctx, cancel := context.WithTimeout(ctx, cancelPatience)
	defer cancel()
	_ = s.pg.CancelRequest(ctx) // the next one, or the end of the session, does it
}

// exec sends the statements, between two questions for the number of the session's
// transaction: whether it grew by more than theirs tells whether statements that
// failed had already committed something.
//
// The three go out together, because a session that waits for its client may use a
// transaction of its own, as to catch up with changes that others make to tables.
// It does not wait while it has more to read.
func (s *Session) exec(sql string, sink Sink, begun chan<- struct{}) Ended {
	wire := s.pg.Frontend()
	wire.Send(&pgproto3.Query{String: s.firstSQL()})
	wire.Send(&pgproto3.Query{String: sql})
	// A COPY FROM STDIN would wait for a file that nobody sends. Where there is
	// none, the database passes over this.
	wire.Send(&pgproto3.CopyFail{Message: "there is no input to copy from"})
	wire.Send(&pgproto3.Query{String: transactionSQL})
	if err := wire.Flush(); err != nil {
		return broken(err)
	}
	before, err := s.number()
	if err != nil {
		return broken(err)
	}
	close(begun)
	e := s.receive(sink)
	if e.Broken {
		return e
	}
	after, err := s.number()
	e.Undone = e.Err != nil && before > 0 && s.undone(before, after, err)
	return e
}

// receive takes the rows of the statements to the sink, until the database has come
// to the end of the statements.
func (s *Session) receive(sink Sink) Ended {
	var failed *pgconn.PgError
	var refused error // by the sink
	rows := false
	take := func(row func() error) {
		if sink == nil || refused != nil {
			return
		}
		if refused = row(); refused != nil {
			s.cancel(context.Background())
		}
	}
	for {
		message, err := s.pg.ReceiveMessage(context.Background())
		if err != nil {
			return broken(err)
		}
		switch m := message.(type) {
		case *pgproto3.RowDescription:
			rows = rows || sink != nil
			take(func() error {
				if slices.ContainsFunc(m.Fields, func(f pgproto3.FieldDescription) bool { return f.Format != 0 }) {
					return ErrForm
				}
				return sink.Columns(columnsOf(m.Fields))
			})
		case *pgproto3.DataRow:
			take(func() error { return sink.Row(m.Values) })
		case *pgproto3.ErrorResponse:
			if m.Routine == longRow {
				take(func() error { return ErrLongRow })
			} else {
				failed = pgconn.ErrorResponseToPgError(m)
			}
		case *pgproto3.ReadyForQuery:
			if rows && s.pg.ParameterStatus("client_encoding") != "UTF8" {
				refused = cmp.Or(refused, ErrForm)
			}
			switch {
			case refused != nil && failed != nil:
				return Ended{Err: &Error{Kind: SinkFailed, Reason: refused.Error(), err: refused}}
			case failed != nil:
				return Ended{Err: failure(context.Background(), failed)}
			case m.TxStatus != 'I':
				return Ended{Err: &Error{Kind: BadQuery, Reason: "the statements left a transaction open; it was rolled back"}}
			}
			return Ended{Refused: refused}
		}
	}
}

// ErrForm says that statements have changed the form in which rows come.
var ErrForm = errors.New("rows are read as text in UTF-8; leave client_encoding as it is, and cursors without BINARY")

// number takes the answer to transactionSQL: 0 when the question failed. An error
// says that the session is broken.
func (s *Session) number() (n int64, err error) {
	for {
		message, err := s.pg.ReceiveMessage(context.Background())
		if err != nil {
			return 0, err
		}
		switch m := message.(type) {
		case *pgproto3.DataRow:
			n, _ = strconv.ParseInt(string(m.Values[0]), 10, 64)
		case *pgproto3.ReadyForQuery:
			return n, nil
		}
	}
}

func columnsOf(fields []pgproto3.FieldDescription) []Column {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: string(f.Name), OID: f.DataTypeOID, Mod: modifier(f.TypeModifier)}
	}
	return columns
}

func broken(err error) Ended { return Ended{Err: failure(context.Background(), err), Broken: true} }

// undone reports whether statements that failed were one transaction, which then
// was rolled back as a whole. They were not when they committed in their middle:
// by COMMIT, in a procedure, or as VACUUM and its like do by themselves. before and
// after are the numbers of the transactions around them, after 0 for a question
// that failed.
func (s *Session) undone(before, after int64, err error) bool {
	if err != nil {
		return false
	}
	own := int64(1) // how many transactions of their own the questions since have had
	again := transactionSQL
	if s.pg.TxStatus() == 'E' { // the statements' BEGIN: nothing can be asked in what it has begun
		own, again = 0, "ROLLBACK;"+transactionSQL
	}
	ctx, cancel := context.WithTimeout(context.Background(), abandonWait)
	defer cancel()
	for after == 0 && own < 3 { // a cancel that came late has hit the question
		own++
		results, _ := s.pg.Exec(ctx, again).ReadAll()
		if n := len(results); n > 0 && len(results[n-1].Rows) == 1 {
			after, _ = strconv.ParseInt(string(results[n-1].Rows[0][0]), 10, 64)
		}
		again = transactionSQL
	}
	return after == before+1+own
}

// End ends exactly this server process, and returns once it is gone, with
// everything that it had not committed; at once when it is gone already.
func (s *Source) End(ctx context.Context, b Backend) error {
	// As the login, which may have a role that sees less; see backendSQL.
	end := fmt.Sprintf(`
		SET LOCAL ROLE none;
		SELECT pg_catalog.count(pg_catalog.pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity
		WHERE pid OPERATOR(pg_catalog.=) %d::pg_catalog.int4 AND backend_start OPERATOR(pg_catalog.=) %s::pg_catalog.timestamptz`, b.PID, literal(b.Start))
	for {
		there, err := s.count(ctx, end)
		if err != nil {
			return loginFailure(ctx, err)
		}
		if there == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return &Error{Kind: Unavailable, Reason: fmt.Sprintf("server process %d does not end", b.PID), err: ctx.Err()}
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// count runs statements of which the last one gives a number.
func (s *Source) count(ctx context.Context, sql string) (int, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Release()
	results, err := conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(results[len(results)-1].Rows[0][0]))
}

// literal quotes a value; standard_conforming_strings is on.
func literal(value string) string { return "'" + strings.ReplaceAll(value, "'", "''") + "'" }
