package e2e

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache/s3store"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"
	"slashbatch/queue"
	"slashbatch/queue/pgqueue"
	"slashbatch/queue/redisqueue"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// fleet is what several processes share.
type fleet struct {
	config   string // path of config.yaml
	database string
	queue    queue.Queue   // what the processes share, looked at from outside
	redis    *redis.Client // nil when the queue is in PostgreSQL
	prefix   string
	store    *s3store.Store
	users    []string
}

// shape is what fleets differ in.
type shape struct {
	// redis is the URL of the queue; empty: the queue is in PostgreSQL.
	redis string
	// users each have so many jobs running and queued at most.
	users, running, queued int
	lease                  time.Duration
	slots                  int // of each worker, in each lane
}

// small is a fleet that recovers within seconds.
func small(redisURL string) shape {
	return shape{redis: redisURL, users: 5, running: 2, queued: 64, lease: 3 * time.Second, slots: 4}
}

// newFleet makes a database with 60 groups of rows, and a configuration for
// Redis and S3 under names of its own.
func newFleet(t *testing.T) *fleet {
	t.Helper()
	return newFleetOn(t, testenv.Redis(t))
}

// newFleetOn is newFleet on another Redis.
func newFleetOn(t *testing.T, redisURL string) *fleet {
	t.Helper()
	return newFleetOf(t, small(redisURL))
}

func newFleetOf(t *testing.T, s shape) *fleet {
	t.Helper()
	s3URL := testenv.S3(t)
	f := &fleet{database: pgtest.New(t), prefix: "e2e-" + uuid.NewString()[:8]}
	conn, err := pgx.Connect(t.Context(), f.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), `
		CREATE TABLE item AS SELECT g AS grp, g * 100000 + i AS id, md5(i::text) AS label
		FROM generate_series(1, 60) g, generate_series(1, 2000) i;
		CREATE INDEX ON item (grp)`); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(s3URL)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + f.prefix
	if f.store, err = s3store.OpenURL(t.Context(), u, s3store.Options{}); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var users strings.Builder
	for i := range s.users {
		name := fmt.Sprintf("user%d", i)
		f.users = append(f.users, name)
		sum := sha256.Sum256([]byte("key-" + name))
		fmt.Fprintf(&users, "    - {name: %s, keys: [{sha256: %s}], limits: {queued: %d, running: %d}}\n", name, hex.EncodeToString(sum[:]), s.queued, s.running)
	}
	endpoints := filepath.Join(dir, "endpoints")
	f.config = filepath.Join(dir, "config.yaml")
	write(t, filepath.Join(endpoints, "items.yaml"), `
name: items
path: /group/{grp}/item
query: SELECT id, label FROM item, pg_sleep(0.2) WHERE grp = {grp}
key: id
pathParameters: {grp: {type: int}}
`)
	// Two to three seconds of rows.
	write(t, filepath.Join(endpoints, "slowly.yaml"), `
name: slowly
path: /slowly/{grp}
query: SELECT id, label FROM (SELECT * FROM item WHERE grp = {grp} OFFSET 0) i WHERE pg_sleep(0.0005) IS NOT NULL
key: id
pathParameters: {grp: {type: int}}
`)
	queueURL := s.redis
	if queueURL == "" {
		queueURL = "postgres:"
	}
	write(t, f.config, fmt.Sprintf(`
server: {listen: "127.0.0.1:0"}
catalog: {url: %q}
dataSources: {default: {url: %q}}
queue: {url: %q, prefix: %q}
cache: {url: %q}
batch: {process: {enabled: false, lease: %v, crashes: 50, timeout: 500, retryInit: 300, drain: 5s, workers: %d}}
auth:
  users:
%sendpointsDir: %q
`, f.database, f.database, queueURL, f.prefix, u.String(), s.lease, s.slots, users.String(), endpoints))
	f.look(t, s)
	return f
}

// look opens the fleet's queue for the test itself.
func (f *fleet) look(t *testing.T, s shape) {
	t.Helper()
	settings := queue.Settings{Lease: s.lease, Crashes: 50}
	var err error
	if s.redis == "" {
		migrate(t, f.config)
		f.queue, err = pgqueue.Open(t.Context(), f.database, pgqueue.Options{Settings: settings})
	} else {
		var options *redis.Options
		if options, err = redis.ParseURL(s.redis); err != nil {
			t.Fatal(err)
		}
		options.DB = 5 // where a URL without a number leads
		f.redis = redis.NewClient(options)
		t.Cleanup(func() { f.redis.Close() })
		f.queue, err = redisqueue.Open(t.Context(), s.redis, redisqueue.Options{Prefix: f.prefix, Settings: settings})
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.queue.Close() })
}

// migrate runs "slashbatch migrate".
func migrate(t *testing.T, config string) {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(program, "migrate", "-c", config).CombinedOutput(); err != nil {
		t.Fatalf("migrate: %v\n%s", err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// noFollow sends requests and shows redirects rather than following them.
var noFollow = &http.Client{
	Timeout:       time.Minute,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func (f *fleet) do(t *testing.T, method, address, user, path string) (int, []byte) {
	t.Helper()
	r, err := http.NewRequest(method, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.SetBasicAuth(user, "key-"+user)
	response, err := noFollow.Do(r)
	if err != nil {
		t.Error(err)
		return 0, nil
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	return response.StatusCode, body
}

// Two servers and two workers as four processes: a thousand POSTs of fifty
// distinct requests make fifty jobs; one worker is killed with jobs in its
// hands; all fifty complete, and each is published once.
func TestFleet(t *testing.T) {
	const distinct, posts = 50, 1000
	f := newFleet(t)
	servers := []*process{start(t, "server 1", f.config, "serve"), start(t, "server 2", f.config, "serve")}
	victim, survivor := start(t, "worker 1", f.config, "worker"), start(t, "worker 2", f.config, "worker")

	group := func(i int) string { return fmt.Sprintf("/group/%d/item/batch", 1+i%distinct) }
	user := func(i int) string { return f.users[i%distinct%len(f.users)] }
	var wg sync.WaitGroup
	turns := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range turns {
				// Request i goes to both servers, again and again.
				code, body := f.do(t, http.MethodPost, servers[i/distinct%2].address, user(i), group(i))
				if code != http.StatusSeeOther {
					t.Errorf("POST %d: %d %s", i, code, body)
				}
			}
		})
	}
	wg.Go(func() {
		defer close(turns)
		for i := range posts {
			turns <- i
		}
	})

	// The victim dies with claims in its hands, while requests still come.
	eventually(t, 30*time.Second, "worker 1 has finished something", func() bool { return victim.log.count("export finished") >= 3 })
	held := f.running(t)
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-victim.ended
	wg.Wait()

	words := map[string]int{}
	eventually(t, 2*time.Minute, "all complete", func() bool {
		clear(words)
		for i := range distinct {
			_, body := f.do(t, http.MethodGet, servers[0].address, user(i), group(i)+"/status")
			var status struct{ Status string }
			if err := json.Unmarshal(body, &status); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			words[status.Status]++
		}
		return words["Completed"] == distinct
	})

	jobs := f.jobs(t)
	results, requests := f.count(t, "result"), f.count(t, "request")
	digests := map[string]bool{}
	for i := range distinct {
		code, body := f.do(t, http.MethodGet, servers[1].address, user(i), group(i))
		if lines := strings.Count(string(body), "\r\n"); code != http.StatusOK || lines != 2001 {
			t.Errorf("%s: status %d, %d lines, want 200 and 2001", group(i), code, lines)
		}
		digests[fmt.Sprintf("%x", sha256.Sum256(body))] = true
	}
	recovered := survivor.log.count(`"attempt":2`)
	testenv.Report(t, "fleet: %d POSTs of %d distinct requests: %d jobs, %d results, %d requests answered, %d distinct files", posts, distinct, jobs, results, requests, len(digests))
	testenv.Report(t, "fleet: worker 1 killed after %d exports while %d jobs ran; worker 2 finished %d, %d log lines of second attempts",
		victim.log.count("export finished"), held, survivor.log.count("export finished"), recovered)
	if jobs != distinct || results != distinct || requests != distinct || len(digests) != distinct {
		t.Errorf("want %d of each", distinct)
	}
	if held == 0 || recovered == 0 {
		t.Error("the worker was killed with nothing in its hands; the test shows nothing")
	}
	// An object that a killed worker had committed but not published may be
	// left over; one that is published must be there.
	objects := 0
	for _, err := range f.store.List(t.Context(), "results/") {
		if err != nil {
			t.Fatal(err)
		}
		objects++
	}
	if objects < distinct {
		t.Errorf("%d objects in the store, want at least %d", objects, distinct)
	}
	t.Logf("words %v, objects in S3 %d", slices.Sorted(maps.Keys(words)), objects)
}

// SIGTERM gives running jobs back, and another worker runs them: nothing is
// lost, and nothing waits for a lease.
func TestDrain(t *testing.T) {
	t.Parallel()
	f := newFleet(t)
	write(t, filepath.Join(filepath.Dir(f.config), "endpoints", "slow.yaml"), `
name: slow
path: /slow/{n}
query: SELECT 1 AS id, pg_sleep(6) IS NULL AS slept WHERE {n}::int > 0
key: id
`)
	server := start(t, "server", f.config, "serve")
	first := start(t, "worker 1", f.config, "worker")
	for _, u := range f.users {
		if code, body := f.do(t, http.MethodPost, server.address, u, "/slow/"+u[4:]+"1/batch"); code != http.StatusSeeOther {
			t.Fatalf("%d %s", code, body)
		}
	}
	eventually(t, 20*time.Second, "four run", func() bool { return f.running(t) == 4 })
	if err := first.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	<-first.ended
	if n := f.running(t); n != 0 {
		t.Errorf("%d jobs still claimed after the worker has stopped", n)
	}
	start(t, "worker 2", f.config, "worker")
	for _, u := range f.users {
		eventually(t, time.Minute, u+"'s export is complete", func() bool {
			_, body := f.do(t, http.MethodGet, server.address, u, "/slow/"+u[4:]+"1/batch/status")
			return strings.Contains(string(body), `"Completed"`)
		})
	}
}

func (f *fleet) keys(t *testing.T, pattern string) int {
	t.Helper()
	n := 0
	for iter := f.redis.Scan(t.Context(), 0, pattern, 1000).Iterator(); iter.Next(t.Context()); {
		n++
	}
	return n
}

// jobs counts the jobs that the queue knows.
func (f *fleet) jobs(t *testing.T) int {
	t.Helper()
	if f.redis == nil {
		return f.count(t, "queue_job")
	}
	return f.keys(t, f.prefix+":jobs:*")
}

// runs returns the claims of one lane, and of one process if it is given.
func (f *fleet) runs(t *testing.T, lane queue.Lane, p *process) (runs []queue.Run) {
	t.Helper()
	snapshot, err := f.queue.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range snapshot.Lanes[lane].Runs { // a worker's id is host-pid-random
		if p == nil || strings.Contains(r.Worker, fmt.Sprintf("-%d-", p.Process.Pid)) {
			runs = append(runs, r)
		}
	}
	return runs
}

func (f *fleet) running(t *testing.T) int {
	t.Helper()
	return len(f.runs(t, queue.LaneExport, nil))
}

func (f *fleet) count(t *testing.T, table string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), f.database)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if err := conn.QueryRow(t.Context(), "SELECT count(*) FROM slashbatch."+pgx.Identifier{table}.Sanitize()).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
