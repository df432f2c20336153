package pg

import (
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// A process that starts waits for what passes, and gives up on what does not.
func TestIsAway(t *testing.T) {
	for code, want := range map[string]bool{
		"57P03": true,  // starting up
		"53300": true,  // too many connections
		"3D000": true,  // no such database yet
		"55P03": true,  // another process migrates for longer than we wait for its lock
		"40P01": true,  // a deadlock
		"28P01": false, // the wrong password
		"42501": false, // no right to create the schema
		"42601": false, // a migration that is wrong
	} {
		if got := IsAway(fmt.Errorf("migrate: %w", &pgconn.PgError{Code: code})); got != want {
			t.Errorf("%s: %v, want %v", code, got, want)
		}
	}
	if !IsAway(errors.New("connection refused")) {
		t.Error("no answer at all: want true")
	}
}
