// Package demo holds what "slashbatch demo" and docker compose show slashbatch
// with: sample data for PostgreSQL, and endpoints over them.
package demo

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Endpoints holds the endpoint files, in the folder "endpoints".
//
//go:embed endpoints/*.yaml
var Endpoints embed.FS

// sample is the script that docker compose runs as well, by psql.
//
//go:embed sample.sql
var sample string

// analyst is for the demo alone: roles are of a whole server.
//
//go:embed analyst.sql
var analyst string

// assets is for the demo alone: it writes into the service's own tables.
//
//go:embed assets.sql
var assets string

// LoadAssets makes a customer, number 99, called gallery, whose key has this SHA-256 in
// hexadecimal digits, with batches of assets and named queries, in a database that has the
// service's tables.
func LoadAssets(ctx context.Context, url, keySHA256 string) error {
	return run(ctx, url, "INSERT INTO slashbatch.customer (id, name, key_digest) VALUES (99, 'gallery', '\\x"+keySHA256+"');\n"+assets)
}

// Analyst is the role that LoadAnalyst makes.
const Analyst = "analyst"

// Load fills the empty database at url with the sample data, some seconds' work.
// When it fails or ctx ends, the database is as it was.
func Load(ctx context.Context, url string) error { return run(ctx, url, sample) }

// LoadAnalyst makes a role that may read the sample data, and has a schema of its own.
func LoadAnalyst(ctx context.Context, url, password string) error {
	return run(ctx, url, analyst+"ALTER ROLE analyst PASSWORD '"+strings.ReplaceAll(password, "'", "''")+"'")
}

func run(ctx context.Context, url, script string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("sample data: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// The simple protocol takes the whole script at once, as psql -f would.
	if _, err := conn.Exec(ctx, script).ReadAll(); err != nil {
		return fmt.Errorf("sample data: %w", err)
	}
	return nil
}
