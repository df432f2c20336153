package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"
)

// fullSize tells whether the long runs were asked for: "make chaos". Without it
// the same tests run with short leases and few exports.
func fullSize() bool { return os.Getenv("SLASHBATCH_TEST_CHAOS") == "full" }

// chaosSize is what a chaos run is made of.
type chaosSize struct {
	exports, workers int
	every            time.Duration // between two kills
	lease            time.Duration
	limit            time.Duration
}

func sizeOfChaos() chaosSize {
	if fullSize() {
		return chaosSize{exports: 5000, workers: 8, every: 2 * time.Second, lease: 30 * time.Second, limit: 9 * time.Minute}
	}
	return chaosSize{exports: 200, workers: 4, every: 500 * time.Millisecond, lease: 2 * time.Second, limit: 2 * time.Minute}
}

// Workers are killed with whatever they hold, one every few moments, and others
// start in their place. No export is lost or published twice, and none stands still for
// longer than it takes to find out that its worker is dead.
func TestChaos(t *testing.T) {
	backends := map[string]string{"redis": testenv.Redis(t), "postgres": ""}
	for _, name := range []string{"redis", "postgres"} {
		t.Run(name, func(t *testing.T) {
			size := sizeOfChaos()
			c := &chaos{T: t, chaosSize: size, fleet: newFleetOf(t, shape{
				redis: backends[name], users: 50, running: 4, queued: size.exports, lease: size.lease, slots: 4,
			})}
			c.run()
			testenv.Report(t, "chaos: queue in %-8s  exports %5d  workers %d  killed %3d, with %3d jobs in their hands  lost %d  published twice %d  longest stall %4.1f s  longest silence %4.1f s  took %3.0f s",
				name, size.exports, size.workers, c.kills, c.held, c.lost, c.twice, c.stall.Seconds(), c.silence.Seconds(), c.took.Seconds())
			if c.held == 0 {
				t.Error("no worker was killed with anything in its hands; the run shows nothing")
			}
			if c.lost > 0 || c.twice > 0 {
				t.Error("exports were lost or published twice")
			}
		})
	}
}

type chaos struct {
	*testing.T
	chaosSize
	*fleet
	server  *process
	workers []*process
	follow  sync.WaitGroup

	kills, held, lost, twice int
	silence, took            time.Duration

	mu    sync.Mutex
	stall time.Duration // longest from the death of a job's worker until it ran again
}

func (c *chaos) run() {
	c.numbered(c.T, 300*time.Millisecond)
	c.server = start(c.T, "server", c.config, "serve")
	for i := range c.chaosSize.workers {
		c.workers = append(c.workers, start(c.T, fmt.Sprint("worker ", i), c.config, "worker"))
	}
	list := c.manyNumbered(c.exports)
	began := time.Now()
	var asking sync.WaitGroup
	asking.Go(func() { c.askAll(list) })
	done := make(chan struct{})
	var killing sync.WaitGroup
	killing.Go(func() { c.killUntil(done) })
	c.wait(done)
	c.took = time.Since(began)
	killing.Wait()
	asking.Wait()
	c.follow.Wait()
	c.verify(list)
}

// numbered adds an endpoint with any number of distinct requests, each of which
// takes a while before its 2,000 rows come.
func (f *fleet) numbered(t *testing.T, takes time.Duration) {
	t.Helper()
	write(t, filepath.Join(filepath.Dir(f.config), "endpoints", "numbered.yaml"), fmt.Sprintf(`
name: numbered
path: /numbered/{n}
query: SELECT id, label FROM item, pg_sleep(%g) WHERE grp = 1 + {n}::int %% 60
key: id
pathParameters: {n: {type: int}}
`, takes.Seconds()))
}

// manyNumbered returns n exports of that endpoint, of all users in turn.
func (f *fleet) manyNumbered(n int) []wanted {
	list := make([]wanted, n)
	for i := range list {
		list[i] = wanted{f.users[i%len(f.users)], fmt.Sprintf("/numbered/%d/batch", i), 1 + i%60}
	}
	return list
}

// askAll queues all exports, with some callers at once.
func (c *chaos) askAll(list []wanted) {
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				for {
					code, body := c.do(c.T, http.MethodPost, c.server.address, list[i].user, list[i].path)
					if code == http.StatusSeeOther {
						break
					}
					if code != http.StatusServiceUnavailable {
						c.Errorf("POST %s: %d %s", list[i].path, code, body)
						return
					}
					time.Sleep(50 * time.Millisecond)
				}
			}
		})
	}
	wg.Wait()
}

// killUntil kills one worker after the other, and starts another in its place.
func (c *chaos) killUntil(done <-chan struct{}) {
	for {
		select {
		case <-done:
			return
		case <-time.After(c.every):
		}
		i := rand.IntN(len(c.workers))
		victim := c.workers[i]
		runs := c.runs(c.T, queue.LaneExport, victim)
		_ = victim.Process.Kill()
		<-victim.ended
		c.kills++
		c.held += len(runs)
		for _, r := range runs {
			died := time.Now()
			c.follow.Go(func() { c.followJob(r, died) })
		}
		c.workers[i] = launch(c.T, fmt.Sprint("worker ", i, " after kill ", c.kills), c.config, "worker")
	}
}

// followJob waits until a job whose worker has died is claimed by another one.
func (c *chaos) followJob(r queue.Run, died time.Time) {
	for {
		j, err := c.queue.Get(context.Background(), r.Job)
		if err == nil && (j.State.Final() || j.State == queue.Running && j.Started.After(r.Started)) {
			break
		}
		if time.Since(died) > c.limit {
			c.Errorf("job %s stands still since its worker died: %+v, %v", r.Job, j, err)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stall = max(c.stall, time.Since(died))
}

// wait returns when every export is answered, and closes done. It measures the
// longest time in which none was.
func (c *chaos) wait(done chan<- struct{}) {
	defer close(done)
	last, at := 0, time.Now()
	for end := time.Now().Add(c.limit); last < c.exports; time.Sleep(100 * time.Millisecond) {
		n := c.count(c.T, "request")
		if n > last {
			last, at = n, time.Now()
		}
		c.silence = max(c.silence, time.Since(at))
		if time.Now().After(end) {
			c.Errorf("%d of %d exports are not there after %v", c.exports-n, c.exports, c.limit)
			return
		}
	}
}

// verify looks at every export from outside: its status, and of some the file.
func (c *chaos) verify(list []wanted) {
	eventually(c.T, 2*c.lease, "nothing runs any more", func() bool { return c.running(c.T) == 0 })
	// Runs that have published; equal rows of several are one result.
	runs, requests, jobs := c.count(c.T, "run"), c.count(c.T, "request"), c.jobs(c.T)
	c.twice = runs - c.exports
	if runs != c.exports || requests != c.exports || jobs != c.exports {
		c.Errorf("%d jobs, %d runs that have published, %d requests answered; want %d of each", jobs, runs, requests, c.exports)
	}
	for i, w := range list {
		if code, s := c.state(c.T, c.server, w); code != http.StatusOK || s.Status != "Completed" || s.Rows != 2000 {
			c.lost++
			c.Errorf("%s: %d %+v", w.path, code, s)
		}
		if i%(1+len(list)/200) == 0 {
			code, body, err := c.file(c.server, w)
			if fault := whole(w.group, body); err != nil || code != http.StatusOK || fault != "" {
				c.Errorf("file of %s: %d %v %s", w.path, code, err, fault)
			}
		}
	}
}

// Redis is away for twice the lease and longer than that, with twenty exports
// running: none of them starts again, whether Redis was killed or stood still.
func TestQueueAwayWhileExportsRun(t *testing.T) {
	away, query, lease := 5*time.Second, 9*time.Second, 2*time.Second
	if fullSize() {
		away, query, lease = time.Minute, 80*time.Second, 30*time.Second
	}
	for _, how := range []string{"killed", "frozen"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			own := newRedis(t)
			s := small("redis://127.0.0.1:" + own.port)
			s.lease, s.running = lease, 4
			f := newFleetOf(t, s)
			write(t, filepath.Join(filepath.Dir(f.config), "endpoints", "long.yaml"), fmt.Sprintf(`
name: long
path: /long/{grp}
query: SELECT id, label FROM item, pg_sleep(%g) WHERE grp = {grp}
key: id
pathParameters: {grp: {type: int}}
`, query.Seconds()))
			server := start(t, "server", f.config, "serve")
			for i := range 5 {
				start(t, fmt.Sprint("worker ", i), f.config, "worker")
			}
			list := f.wants("long", 20)
			f.ask(t, server, list)
			eventually(t, 10*time.Second, "twenty run", func() bool { return f.running(t) == 20 })
			before := f.starts(t)
			if how == "killed" {
				own.kill()
				time.Sleep(away)
				own.start(t)
			} else {
				own.freeze(t)
				time.Sleep(away)
				own.thaw(t)
			}
			f.settled(t, query+time.Minute, server, list)
			again := 0
			for id, started := range before {
				j, err := f.queue.Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				if j.Attempt != 1 || j.Crashes != 0 || !j.Started.Equal(started) {
					again++
				}
			}
			testenv.Report(t, "outage: Redis %s for %v with %d exports running under a lease of %v: %d started again", how, away, len(before), lease, again)
			if again > 0 || len(before) != 20 {
				t.Error("want 20 that ran and none that started again")
			}
		})
	}
}

// starts returns when each running export was claimed.
func (f *fleet) starts(t *testing.T) map[string]time.Time {
	t.Helper()
	starts := map[string]time.Time{}
	for _, r := range f.runs(t, queue.LaneExport, nil) {
		starts[r.Job] = r.Started
	}
	return starts
}

// With nobody hearing any notification, everything is done all the same.
func TestNotificationsOff(t *testing.T) {
	for _, backend := range []string{"redis", "postgres"} {
		t.Run(backend, func(t *testing.T) {
			t.Parallel()
			s := small("")
			service, word := "PostgreSQL", "listen"
			if backend == "redis" {
				s = small(testenv.Redis(t))
				service, word = "Redis", "subscribe"
			}
			f := newFleetOf(t, s)
			config, lines := f.behind(t, "behind.yaml")
			lines[service].refuse(word)
			server := start(t, "server", config, "serve")
			start(t, "worker 1", config, "worker")
			start(t, "worker 2", config, "worker")
			list := f.wants("slowly", 12)
			f.ask(t, server, list)
			f.settled(t, time.Minute, server, list)
			n := lines[service].refused.Load()
			testenv.Report(t, "notifications off: queue in %s: %d exports done, %d attempts to listen refused", backend, len(list), n)
			if n == 0 {
				t.Error("nothing was refused; the test shows nothing")
			}
		})
	}
}
