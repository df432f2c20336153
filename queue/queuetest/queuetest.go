// Package queuetest is the suite that every backend of the queue passes, and
// its benchmark. A backend joins with
//
//	func TestQueue(t *testing.T) {
//		queuetest.Run(t, "memory", func(t *testing.T, s queue.Settings) queue.Queue {
//			return memqueue.New(s)
//		})
//	}
//
// The suite knows nothing but the contract. It runs against the backend's own
// clock: where time has to pass it uses short leases and waits for what must
// happen, so a slow machine makes it slower and not red.
//
// Tests name the lines of the case lists that they hold in their comments:
// C (batch queries), S (request queue), R and I (repository and result store).
package queuetest

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// Open returns a fresh, empty queue that no other call of Open shares, and
// closes it when the test ends.
type Open func(t *testing.T, s queue.Settings) queue.Queue

// topic is a part of the contract.
type topic struct {
	name string
	run  func(*testing.T, Open)
	slow bool // with -short it runs without faults only
}

var topics = []topic{
	{"enqueue", testEnqueue, false},
	{"dedupe", testDedupe, false},
	{"order", testOrder, false},
	{"caps", testCaps, false},
	{"capacity", testCapacity, false},
	{"claim", testClaim, false},
	{"fence", testFence, false},
	{"lease", testLease, true},
	{"release", testRelease, false},
	{"fail", testFail, false},
	{"cancel", testCancel, false},
	{"waiters", testWaiters, false},
	{"sharing", testSharing, false},
	{"heirs", testHeirs, false},
	{"delay", testDelay, false},
	{"pause", testPause, false},
	{"progress", testProgress, false},
	{"position", testPosition, false},
	{"estimates", testEstimates, true},
	{"stats", testStats, false},
	{"events", testEvents, false},
	{"list", testList, false},
	{"names", testNames, true},
	{"retention", testRetention, true},
	{"concurrency", testConcurrency, true},
	{"model", testModel, true},
	{"crashes", testCrashes, true},
}

// Run runs every topic against a backend, and again with each kind of fault between
// the backend and a caller that repeats what failed. It logs what ran.
func Run(t *testing.T, name string, open Open) {
	runTopics(t, name, open, topics)
	for _, fault := range []Fault{CallsFail, AnswersLost, CallsSlow} {
		t.Run(string(fault), func(t *testing.T) {
			some, left := topics, ""
			if testing.Short() {
				some = slices.DeleteFunc(slices.Clone(topics), func(t topic) bool { return t.slow })
				left = fmt.Sprintf(" (-short: %d fewer)", len(topics)-len(some))
			}
			runTopics(t, fmt.Sprintf("%s, %s%s", name, fault, left), func(t *testing.T, s queue.Settings) queue.Queue {
				return caller{newUnreliable(open(t, s), fault, seedOf(t))}
			}, some)
		})
	}
}

func runTopics(t *testing.T, name string, open Open, topics []topic) {
	var ran []string
	for _, topic := range topics {
		t.Run(topic.name, func(t *testing.T) {
			ran = append(ran, topic.name) // also when it fails
			topic.run(t, open)
		})
	}
	if len(ran) > 0 { // -run may have chosen others
		testenv.Report(t, "queuetest: %s: %d topics: %s", name, len(ran), strings.Join(ran, ", "))
	}
}

// seedOf is a test's own, and the same for all cases of a model.
func seedOf(t *testing.T) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(strings.TrimRight(t.Name(), "#0123456789")))
	return h.Sum64()
}
