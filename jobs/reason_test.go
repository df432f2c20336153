package jobs

import (
	"errors"
	"fmt"
	"testing"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// The asker is told what they can act on, and nothing of what is inside.
func TestReasonFor(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"about the data", &rows.Error{Kind: rows.BadQuery, Code: "22012", Reason: "division by zero"}, "division by zero"},
		{"about rights", &rows.Error{Kind: rows.BadQuery, Code: "42501", Reason: "permission denied for table salaries"}, "the query of this endpoint failed (SQLSTATE 42501); the log has the details"},
		{"too long", &rows.Error{Kind: rows.Timeout, Reason: "canceling statement due to statement timeout"}, "canceling statement due to statement timeout"},
		{"a store that is away", fmt.Errorf("put s3://bucket/key: %w", cache.ErrUnavailable), "the export broke off again and again because a service it needs went away"},
		{"anything else", errors.New("disk of host x is full"), "the export could not be written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := reasonFor(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
