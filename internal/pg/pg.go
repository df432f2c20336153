// Package pg is what our own tables in PostgreSQL need: a pool and numbered
// migrations.
package pg

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Open prepares a pool of at most conns connections without connecting.
func Open(url, application string, conns int) (*pgxpool.Pool, error) {
	config, err := Config(url, application, conns)
	if err != nil {
		return nil, err
	}
	return pgxpool.NewWithConfig(context.Background(), config)
}

// Config is how Open connects, for a caller that needs something more.
func Config(url, application string, conns int) (*pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err // which shows no password
	}
	config.MaxConns = int32(conns)
	config.PingTimeout = 5 * time.Second // of a connection that was idle: its peer may be gone unheard
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = application
	// Ours are timestamps with time zone, so that none of it matters; UTC is for
	// people who look at the server's log. A zone in the URL wins.
	if !has(params, "timezone") {
		params["timezone"] = "UTC"
	}
	// Nothing that others have put into another schema is taken for what is meant:
	// a function or operator there may fit better than PostgreSQL's own.
	params["search_path"] = "pg_catalog"
	// A check made after a lock must see what was committed before it was had.
	params["default_transaction_isolation"] = "read committed"
	// Our statements are short. One that is not is waiting for something that
	// will not come, and must not take the pool with it.
	params["statement_timeout"] = "15000"
	params["lock_timeout"] = "10000"
	params["idle_in_transaction_session_timeout"] = "15000"
	return config, nil
}

// has reports whether a setting is given; PostgreSQL does not mind its case.
func has(params map[string]string, name string) bool {
	for given := range params {
		if strings.EqualFold(given, name) {
			return true
		}
	}
	return false
}

// IsAway tells a database that cannot be reached from one that says no.
func IsAway(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return true
	}
	switch answer.Code[:2] {
	case "08", "53", "57", "58", "40": // connection, resources, operator, system, rolled back
		return true
	}
	// The database is not there yet; a lock was not to be had in time, as while
	// another process migrates.
	return answer.Code == "3D000" || answer.Code == "55P03"
}
