package pgtest

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"slashbatch/internal/testenv"
)

func TestDatabasesAreSeparate(t *testing.T) {
	for i := range 8 {
		t.Run(fmt.Sprintf("parallel %d", i), func(t *testing.T) {
			t.Parallel()
			// The same table name in all of them: it collides if they share.
			query(t, New(t), "CREATE TABLE mine (x int); INSERT INTO mine VALUES (1)")
		})
	}
}

func TestDatabaseIsEmpty(t *testing.T) {
	t.Parallel()
	got := query(t, New(t), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
	if got != "0" {
		t.Errorf("a new database has %s relations, want none", got)
	}
}

func TestDroppedAtTheEnd(t *testing.T) {
	t.Parallel()
	server := testenv.Postgres(t)
	var name string
	t.Run("user", func(t *testing.T) {
		address := New(t)
		name = query(t, address, "SELECT current_database()")
		// Left open on purpose: a forgotten connection must not keep the database.
		if _, err := pgconn.Connect(t.Context(), address); err != nil {
			t.Fatal(err)
		}
	})
	if got := query(t, server, "SELECT count(*) FROM pg_database WHERE datname = '"+name+"'"); got != "0" {
		t.Errorf("database %s is still there", name)
	}
}

func TestDatabaseName(t *testing.T) {
	long := strings.Repeat("Long", 30)
	for _, test := range []string{"", "TestX/öäü a'b\"c", long} {
		got := databaseName(test)
		if !regexp.MustCompile(`^t_[a-z0-9_]+$`).MatchString(got) || len(got) > 63 {
			t.Errorf("databaseName(%q) = %q: needs quotes or is cut", test, got)
		}
		if got == databaseName(test) {
			t.Errorf("databaseName(%q) gave %q twice", test, got)
		}
	}
}

func TestWithDatabase(t *testing.T) {
	got, err := withDatabase("postgres://u:p%40@h:1/old?sslmode=disable", "new")
	if want := "postgres://u:p%40@h:1/new?sslmode=disable"; got != want || err != nil {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if got, err := withDatabase("host=x dbname=y", "new"); err == nil {
		t.Errorf("a keyword string gave %q, want an error", got)
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(b)
	}
}

// query runs a statement and returns the first value of its last result.
func query(t *testing.T, address, sql string) string {
	t.Helper()
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	last := results[len(results)-1]
	if len(last.Rows) == 0 {
		return ""
	}
	return string(last.Rows[0][0])
}
