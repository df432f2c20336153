package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/queue/pgqueue"
	"slashbatch/queue/redisqueue"

	"github.com/google/uuid"
)

// operated is a queue, and the commands over it.
type operated struct {
	queue.Queue
	t      *testing.T
	config string
}

// onEachBackend runs a test against every queue that a command can reach.
func onEachBackend(t *testing.T, test func(t *testing.T, o operated)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) {
		url, prefix := testenv.Redis(t)+"/5", "cli-"+uuid.NewString()[:8]
		q, err := redisqueue.Open(t.Context(), url, redisqueue.Options{Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		test(t, operated{q, t, fmt.Sprintf("queue: {url: %q, prefix: %q}\n", url, prefix)})
	})
	t.Run("postgres", func(t *testing.T) {
		url := pgtest.New(t)
		if _, err := pgqueue.Migrate(t.Context(), url); err != nil {
			t.Fatal(err)
		}
		q, err := pgqueue.Open(t.Context(), url, pgqueue.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { q.Close() })
		test(t, operated{q, t, fmt.Sprintf("queue: {url: %q}\n", url)})
	})
}

// run runs a command and asks for its exit code.
func (o operated) run(code int, args ...string) (stdout, stderr string) {
	o.t.Helper()
	got, stdout, stderr := runIn(o.t, map[string]string{"config.yaml": goodConfig + o.config}, nil, args...)
	if got != code {
		o.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	return stdout, stderr
}

// says runs a command and asks for something in what it prints.
func (o operated) says(want string, args ...string) {
	o.t.Helper()
	if stdout, stderr := o.run(0, args...); !strings.Contains(stdout, want) || stderr != "" {
		o.t.Errorf("%v says\n%s%s, want %q", args, stdout, stderr, want)
	}
}

// fails runs a command that fails, and asks for its reason.
func (o operated) fails(want string, args ...string) {
	o.t.Helper()
	if _, stderr := o.run(1, args...); !strings.Contains(stderr, want) {
		o.t.Errorf("%v says\n%s, want %q", args, stderr, want)
	}
}

func (o operated) enqueue(s queue.Submission) string {
	o.t.Helper()
	s.ID, s.RunningCap = uuid.NewString(), max(s.RunningCap, 1)
	if s.Definition == nil {
		definition, err := jobs.Plan{Kind: jobs.KindExport, SQL: "SELECT 'hunter2'", OnError: "SELECT 1"}.Encode()
		if err != nil {
			o.t.Fatal(err)
		}
		s.Definition, s.Lane, s.Kind = definition, queue.LaneExport, jobs.KindExport
	}
	made, err := o.Enqueue(context.Background(), s)
	if err != nil {
		o.t.Fatal(err)
	}
	return made.Job.ID
}

func (o operated) claim(lane queue.Lane) (queue.Job, queue.Holder) {
	o.t.Helper()
	claim := uuid.NewString()
	c, err := o.Claim(context.Background(), queue.ClaimRequest{ClaimID: claim, Worker: "w1", Lane: lane})
	if err != nil || c == nil {
		o.t.Fatal(c, err)
	}
	return c.Job, queue.Holder{Job: c.Job.ID, Claim: claim}
}

func (o operated) fail(h queue.Holder, reason string) {
	o.t.Helper()
	if _, err := o.Fail(context.Background(), h, queue.Failure{Reason: reason}); err != nil {
		o.t.Fatal(err)
	}
}

func TestQueueStatsPauseResume(t *testing.T) {
	onEachBackend(t, func(t *testing.T, o operated) {
		ctx := t.Context()
		if err := o.SetCapacities(ctx, map[string]int{"batch": 4}); err != nil {
			t.Fatal(err)
		}
		for _, user := range []string{"alice", "alice", "bob"} {
			o.enqueue(queue.Submission{User: user, Source: "batch"})
		}
		o.claim(queue.LaneExport)
		if _, err := o.Beat(ctx, queue.Worker{ID: "w1", Slots: map[queue.Lane]int{queue.LaneExport: 4, queue.LaneSQL: 2}}, nil); err != nil {
			t.Fatal(err)
		}
		stdout, _ := o.run(0, "queue", "stats")
		for _, want := range []string{
			"LANE    USERS  PENDING  RETRYING  RUNNING  SLOTS  OLDEST", "export  2      2        0         1        4      20",
			"SOURCE  RUNNING  CAPACITY", "batch   1        4", "WORKER  EXPORT  SQL", "w1      4       2",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("no %q in\n%s", want, stdout)
			}
		}
		var d struct {
			Paused  bool
			Lanes   map[queue.Lane]struct{ Pending int }
			Sources map[string]sourceStats
		}
		stdout, _ = o.run(0, "queue", "stats", "-json")
		if err := json.Unmarshal([]byte(stdout), &d); err != nil || d.Lanes[queue.LaneExport].Pending != 2 || d.Paused || *d.Sources["batch"].Capacity != 4 {
			t.Errorf("%v: %s", err, stdout)
		}

		o.says("Nothing is claimed any more", "queue", "pause")
		o.says("The queue is paused", "queue", "stats")
		if c, err := o.Claim(ctx, queue.ClaimRequest{ClaimID: uuid.NewString(), Lane: queue.LaneExport}); c != nil || err != nil {
			t.Errorf("claimed %v, %v", c, err)
		}
		o.says("Jobs are claimed again.", "queue", "resume")
		o.claim(queue.LaneExport)
	})
}

func TestJobListAndShow(t *testing.T) {
	onEachBackend(t, func(t *testing.T, o operated) {
		ctx := t.Context()
		ended := o.enqueue(queue.Submission{User: "alice", Class: "packages"})
		_, h := o.claim(queue.LaneExport)
		o.fail(h, "red \x1b[31m\nalert")
		running := o.enqueue(queue.Submission{User: "alice", Class: "packages", RunningCap: 2, Key: "k"})
		o.claim(queue.LaneExport)
		pending := o.enqueue(queue.Submission{User: "alice", Class: "packages"})

		stdout, _ := o.run(0, "job", "list")
		if lines := strings.Split(strings.TrimSpace(stdout), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], running+"  running  export  packages  alice  w1") {
			t.Errorf("running:\n%s", stdout)
		}
		stdout, _ = o.run(0, "job", "list", "-user", "alice")
		lines := strings.Split(strings.TrimSpace(stdout), "\n")
		if len(lines) != 4 || !strings.HasPrefix(lines[1], pending) || !strings.HasPrefix(lines[3], ended) || !strings.HasSuffix(lines[3], "red  [31m alert") {
			t.Errorf("of alice:\n%s", stdout)
		}
		for _, tt := range []struct {
			args []string
			want []string
		}{
			{[]string{"-state", "failed"}, []string{ended}},
			{[]string{"-n", "2"}, []string{pending, running}},
			{[]string{"-state", "done"}, nil},
		} {
			stdout, _ = o.run(0, append([]string{"job", "list", "-json", "-user", "alice"}, tt.args...)...)
			var list []struct{ ID string }
			if err := json.Unmarshal([]byte(stdout), &list); err != nil {
				t.Errorf("%v: %s", err, stdout)
			}
			var ids []string
			for _, r := range list {
				ids = append(ids, r.ID)
			}
			if strings.Join(ids, " ") != strings.Join(tt.want, " ") || !strings.HasPrefix(stdout, "[") {
				t.Errorf("%v: %s", tt.args, stdout)
			}
		}
		stdout, _ = o.run(0, "job", "list", "-csv", "-user", "alice")
		rows, err := csv.NewReader(strings.NewReader(stdout)).ReadAll()
		if err != nil || len(rows) != 4 || rows[0][0] != "id" || rows[3][0] != ended || rows[3][len(rows[3])-1] != "red \x1b[31m\nalert" {
			t.Errorf("%v: %q", err, rows)
		}
		if stdout, _ = o.run(0, "job", "list", "-csv", "-user", "nobody"); !strings.HasPrefix(stdout, "id,state,") || strings.Count(stdout, "\n") != 1 {
			t.Errorf("CSV of nothing: %q", stdout)
		}

		// A definition may hold anything, so nothing of it is shown.
		for _, args := range [][]string{{"job", "show", pending}, {"job", "show", "-json", running}, {"job", "show", ended, "-json"}} {
			if stdout, _ = o.run(0, args...); strings.Contains(stdout, "hunter2") || !strings.Contains(stdout, "alice") {
				t.Errorf("%v:\n%s", args, stdout)
			}
		}
		o.says("position           1\n", "job", "show", pending)
		o.says("onerror  skipped", "job", "show", ended)
		var shown struct {
			Key      string
			Position *int
			Steps    []struct{ State string }
		}
		stdout, _ = o.run(0, "job", "show", running, "-json")
		if err := json.Unmarshal([]byte(stdout), &shown); err != nil || shown.Key != "k" || *shown.Position != 0 || shown.Steps[0].State != "pending" {
			t.Errorf("%v: %s", err, stdout)
		}
		sql, err := jobs.SQLRequest{Plan: jobs.SQLPlan{Steps: []jobs.SQLStep{{SQL: "SELECT 'hunter2'"}, {SQL: "b"}}}, User: "alice", RunningCap: 1}.Submission(uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Enqueue(ctx, sql); err != nil {
			t.Fatal(err)
		}
		o.says("2     pending", "job", "show", sql.ID)
		o.fails("there is no job nowhere", "job", "show", "nowhere")
	})
}

func TestJobCancel(t *testing.T) {
	onEachBackend(t, func(t *testing.T, o operated) {
		running := o.enqueue(queue.Submission{User: "alice"})
		o.claim(queue.LaneExport)
		pending := o.enqueue(queue.Submission{User: "alice"})
		publishing := o.enqueue(queue.Submission{User: "bob"})
		_, h := o.claim(queue.LaneExport)
		if err := o.Seal(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		stdout, stderr := o.run(1, "job", "cancel", running, "nowhere", pending, publishing)
		if want := running + " is cancelled; its worker is stopping\n" + pending + " is cancelled\n"; stdout != want {
			t.Errorf("says %s, want %s", stdout, want)
		}
		if want := "there is no job nowhere\njob " + publishing + ": too late, its result is being published\n"; stderr != want {
			t.Errorf("says %s, want %s", stderr, want)
		}
		o.says("was cancelled before", "job", "cancel", pending)
		if err := o.Finish(t.Context(), h, queue.Success{}); err != nil {
			t.Fatal(err)
		}
		o.fails("job "+publishing+": too late, it is done", "job", "cancel", publishing)
	})
}

func TestRequeue(t *testing.T) {
	onEachBackend(t, func(t *testing.T, o operated) {
		ctx := t.Context()
		failed := o.enqueue(queue.Submission{User: "alice", Key: "k", Class: "packages", Source: "batch", Retry: 2})
		_, h := o.claim(queue.LaneExport)
		o.fail(h, "no")
		cancelled := o.enqueue(queue.Submission{User: "alice", Key: "other"})
		if _, _, err := o.Cancel(ctx, cancelled); err != nil {
			t.Fatal(err)
		}
		sql, err := jobs.SQLRequest{Plan: jobs.SQLPlan{Steps: []jobs.SQLStep{{SQL: "a"}}}, User: "alice", RunningCap: 1}.Submission(uuid.NewString())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Enqueue(ctx, sql); err != nil {
			t.Fatal(err)
		}
		_, h = o.claim(queue.LaneSQL)
		o.fail(h, "no")
		pending := o.enqueue(queue.Submission{User: "alice"})

		stdout, stderr := o.run(1, "queue", "requeue", failed, pending, "nowhere", cancelled)
		if stderr != "there is no job nowhere\n" || !strings.Contains(stdout, "skipped: "+pending+" is pending, neither failed nor cancelled\n") {
			t.Errorf("says %s%s", stdout, stderr)
		}
		last, err := o.ByKey(ctx, "k")
		if err != nil || last.ID == failed || !strings.Contains(stdout, failed+" is queued again as "+last.ID+"\n") {
			t.Fatalf("says %s; the key's job is %+v, %v", stdout, last, err)
		}
		if last.User != "alice" || last.Class != "packages" || last.Source != "batch" || last.Retry != 2 || last.Lane != queue.LaneExport || last.Kind != jobs.KindExport || last.State != queue.Pending {
			t.Errorf("%+v", last)
		}
		was, err := o.Definition(ctx, failed)
		if err != nil {
			t.Fatal(err)
		}
		if is, err := o.Definition(ctx, last.ID); err != nil || string(is) != string(was) {
			t.Errorf("%s, %v; want %s", is, err, was)
		}

		// Again, it makes nothing more; of the others it makes what is left.
		o.says("skipped: "+failed+" has a successor already: "+last.ID, "queue", "requeue", failed)
		stdout, _ = o.run(0, "queue", "requeue", "-user", "alice")
		if !strings.Contains(stdout, "skipped: "+failed) || !strings.Contains(stdout, sql.ID+" is queued again as ") || strings.Contains(stdout, cancelled) {
			t.Errorf("says %s", stdout)
		}
		o.says("skipped: "+sql.ID+" has a successor already", "queue", "requeue", sql.ID)
		o.says("bob has no failed jobs", "queue", "requeue", "-user", "bob")
		if n, err := o.List(ctx, "alice", 0, 100); err != nil || len(n) != 7 {
			t.Errorf("%d jobs, %v; want 4 and a successor of 3", len(n), err)
		}
	})
}
