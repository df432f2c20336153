package rows

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// askingConns is how many connections a source has for Value, beside those of its pool:
	// these may all be taken for hours, by exports, and somebody waits for the value.
	askingConns = 2
	// askingIdle is how long such a connection is kept for the next value.
	askingIdle = time.Minute
	// longestValue bounds a statement of Value by the database's clock, where the source's own
	// limit is that of exports. askingPatience is what connecting may take in addition.
	longestValue   = 30 * time.Second
	askingPatience = 10 * time.Second
)

// askingPool is the pool for Value, and the time limit of its statements, by a source's own
// configuration and limit. It opens no connection before it is used.
func askingPool(config *pgxpool.Config, limit time.Duration) (*pgxpool.Pool, time.Duration, error) {
	config = config.Copy()
	config.MaxConns, config.MinConns, config.MinIdleConns = askingConns, 0, 0
	config.MaxConnIdleTime = askingIdle
	if limit <= 0 || limit > longestValue {
		limit = longestValue
	}
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	return pool, limit, err
}

// Value runs a statement that gives one text, in a READ ONLY transaction of its own: "" for
// NULL and for no row. It waits for no stream of rows, and takes no longer than an
// interactive query may. Errors are as Stream's.
func (s *Source) Value(ctx context.Context, st Statement) (text string, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.valueTimeout+askingPatience)
	defer cancel()
	err = transaction(ctx, s.asking, s.valueTimeout, func(pg *pgconn.PgConn, _ time.Time) (err error) {
		text, err = value(ctx, pg, st)
		return err
	})
	return text, err
}

// value runs a statement that gives one text in the transaction of a connection.
func value(ctx context.Context, pg *pgconn.PgConn, st Statement) (string, error) {
	result := pg.ExecParams(ctx, st.SQL, bind(st.Args), nil, nil, nil)
	columns, n, text := len(result.FieldDescriptions()), 0, ""
	for result.NextRow() {
		if n++; n == 1 && columns == 1 {
			text = string(result.Values()[0])
		}
	}
	if _, err := result.Close(); err != nil {
		return "", err
	}
	if columns != 1 || n > 1 {
		return "", &Error{Kind: BadQuery, Reason: "a value is one row of one column"}
	}
	return text, nil
}
