package queuetest

import (
	"context"
	"flag"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// machine does random operations with a queue and with the naive model, and
// compares after each of them: answers, lists, standings and positions. The model's
// positions come from really walking: claim after claim from a copy, until
// nothing is left. So the closed form of queue.Position is proven with the
// numbers that the backend keeps.
type machine struct {
	*fixture
	rt    *rapid.T
	model *model
	lease time.Duration
	past  []pastClaim
	// abandoned says why nothing can be said about the rest of a case.
	abandoned string
}

// pastClaim is a claim that has ended.
type pastClaim struct {
	queue.Holder
	job    *modelJob
	worker string
	how    string
	answer queue.State // of Fail
	at     time.Time
}

// budget is how long random cases go on, unless -rapid.checks says how many; with
// faults, or with -short, it is a third of that.
const budget = 3 * time.Second

// testModel leaves time out: no lease runs out, and no retry is due.
func testModel(t *testing.T, open Open) {
	checkModel(t, open, queue.Settings{Lease: time.Hour}, (*machine).actions)
}

// testCrashes lets workers die and their leases run out, and retries fall due.
func testCrashes(t *testing.T, open Open) {
	checkModel(t, open, queue.Settings{Lease: pace(t, open), Crashes: 2}, (*machine).timedActions)
}

// pace is a lease as short as this backend and this machine are likely to keep.
func pace(t *testing.T, open Open) time.Duration {
	f := newFixture(t, open, queue.Settings{})
	const rounds = 5
	start := time.Now()
	for range rounds {
		_, err := f.Beat(f.ctx, queue.Worker{ID: "w"}, nil)
		f.must(err)
		f.snapshot()
		_, err = f.Sweep(f.ctx)
		f.must(err)
	}
	return max(60*time.Millisecond, min(30*time.Since(start)/rounds, 300*time.Millisecond))
}

func checkModel(t *testing.T, open Open, s queue.Settings, actions func(*machine) map[string]func(*rapid.T)) {
	limit := budget
	if testing.Short() {
		limit /= 3
	}
	once := false
	flag.Visit(func(f *flag.Flag) { once = once || f.Name == "rapid.checks" })
	var cases, steps, abandoned int
	start := time.Now()
	over := func() bool { return !once && time.Since(start) > limit }
	failed := false // or it runs right now; one that failed is run again to make it smaller
	check := func(rt *rapid.T) {
		if over() && !failed {
			return
		}
		failed = true
		cases++
		ctx, cancel := context.WithTimeout(rt.Context(), hung)
		defer cancel()
		m := &machine{
			fixture: &fixture{tester: rt, Queue: lend(t, rt, open, s), ctx: ctx},
			rt:      rt,
			model:   newModel(),
			lease:   s.Lease,
		}
		if _, faults := m.Queue.(caller); faults {
			limit = budget / 3
		}
		m.model.crashLimit = s.WithDefaults().Crashes
		all := actions(m)
		all[""] = func(*rapid.T) {
			if m.abandoned != "" {
				abandoned++
				failed = false
				rt.Skip(m.abandoned)
			}
			m.compare()
			steps++
		}
		rt.Repeat(all)
		failed = false
	}
	for rapid.Check(t, check); !once && !over(); {
		rapid.Check(t, check)
	}
	testenv.Report(t, "queuetest: %s: %d random cases, %d operations, %d cases abandoned", t.Name(), cases, steps, abandoned)
}

// lend opens a queue for one case and closes it when the case ends: Open leaves
// that to the end of a test, and here thousands of cases may be one test.
func lend(t *testing.T, rt *rapid.T, open Open, s queue.Settings) queue.Queue {
	lent, done, ended := make(chan queue.Queue, 1), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t.Run("case", func(t *testing.T) {
			lent <- open(t, s)
			<-done
		})
	}()
	rt.Cleanup(func() { close(done); <-ended })
	select {
	case q := <-lent:
		return q
	case <-ended:
		rt.Fatal("no queue")
		return nil
	}
}

func (m *machine) same(what string, want, got any) {
	if !reflect.DeepEqual(want, got) { // quick, since this is done all the time
		m.Helper()
		m.Errorf("%s (-model +queue):\n%s", what, cmp.Diff(want, got))
	}
}

// some returns a random one of the model's jobs, and skips the action when none will do.
func (m *machine) some(will func(*modelJob) bool) *modelJob {
	var jobs []*modelJob
	for _, j := range m.model.jobs {
		if will(j) {
			jobs = append(jobs, j)
		}
	}
	if len(jobs) == 0 {
		m.rt.Skip("no such job")
	}
	return jobs[m.number("job", len(jobs))]
}

// number is a random one below n.
func (m *machine) number(what string, n int) int { return rapid.IntRange(0, n-1).Draw(m.rt, what) }

// chance is one in n.
func (m *machine) chance(what string, n int) bool { return m.number(what, n) == n-1 }

// user is a random one. They are few, so that they meet.
func (m *machine) user() string { return modelUsers[m.number("user", len(modelUsers))] }

var modelUsers = []string{"ann", "bob", "cec"}

// lane is mostly the one of exports, so that its lists grow.
func (m *machine) lane() queue.Lane {
	if m.chance("lane sql", 4) {
		return queue.LaneSQL
	}
	return queue.LaneExport
}
