package jobs

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// verdict is what a run came to, as far as the queue is concerned.
type verdict int

const (
	finished verdict = iota + 1 // all is done
	failed                      // it ended in an error that the asker should see
	giveBack                    // something it needs is out of reach, or the worker stops
	lost                        // somebody else decides about the job
)

// maxBroken is how often work is begun again after the database or the store
// went away in the middle of it, before that is taken for its own doing.
const maxBroken = 3

// judge decides what an export that ended in err comes to. cause is why its
// context ended, if it has; begun says that the database had taken the query,
// so that its end may be the query's own doing; broken is how often that has
// happened before.
func judge(err, cause error, begun bool, broken int) verdict {
	switch {
	case err == nil:
		return finished
	case errors.Is(cause, errLost):
		return lost
	case errors.Is(cause, errDrain):
		return giveBack
	case isLost(err):
		return lost
	}
	if outOfReach(err) && (!begun || broken < maxBroken) {
		return giveBack
	}
	return failed
}

func isLost(err error) bool {
	_, ok := errors.AsType[*queue.LostError](err)
	return ok
}

// outOfReach reports whether a database, the store, the catalogue or the queue
// could not be asked: nothing is wrong with the job itself.
func outOfReach(err error) bool {
	return rows.KindOf(err) == rows.Unavailable || errors.Is(err, cache.ErrUnavailable) || errors.Is(err, queue.ErrUnavailable)
}

// crashedError ends a job whose worker was lost too often.
type crashedError struct{ times int }

func (e crashedError) Error() string { return fmt.Sprintf("the worker was lost %d times", e.times) }

// retryDelay is how long after its n-th failed run a job is tried again: a
// second, twice that each time, at most five minutes, less up to a fifth of it by
// jitter (0 up to 1), so that what failed together does not come back together.
func retryDelay(n int, jitter float64) time.Duration {
	const least, most = time.Second, 5 * time.Minute
	d := most
	if n < 10 {
		d = min(least<<max(n-1, 0), most)
	}
	return (d - time.Duration(jitter*float64(d)/5)).Truncate(time.Millisecond)
}

// code is the SQLSTATE in words for whoever looks the failure up.
func code(e *rows.Error) string {
	if e.Code == "" {
		return ""
	}
	return " (SQLSTATE " + e.Code + "); the log has the details"
}

// reasonFor is what the asker of an export is told: what they can act on. The
// rest is for the log.
func reasonFor(err error) string {
	if e, ok := errors.AsType[crashedError](err); ok {
		return e.Error()
	}
	if e, ok := errors.AsType[*premadeError](err); ok {
		return e.Error()
	}
	if errors.Is(err, rows.ErrTooLarge) || errors.Is(err, rows.ErrLongRow) {
		return sinkReason(err)
	}
	if e, ok := errors.AsType[*rows.Error](err); ok {
		switch e.Kind {
		case rows.BadValue, rows.Timeout, rows.Cancelled:
			return e.Reason
		case rows.BadQuery:
			if strings.HasPrefix(e.Code, "22") {
				return e.Reason // about the data: a division by zero
			}
			// Other words of the database name tables, columns and rights of an
			// endpoint whose author the asker need not be.
			return "the query of this endpoint failed" + code(e)
		}
	}
	if outOfReach(err) {
		return "the export broke off again and again because a service it needs went away"
	}
	return "the export could not be written"
}
