// Package rows brings rows from databases to bytes: connection pools of the
// data sources, streaming reads of bound statements, and the encoders (CSV,
// JSON) that append raw values without materialising a row.
//
// It speaks PostgreSQL's extended protocol with text-format values: parameters
// stay bound, and a value is passed on as the very text PostgreSQL wrote. That
// is faster than COPY, which cannot bind parameters, and several times faster
// than decoding values into Go types.
package rows

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// SourceOptions bound what queries of a source may do.
type SourceOptions struct {
	// MaxConns is how many connections this process opens at most, and two more for Value.
	MaxConns int
	// StatementTimeout ends a statement in the database; 0 means never.
	StatementTimeout time.Duration
	// LockTimeout bounds the wait for a lock, IdleTimeout an abandoned
	// transaction; 0 means never.
	LockTimeout, IdleTimeout time.Duration
	// Application is told to the database as application_name.
	Application string
	// SearchPath is where names without a schema are looked for; empty: as the role has it.
	SearchPath string
}

// Source is one database with one login role, as a pool of connections. It is
// opened without connecting: a database that is down shows when it is asked.
type Source struct {
	name string
	pool *pgxpool.Pool
	// asking has the connections of Value, whose statements end after valueTimeout at the latest.
	asking       *pgxpool.Pool
	valueTimeout time.Duration
}

// Open prepares a pool for the URL.
func Open(name, url string, o SourceOptions) (*Source, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		// pgx hides the password in this error, and nothing else in it is secret.
		return nil, fmt.Errorf("data source %s: %w", name, err)
	}
	config.MaxConns = int32(max(o.MaxConns, 1))
	config.ConnConfig.ConnectTimeout = 5 * time.Second
	config.PingTimeout = 5 * time.Second // of a connection that was idle: its peer may be gone unheard
	config.ConnConfig.BuildFrontend = cutting
	params := config.ConnConfig.RuntimeParams
	params["application_name"] = o.Application
	if o.SearchPath != "" {
		params["search_path"] = o.SearchPath
	}
	params["statement_timeout"] = millis(o.StatementTimeout)
	params["lock_timeout"] = millis(o.LockTimeout)
	params["idle_in_transaction_session_timeout"] = millis(o.IdleTimeout)
	// The output of every type is fixed here, whatever the role's or the
	// database's defaults are: the encoders read this text.
	params["timezone"] = "UTC"
	params["datestyle"] = "ISO, MDY"
	params["intervalstyle"] = "postgres"
	params["bytea_output"] = "hex"
	params["extra_float_digits"] = "1"
	// So is how a literal is read that a value was put into.
	params["client_encoding"] = "UTF8"
	params["standard_conforming_strings"] = "on"
	// A query whose client is gone notices it, rather than running to its end.
	params["client_connection_check_interval"] = "1000"
	// Statements are sent as they are, by this package; nothing is cached.
	config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeExec
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return nil, fmt.Errorf("data source %s: %w", name, err)
	}
	asking, timeout, err := askingPool(config, o.StatementTimeout)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("data source %s: %w", name, err)
	}
	return &Source{name: name, pool: pool, asking: asking, valueTimeout: timeout}, nil
}

// millis is a time limit for a setting of PostgreSQL, which takes 24 days at most.
func millis(d time.Duration) string {
	return strconv.FormatInt(min(d.Milliseconds(), math.MaxInt32), 10)
}

// Name is the source's name in the configuration.
func (s *Source) Name() string { return s.name }

// Close ends all connections, after the queries that run.
func (s *Source) Close() {
	s.pool.Close()
	s.asking.Close()
}

// Ping reports whether the database answers.
func (s *Source) Ping(ctx context.Context) error {
	return failure(ctx, s.pool.Ping(ctx))
}

// Description is what the database says a statement comes to.
type Description struct {
	Columns []Column
	// Params are the types it infers for $1, $2, …
	Params []uint32
}

// Describe asks for the columns and parameter types of a statement without
// running it.
func (s *Source) Describe(ctx context.Context, sql string) (Description, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return Description{}, failure(ctx, err)
	}
	defer conn.Release()
	d, err := conn.Conn().PgConn().Prepare(ctx, "", sql, nil)
	if err != nil {
		return Description{}, failure(ctx, err)
	}
	types, err := typeNames(ctx, conn.Conn(), d.Fields)
	if err != nil {
		return Description{}, failure(ctx, err)
	}
	out := Description{Params: d.ParamOIDs, Columns: make([]Column, len(d.Fields))}
	for i, f := range d.Fields {
		out.Columns[i] = Column{Name: f.Name, OID: f.DataTypeOID, Type: types[i], Mod: modifier(f.TypeModifier)}
	}
	return out, nil
}

// typeNames asks for the names of the fields' types, with their modifiers:
// numeric(10,2).
func typeNames(ctx context.Context, conn *pgx.Conn, fields []pgconn.FieldDescription) ([]string, error) {
	oids, mods := make([]uint32, len(fields)), make([]int32, len(fields))
	for i, f := range fields {
		oids[i], mods[i] = f.DataTypeOID, f.TypeModifier
	}
	const query = `SELECT pg_catalog.format_type(t, m) 
		FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.int4[])) WITH ORDINALITY AS u(t, m, n) ORDER BY n`
	rows, err := conn.Query(ctx, query, pgtype.FlatArray[uint32](oids), mods)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}
