// Package demo holds what "slashbatch demo" and docker compose show slashbatch
// with: sample data for PostgreSQL, and endpoints over them.
package demo

import (
	"context"
	"embed"
	"fmt"

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

// Load fills the empty database at url with the sample data, some seconds' work.
// When it fails or ctx ends, the database is as it was.
func Load(ctx context.Context, url string) error {
	conn, err := pgconn.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("sample data: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	// The simple protocol takes the whole script at once, as psql -f would.
	if _, err := conn.Exec(ctx, sample).ReadAll(); err != nil {
		return fmt.Errorf("sample data: %w", err)
	}
	return nil
}
