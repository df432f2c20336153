package blackbox

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whenever a cancel comes: what counts as done was done, what counts as skipped was
// not, and nothing runs after the statement that the cancel met. That one itself may
// have been committed before the database heard of the cancel.
func TestCartoCancelAnytime(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		late := 0
		for round := range 60 {
			word := func(n int) string { return fmt.Sprintf("%d-%d", round, n) }
			var steps []map[string]any
			for n := range 4 {
				steps = append(steps, q("select pg_sleep(random() * 0.006); "+mark(word(n)), mark(word(n)+"f"), ""))
			}
			j := s.create(vizzuality, nested(t, mark(word(4)), "", steps...))
			time.Sleep(time.Duration(rand.IntN(60)) * time.Millisecond)
			if a := s.cancel(j); a.code != http.StatusOK && a.code != http.StatusBadRequest {
				t.Errorf("answered %d: %s", a.code, a.body)
			}
			// When the next has run, nothing is left of this one.
			s.run(simple(t, "select 1"))
			j = s.read(j)
			if !j.final() {
				t.Fatalf("the next job has run, this one is %s", j.answer.body)
			}
			marks, cancelled := " "+s.marks()+" ", 0
			check := func(word, status string) {
				there := strings.Contains(marks, " "+word+" ")
				switch status {
				case "cancelled":
					cancelled++
					if there {
						late++
					}
				case "done", "skipped":
					if there != (status == "done") {
						t.Errorf("%s is %s, its mark is there: %v\n%s", word, status, there, j.answer.body)
					}
				default:
					t.Errorf("%s is %q\n%s", word, status, j.answer.body)
				}
			}
			for n, step := range j.steps(t) {
				check(word(n), step.Status)
				check(word(n)+"f", step.FallbackStatus)
			}
			check(word(4), j.FallbackStatus)
			if cancelled > 1 {
				t.Errorf("more than one statement counts as cancelled: %s", j.answer.body)
			}
			s.wantIdle()
		}
		t.Logf("%d of 60 cancels came after the commit of what they met", late)
	})
}

// Two processes never run two SQL jobs of one user at once.
func TestCartoOneAtATime(t *testing.T) {
	t.Parallel()
	w := newWorld(t, redisQueue(t))
	sites := []site{w.start(t, false), w.start(t, false)}
	// Only one transaction has the lock; another fails.
	alone := "select 1 / pg_try_advisory_xact_lock(99)::int; select pg_sleep(0.005)"
	var jobs []sqlJob
	for n := range 40 {
		jobs = append(jobs, sites[n%2].create(vizzuality, list(t, alone, alone)))
	}
	last := ""
	for n, j := range jobs {
		j = sites[(n+1)%2].wait(j).wantStates(t, "done [done done]")
		if j.UpdatedAt < last {
			t.Errorf("job %d was done at %s, the one before at %s", n, j.UpdatedAt, last)
		}
		last = j.UpdatedAt
	}
}

// The end of a job wakes who can start the user's next: with sweeps this rare, a list
// that waited for them would not be done in time.
func TestCartoBacklog(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, with(queue, map[string]any{"batch.process.timeout": 10_000}))
		open := shut(t, s.db)
		first := s.waitStates(s.create(vizzuality, simple(t, "select pg_advisory_xact_lock_shared(42)")), "running")
		var jobs []sqlJob
		for range 6 {
			jobs = append(jobs, s.create(vizzuality, simple(t, "select 1")))
		}
		open()
		s.wait(first).wantStates(t, "done")
		s.wait(jobs[5]).wantStates(t, "done")
		for _, j := range jobs {
			s.read(j).wantStates(t, "done")
		}
		// A cancel frees the place as well.
		open = shut(t, s.db)
		defer open()
		first = s.waitStates(s.create(vizzuality, simple(t, "select pg_advisory_xact_lock_shared(42)")), "running")
		for range 4 {
			next := s.create(vizzuality, simple(t, "select pg_advisory_xact_lock_shared(42)"))
			s.cancelled(first)
			first = s.waitStates(next, "running")
		}
	})
}

// A browser gets what programs get.
func TestCartoForBrowsers(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	j := s.create(vizzuality, simple(t, "select '<b>&'"))
	for target, want := range map[string]int{jobsPath: http.StatusOK, jobsPath + "/" + j.JobID: http.StatusOK, jobsPath + "/none": http.StatusBadRequest, "/api/v2/jobs-wip": http.StatusOK} {
		a := s.ask(http.MethodGet, target, as(vizzuality), browser).wantCode(t, want)
		a.wantHeader(t, "Content-Type", "application/json; charset=utf-8").wantHeader(t, "X-Content-Type-Options", "nosniff")
	}
	a := s.ask(http.MethodGet, jobsPath+"/%3Cscript%3E", as(vizzuality), browser)
	a.wantError(t, http.StatusBadRequest, "Job with id <script> not found")
}
