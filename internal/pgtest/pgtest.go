// Package pgtest gives every test a PostgreSQL database of its own, so that
// tests may run in parallel, create what they like and leave it lying about.
package pgtest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"slashbatch/internal/testenv"
)

// limit is how long creating or dropping a database may take; on a machine
// where many tests do it at once, most of that is waiting in line.
const limit = time.Minute

// New creates an empty database on the server that [testenv.Postgres] names,
// and returns its URL. The database is dropped when the test and its subtests
// are over; connections that the test left open are then ended by force.
func New(t testing.TB) string {
	t.Helper()
	server := testenv.Postgres(t)
	name := databaseName(t.Name())
	address, err := withDatabase(server, name)
	if err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	// template0 rather than the default template1: nobody can be connected to
	// it, and a connection to the template makes CREATE DATABASE fail.
	if err := exec(server, "CREATE DATABASE "+name+" TEMPLATE template0"); err != nil {
		t.Fatalf("pgtest: %v", err)
	}
	t.Cleanup(func() {
		if err := exec(server, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("pgtest: %v", err)
		}
	})
	return address
}

// databaseName returns a name that needs no quotes, is unique, and tells
// somebody who looks into pg_stat_activity which test it belongs to.
func databaseName(test string) string {
	readable := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(test))
	if len(readable) > 40 { // PostgreSQL cuts names at 63 bytes
		readable = readable[:40]
	}
	return "t_" + readable + "_" + strings.ToLower(rand.Text()[:12])
}

// withDatabase returns the server's URL with its database replaced.
func withDatabase(server, name string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", err
	}
	if u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return "", fmt.Errorf("%s is %q: want a postgres:// URL", testenv.PostgresVar, u.Redacted())
	}
	u.Path = "/" + name
	return u.String(), nil
}

// exec runs one statement on a connection of its own: what it costs is nothing
// beside creating a database, and no pool has to outlive any test.
func exec(server, sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	conn, err := pgconn.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql).ReadAll()
	return err
}
