package jobs

import (
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/google/uuid"
)

// guardSite is a site with rows that a guard tells the state of.
type guardSite struct {
	*site
	service *Service
}

func newGuardSite(t *testing.T) guardSite {
	t.Helper()
	s := newSite(t)
	g := guardSite{s, s.service()}
	g.do(t, "CREATE TABLE kept (n int, revision int); INSERT INTO kept VALUES (1, 1)")
	return g
}

func (g guardSite) do(t *testing.T, sql string) {
	t.Helper()
	if _, err := g.pool.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// old makes the entry of "k" one that was published before minFresh.
func (g guardSite) old(t *testing.T) {
	t.Helper()
	g.do(t, "UPDATE slashbatch.request SET published = published - interval '2 minutes'")
}

func (g guardSite) request(method Method) Request {
	r := g.site.request("k", method)
	r.Plan.SQL, r.Plan.Guard = "SELECT n FROM kept", &rows.Statement{SQL: "SELECT revision FROM kept WHERE n IS DISTINCT FROM $1", Args: []rows.Arg{{Value: "0"}}}
	r.Plan.MinFresh = time.Minute
	return r
}

func lookup(r Request) Lookup {
	return Lookup{Key: r.Plan.Key, Fresh: r.Plan.Fresh, Form: r.Form, Guard: r.Plan.Guard, Source: r.Plan.Source, MinFresh: r.Plan.MinFresh}
}

// runs asks for the rows, and waits for the job that this makes.
func (g guardSite) runs(t *testing.T) cache.Entry {
	t.Helper()
	status, err := g.service.Submit(t.Context(), g.request(Get))
	if err != nil || !status.Created {
		t.Fatalf("no job was made: %+v, %v", status, err)
	}
	g.await(t, status.Job.ID, queue.Done, 10*time.Second)
	entry := g.noted(t)
	if entry.Job != status.Job.ID {
		t.Fatalf("%s answers, not %s", entry.Job, status.Job.ID)
	}
	return entry
}

// served asks for the rows, which are there.
func (g guardSite) served(t *testing.T, what string, want cache.Entry) {
	t.Helper()
	status, err := g.service.Submit(t.Context(), g.request(Get))
	if err != nil || status.Entry == nil || status.Entry.Job != want.Job {
		t.Errorf("%s: %+v, %v; want the entry of %s", what, status, err, want.Job)
	}
	if status, err := g.service.StatusOf(t.Context(), lookup(g.request(Look))); err != nil || status.Word != WordCompleted {
		t.Errorf("%s: status %s, %v", what, status.Word, err)
	}
}

func (g guardSite) noted(t *testing.T) cache.Entry {
	t.Helper()
	e, err := g.Catalog.ByKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A result answers while its guard gives what it gave, and for minFresh in any case; then it
// is made again, once, also where the rows have stayed the same.
func TestGuardChanges(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	g.start(t)
	first := g.runs(t)
	if first.Guard == nil || *first.Guard != "1" {
		t.Fatalf("noted %v, want 1", first.Guard)
	}
	g.old(t)
	g.served(t, "unchanged", first)

	g.do(t, "UPDATE kept SET n = 2, revision = 2; UPDATE slashbatch.request SET published = now()")
	g.served(t, "changed within minFresh", first)
	g.old(t)
	if status, err := g.service.StatusOf(t.Context(), lookup(g.request(Look))); err != nil || status.Word != WordUnknown || status.Entry != nil {
		t.Errorf("the status of what has changed: %+v, %v; want Unknown", status, err)
	}
	if status, err := g.service.StatusOfJob(t.Context(), first.Job); err != nil || status.Entry == nil || status.Entry.Job != first.Job {
		t.Errorf("the status of the job that made it: %+v, %v; want its file", status, err)
	}
	second := g.runs(t)
	if text := g.content(t, second.File); text != "n\r\n2\r\n" || *second.Guard != "2" {
		t.Errorf("%q, guard %s", text, *second.Guard)
	}
	g.old(t)
	g.served(t, "run again", second)

	g.do(t, "UPDATE kept SET revision = 3")
	third := g.runs(t)
	if third.Result != second.Result || *third.Guard != "3" {
		t.Errorf("equal rows: result %d after %d, guard %s", third.Result, second.Result, *third.Guard)
	}
	g.old(t)
	g.served(t, "equal rows, run again", third)

	g.do(t, "UPDATE kept SET n = 0") // the guard gives no row, which is a value, too
	fourth := g.runs(t)
	g.old(t)
	g.served(t, "without a value", fourth)
	g.do(t, "UPDATE kept SET n = 5")
	g.runs(t)

	g.old(t)
	g.do(t, "UPDATE kept SET revision = 9; UPDATE slashbatch.request SET pinned = true")
	g.served(t, "pinned", g.noted(t))
}

// What changes while a run reads is not noted with its rows: who waited for it gets them,
// and who comes later has them read again.
func TestGuardChangesMeanwhile(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	g.start(t)
	gate, err := g.pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Release()
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_lock(7)"); err != nil {
		t.Fatal(err)
	}
	r := g.request(Get)
	r.Plan.SQL = "SELECT n FROM kept, pg_advisory_xact_lock(7)"
	status, err := g.service.Submit(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	for waits := 0; waits == 0; time.Sleep(time.Millisecond) {
		if err := g.pool.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks
			WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Scan(&waits); err != nil {
			t.Fatal(err)
		}
	}
	g.do(t, "UPDATE kept SET n = 2, revision = 2")
	if _, err := gate.Exec(t.Context(), "SELECT pg_advisory_unlock(7)"); err != nil {
		t.Fatal(err)
	}
	g.await(t, status.Job.ID, queue.Done, 10*time.Second)
	first := g.noted(t)
	if *first.Guard != "1" || first.Job != status.Job.ID {
		t.Errorf("noted %s by %s, want 1", *first.Guard, first.Job)
	}
	g.served(t, "within minFresh", first)
	g.old(t)
	if now, err := g.service.StatusOfJob(t.Context(), status.Job.ID); err != nil || now.Entry == nil || g.content(t, *now.File) != "n\r\n1\r\n" {
		t.Errorf("who waited: %+v, %v", now, err)
	}
	if again := g.runs(t); *again.Guard != "2" {
		t.Errorf("noted %s, want 2", *again.Guard)
	}
}

// A worker takes no result for its job whose guard has changed, and takes one that is good.
func TestGuardAndTheWorker(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	g.start(t)
	first := g.runs(t)
	again := func() {
		t.Helper()
		id := uuid.NewString()
		definition, err := g.request(Get).Plan.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if made, err := g.queue.Enqueue(t.Context(), queue.Submission{
			ID: id, Key: "k", After: g.last(t), User: "bob", Lane: queue.LaneExport, Kind: KindExport, Source: "default", RunningCap: 2, Definition: definition,
		}); err != nil || !made.Created {
			t.Fatal(made, err)
		}
		g.await(t, id, queue.Done, 10*time.Second)
	}
	g.do(t, "UPDATE kept SET revision = 2")
	again()
	if got := g.noted(t); got.Job != first.Job {
		t.Error("within minFresh the query was run again")
	}
	g.old(t)
	again()
	second := g.noted(t)
	if second.Job == first.Job || *second.Guard != "2" {
		t.Errorf("answered by what had changed: guard %s", *second.Guard)
	}
	g.old(t)
	again()
	if got := g.noted(t); got.Job != second.Job {
		t.Error("what was good was read again")
	}
}

// last is the last job of "k".
func (g guardSite) last(t *testing.T) string {
	t.Helper()
	job, err := g.queue.ByKey(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	return job.ID
}
