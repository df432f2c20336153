package jobs

import (
	"testing"
	"time"

	"slashbatch/internal/rows"
	"slashbatch/queue"
)

// Where the guard cannot be asked, nothing is known of the result: but within minFresh, and
// but for whoever can wait for a job that is under way.
func TestGuardOutOfReach(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	stop, _, ended := g.start(t)
	first := g.runs(t)
	stop()
	<-ended
	away, err := rows.Open("default", "postgres://nobody@127.0.0.1:1/none", rows.SourceOptions{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(away.Close)
	near := g.service
	for what, sources := range map[string]map[string]*rows.Source{"away": {"default": away}, "unknown": nil} {
		g.Sources = sources
		g.service = g.site.service()
		g.do(t, "UPDATE slashbatch.request SET published = now()")
		g.served(t, what+", within minFresh", first)
		g.old(t)
		for _, method := range []Method{Get, Post} {
			if status, err := g.service.Submit(t.Context(), g.request(method)); rows.KindOf(err) != rows.Unavailable {
				t.Errorf("%s: %+v, %v; want that the database is away", what, status, err)
			}
		}
		if status, err := g.service.StatusOf(t.Context(), lookup(g.request(Look))); rows.KindOf(err) != rows.Unavailable {
			t.Errorf("%s: status %+v, %v; want that the database is away", what, status, err)
		}
		if g.last(t) != first.Job {
			t.Fatalf("%s: a job was queued", what)
		}
	}
	g.Sources = map[string]*rows.Source{"default": away}
	g.do(t, "UPDATE kept SET revision = 2")
	made, err := near.Submit(t.Context(), g.request(Get))
	if err != nil || !made.Created {
		t.Fatal(made, err)
	}
	for _, form := range []rows.Form{{}, ndjson} {
		r := g.request(Get)
		r.Form = form
		if status, err := g.service.Submit(t.Context(), r); err != nil || status.Job == nil || status.Job.ID != made.Job.ID {
			t.Errorf("a job is under way: %+v, %v; want its status", status, err)
		}
	}
	// The worker's database is away as well: the job is given back, not failed, nor is it done.
	stop, _, ended = g.start(t)
	for g.job(t, made.Job.ID).Attempt < 2 {
		time.Sleep(time.Millisecond)
	}
	stop()
	<-ended
	if job := g.job(t, made.Job.ID); job.State != queue.Pending || job.Failures != 0 {
		t.Errorf("the job is %s with %d failures, want pending and 0", job.State, job.Failures)
	}
}

// A file of another form is made of the rows that are read again, not of those which have changed.
func TestGuardAndForms(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	stop, _, ended := g.start(t)
	g.runs(t)
	stop()
	<-ended
	g.old(t)
	g.do(t, "UPDATE kept SET n = 2, revision = 2")
	r := g.request(Get)
	r.Form = ndjson
	status, err := g.service.Submit(t.Context(), r)
	if err != nil || !status.Created || status.Job.Kind != KindExport {
		t.Fatalf("%+v, %v; want a run", status, err)
	}
	g.start(t)
	var file Status
	for file.File == nil {
		if file, err = g.service.StatusOf(t.Context(), lookup(r)); err != nil || file.Word == WordUnknown || file.Word == WordFailed {
			t.Fatalf("%+v, %v", file, err)
		}
		time.Sleep(time.Millisecond)
	}
	if text := g.content(t, *file.File); text != "{\"n\":2}\n" {
		t.Errorf("%q, want what was read again", text)
	}
}

// Rows that were put in place of a run have no guard: they are good until they expire.
func TestGuardAndPremade(t *testing.T) {
	t.Parallel()
	g := newGuardSite(t)
	g.put(t, "premade/k.csv", []byte("n\n7\n"))
	g.start(t)
	first := g.runs(t)
	if first.Guard != nil {
		t.Errorf("noted %s", *first.Guard)
	}
	g.old(t)
	g.do(t, "UPDATE kept SET revision = 2")
	g.served(t, "premade", first)
}
