package jobs

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

func TestJudge(t *testing.T) {
	gone := &rows.Error{Kind: rows.Unavailable}
	for _, tt := range []struct {
		name       string
		err, cause error
		begun      bool
		broken     int
		want       verdict
	}{
		{"published", nil, nil, true, 0, finished},
		{"published although the worker stops", nil, errDrain, true, 0, finished},
		{"the query is wrong", &rows.Error{Kind: rows.BadQuery}, nil, true, 0, failed},
		{"the query took too long", &rows.Error{Kind: rows.Timeout}, nil, true, 0, failed},
		{"the database is down", gone, nil, false, 99, giveBack},
		{"the database went away in the middle", gone, nil, true, 0, giveBack},
		{"it has done so before", gone, nil, true, maxBroken - 1, giveBack},
		{"it always does", gone, nil, true, maxBroken, failed},
		{"the store went away", fmt.Errorf("put: %w", cache.ErrUnavailable), nil, true, 0, giveBack},
		{"the queue went away before sealing", queue.ErrUnavailable, nil, true, 0, giveBack},
		{"the worker stops", context.Canceled, errDrain, true, 0, giveBack},
		{"a beat said the claim is lost", &rows.Error{Kind: rows.Cancelled}, fmt.Errorf("%w: x", errLost), true, 0, lost},
		{"sealing said so", &queue.LostError{State: queue.Cancelled}, nil, true, 0, lost},
		{"a panic", errors.New("panic: x"), nil, true, 0, failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := judge(tt.err, tt.cause, tt.begun, tt.broken); got != tt.want {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
