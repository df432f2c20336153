package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"slashbatch/internal/testenv"
	"slashbatch/queue"

	"github.com/redis/go-redis/v9"
)

// Workers killed at random moments, one after the other, lose nothing and
// publish nothing twice.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	server := start(t, "server", f.config, "serve")
	survivor := start(t, "survivor", f.config, "worker")
	var list []wanted
	for i := range 40 {
		list = append(list, wanted{f.users[i%len(f.users)], fmt.Sprintf("/group/%d/item/batch", i+1), i + 1})
	}
	f.ask(t, server, list)
	stop := f.watch(t, server, list)
	inHands, finished := 0, 0
	for round := range 6 {
		victim := start(t, fmt.Sprint("victim ", round), f.config, "worker")
		time.Sleep(time.Duration(rand.IntN(900)) * time.Millisecond)
		_ = victim.Process.Kill()
		<-victim.ended
		inHands += len(f.runs(t, queue.LaneExport, victim))
		finished += victim.log.count("export finished")
	}
	f.settled(t, 30*time.Second, server, list)
	t.Logf("6 workers killed with %d jobs in their hands, after %d exports; the survivor finished %d; %d objects for %d results; seen by a client %v",
		inHands, finished, survivor.log.count("export finished"), f.objects(t), len(list), stop())
	if inHands == 0 {
		t.Error("no worker was killed with anything in its hands; the test shows nothing")
	}
}

// A worker that is stopped for longer than its lease, and then goes on, finds
// its claims gone and publishes nothing.
func TestPaused(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	server := start(t, "server", f.config, "serve")
	sleeper := start(t, "sleeper", f.config, "worker")
	list := f.wants("slowly", 4)
	f.ask(t, server, list)
	eventually(t, 10*time.Second, "four run", func() bool { return f.running(t) == 4 })
	time.Sleep(200 * time.Millisecond) // in the middle of the rows
	if err := sleeper.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	other := start(t, "other", f.config, "worker")
	f.settled(t, 25*time.Second, server, list)
	if err := sleeper.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	eventually(t, 10*time.Second, "the sleeper lets go", func() bool { return sleeper.log.count(`"msg":"claim lost`) == 4 })
	eventually(t, 10*time.Second, "nothing of it is left", func() bool { return f.objects(t) == 4 })
	f.settled(t, time.Second, server, list)
	if a, b := sleeper.log.count("export finished"), other.log.count("export finished"); a != 0 || b != 4 {
		t.Errorf("the sleeper finished %d, the other worker %d; want 0 and 4", a, b)
	}
}

// A worker that is cut off from the queue alone goes on writing. Its files are
// in the store when it comes back, but its claims are gone: sealing is refused,
// and it deletes them.
func TestCutOffFromQueue(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	config, lines := f.behind(t, "behind.yaml")
	server := start(t, "server", f.config, "serve")
	lonely := start(t, "lonely", config, "worker")
	list := f.wants("slowly", 4)
	f.ask(t, server, list)
	eventually(t, 10*time.Second, "four run", func() bool { return f.running(t) == 4 })
	lines["Redis"].stall()
	eventually(t, 15*time.Second, "its files are in the store", func() bool { return f.objects(t) == 4 })
	if n := f.count(t, "result"); n != 0 {
		t.Errorf("%d results published without the queue's leave", n)
	}
	start(t, "other", f.config, "worker")
	f.settled(t, 25*time.Second, server, list)
	lines["Redis"].mend()
	eventually(t, 15*time.Second, "the lonely worker lets go", func() bool { return lonely.log.count(`"msg":"claim lost`) == 4 })
	eventually(t, 5*time.Second, "its files are gone", func() bool { return f.objects(t) == 4 })
	f.settled(t, time.Second, server, list)
	if n := lonely.log.count("export finished"); n != 0 {
		t.Errorf("it finished %d", n)
	}
}

// ownRedis is a Redis of this test alone, with an append-only file.
type ownRedis struct {
	dir, port string
	command   *exec.Cmd
}

func newRedis(t *testing.T) *ownRedis {
	t.Helper()
	testenv.Redis(t) // where there is none, there is no program for it either
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	r := &ownRedis{dir: t.TempDir(), port: port}
	r.start(t)
	t.Cleanup(r.kill)
	return r
}

func (r *ownRedis) start(t *testing.T) {
	t.Helper()
	r.command = exec.Command("redis-server", "--bind", "127.0.0.1", "--port", r.port, "--dir", r.dir,
		"--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
	if err := r.command.Start(); err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + r.port})
	defer client.Close()
	eventually(t, 10*time.Second, "Redis answers", func() bool { return client.Ping(context.Background()).Err() == nil })
}

// freeze stops the process where it is: connections stay, nothing answers.
func (r *ownRedis) freeze(t *testing.T) { r.signal(t, syscall.SIGSTOP) }
func (r *ownRedis) thaw(t *testing.T)   { r.signal(t, syscall.SIGCONT) }

func (r *ownRedis) signal(t *testing.T, s syscall.Signal) {
	t.Helper()
	if err := r.command.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

func (r *ownRedis) kill() {
	_ = r.command.Process.Kill()
	_ = r.command.Wait()
}

// Notifications only make things faster: with every subscription killed again
// and again while a backlog is worked off everything is done all the same.
func TestSubscriptionsKilled(t *testing.T) {
	t.Parallel()
	exports, every := 40, 100*time.Millisecond
	if fullSize() {
		exports, every = 1000, time.Second
	}
	s := small("redis://127.0.0.1:" + newRedis(t).port)
	s.users, s.queued = 20, 100
	f := newFleetOf(t, s)
	f.numbered(t, 100*time.Millisecond)
	server := start(t, "server", f.config, "serve")
	start(t, "worker 1", f.config, "worker")
	start(t, "worker 2", f.config, "worker")
	list := f.manyNumbered(exports)
	ctx, cancel := context.WithCancel(t.Context())
	killed := make(chan int64)
	go func() {
		var n int64
		for ctx.Err() == nil {
			n += f.redis.ClientKillByFilter(ctx, "TYPE", "pubsub").Val()
			time.Sleep(every)
		}
		killed <- n
	}()
	f.ask(t, server, list)
	f.settled(t, 3*time.Minute, server, list)
	cancel()
	n := <-killed
	testenv.Report(t, "notifications cut: %d subscriptions killed, all of them every %v: %d exports done", n, every, len(list))
	if n < 6 {
		t.Error("hardly any subscription was killed; the test shows nothing")
	}
}

// Redis killed and started again from its append-only file, with jobs pending
// and running, has lost none of them.
func TestRedisRestarted(t *testing.T) {
	t.Parallel()
	own := newRedis(t)
	f := newFleetOn(t, "redis://127.0.0.1:"+own.port)
	server := start(t, "server", f.config, "serve")
	worker := start(t, "worker", f.config, "worker")
	list := f.wants("slowly", 12)
	f.ask(t, server, list)
	eventually(t, 10*time.Second, "four run", func() bool { return f.running(t) == 4 })
	stop := f.watch(t, server, list)
	for range 2 {
		own.kill()
		time.Sleep(time.Second)
		own.start(t)
		eventually(t, 10*time.Second, "the worker is back", func() bool {
			return worker.log.count("leases could not be extended") == worker.log.count("the queue answers again")
		})
	}
	f.settled(t, 30*time.Second, server, list)
	t.Logf("seen by a client %v", stop())
}
