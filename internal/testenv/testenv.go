// Package testenv tells tests where the real services are. A test that needs a
// service which is not there is skipped and says so; with REQUIRE_SERVICES=1,
// as in "make test", it fails instead, so that no service is left out unseen.
package testenv

import (
	"errors"
	"fmt"
	"os"
	"testing"
	"time"
)

// The variables that hold the services' URLs; scripts/services sets them.
const (
	PostgresVar = "SLASHBATCH_TEST_POSTGRES" // postgres://…, a role that may create databases
	RedisVar    = "SLASHBATCH_TEST_REDIS"    // redis://host:port, any database of it may be flushed
	S3Var       = "SLASHBATCH_TEST_S3"       // s3://bucket?endpoint=…, credentials in AWS_*
)

// reportVar names the file in which "make test" collects what Report tells.
const reportVar = "SLASHBATCH_TEST_REPORT"

// Report logs a line that is worth seeing although the test passes: go test
// hides the logs of those. "make test" shows all such lines at its end.
func Report(t testing.TB, format string, args ...any) {
	t.Helper()
	t.Logf(format, args...)
	name := os.Getenv(reportVar)
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	// One short write to a file opened for appending does not mix with another's.
	_, err = fmt.Fprintf(f, format+"\n", args...)
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// Postgres returns the URL of a PostgreSQL server for tests.
func Postgres(t testing.TB) string { return service(t, "PostgreSQL", PostgresVar) }

// Redis returns the URL of a Redis server for tests.
func Redis(t testing.TB) string { return service(t, "Redis", RedisVar) }

// S3 returns the store URL of a bucket for tests.
func S3(t testing.TB) string { return service(t, "S3", S3Var) }

// Missing skips the test, or fails it when services are required.
func Missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("REQUIRE_SERVICES") == "1" {
		t.Fatalf("%s is required here (REQUIRE_SERVICES=1)", what)
	}
	t.Skipf("skipped: needs %s; make test starts everything", what)
}

func service(t testing.TB, name, variable string) string {
	t.Helper()
	url := os.Getenv(variable)
	if url == "" {
		Missing(t, name+" at $"+variable)
	}
	return url
}

// Race is how long tests let clients race against each other: two seconds, or what
// SLASHBATCH_TEST_RACE says, such as 60s.
func Race() time.Duration {
	if d, err := time.ParseDuration(os.Getenv("SLASHBATCH_TEST_RACE")); err == nil {
		return d
	}
	return 2 * time.Second
}
