package rows

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Kind says what an error of the database means for whoever asked.
type Kind int

// The kinds of errors.
const (
	// Unavailable: the database could not be asked, or went away. The query had
	// no effect that anybody relies on; try again later.
	Unavailable Kind = iota + 1
	// Timeout: the statement ran into its time limit.
	Timeout
	// Cancelled: somebody cancelled the statement, or the asker went away.
	Cancelled
	// BadValue: a value was of the right form but the database refused it.
	BadValue
	// BadQuery: the statement itself is wrong, or failed on the data.
	BadQuery
	// SinkFailed: whoever took the rows failed.
	SinkFailed
	// Refused: a session's login is refused. Unlike a pool, which waits for that to be
	// mended, a session is for somebody who may be told.
	Refused
)

// Error is a failed query.
type Error struct {
	Kind Kind
	// Reason is for the person who asked: the database's own message for their
	// query, or what else happened. It never holds connection strings or
	// statement text.
	Reason string
	// Code is the SQLSTATE, empty when the database did not answer.
	Code string
	err  error
}

func (e *Error) Error() string { return e.Reason }
func (e *Error) Unwrap() error { return e.err }

// KindOf returns the kind of a failed query, or 0 for another error.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return 0
}

// failure classifies an error of pgx. The context is the asker's: when it has
// ended, that is the reason, whatever pgx makes of it.
func failure(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if ctx.Err() != nil {
		if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
			return &Error{Kind: Timeout, Reason: "canceling statement due to statement timeout", err: err}
		}
		return &Error{Kind: Cancelled, Reason: "the query was cancelled", err: context.Cause(ctx)}
	}
	if isLong(err) {
		return &Error{Kind: BadQuery, Reason: ErrLongRow.Error(), err: ErrLongRow}
	}
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		// Errors of connecting hold the connection's host, user and database;
		// the log may have them, the asker not.
		return &Error{Kind: Unavailable, Reason: "the database cannot be reached", err: err}
	}
	return &Error{Kind: kindOfState(pg), Reason: pg.Message, Code: pg.Code, err: err}
}

// loginFailure is the failure of somebody's own login.
func loginFailure(ctx context.Context, err error) error {
	err = failure(ctx, err)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind == Unavailable {
		switch {
		case strings.HasPrefix(e.Code, "28"), // the role, its password, or pg_hba.conf
			e.Code == "3D000",                  // the database
			strings.HasPrefix(e.Code, "58P01"): // a library that the role has loaded at its start
			return &Error{Kind: Refused, Reason: e.Reason, Code: e.Code, err: e.err}
		}
	}
	return err
}

// kindOfState reads the SQLSTATE; see "PostgreSQL Error Codes".
func kindOfState(pg *pgconn.PgError) Kind {
	switch pg.Code {
	case "57014": // query_canceled: by timeout or by request
		// The message tells which, in the server's language; a time limit is
		// by far the likelier.
		if strings.Contains(pg.Message, "user request") {
			return Cancelled
		}
		return Timeout
	case "55P03": // lock_not_available
		return Timeout
	case "25P03", "57P05": // idle session timeouts
		return Timeout
	case "3D000": // invalid_catalog_name: the database was dropped
		return Unavailable
	case "53400": // configuration_limit_exceeded: temp_file_limit, by this very query
		return BadQuery
	}
	switch pg.Code {
	case "22P02", "22P03", "22003", "22007", "22008", "22021": // a text that is no value of its type, or out of its range
		return BadValue
	}
	switch pg.Code[:min(2, len(pg.Code))] {
	case "08", "53", "57", "58", "28": // connection, resources, operator, system, login
		return Unavailable
	case "40": // rolled back for the sake of others: a replica's replay, a deadlock
		return Unavailable
	}
	return BadQuery
}

// countError tells of a result that is not what the database said it was.
func countError(got, announced int64) error {
	return &Error{Kind: Unavailable, Reason: fmt.Sprintf("the database announced %d rows and delivered %d", announced, got)}
}
