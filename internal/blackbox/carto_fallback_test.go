package blackbox

import (
	"strings"
	"testing"
	"time"
)

// The statements of section 5.6 are limited versions of t4.
const (
	limit1, limit2, limit3, limit4, limit5 = t4 + " limit 1", t4 + " limit 2", t4 + " limit 3", t4 + " limit 4", t4 + " limit 5"
	// cutShort ends too early.
	cutShort       = t4 + " limit 1, /* should fail */"
	cutShortReason = "syntax error at end of input"
)

// q is a step with fallbacks; "" stands for none.
func q(query, onsuccess, onerror string) map[string]any {
	step := map[string]any{"query": query}
	if onsuccess != "" {
		step["onsuccess"] = onsuccess
	}
	if onerror != "" {
		step["onerror"] = onerror
	}
	return step
}

// nested is a definition in upstream's form.
func nested(t *testing.T, onsuccess, onerror string, steps ...map[string]any) string {
	t.Helper()
	job := q("", onsuccess, onerror)
	job["query"] = steps
	return toJSON(t, map[string]any{"query": job})
}

// Section 5.6. Reasons are the job's, then the steps'.
func TestCartoFallback(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		const limitReason = "LIMIT #,# syntax is not supported"
		const madridReason = `relation "atm_madrid" does not exist`
		for _, tt := range []struct {
			name, definition, states string
			reasons                  []string
		}{
			{"C-040", nested(t, "", "", q(t4, limit1, "")), "done [done/done]", []string{"", ""}},
			{"C-041", nested(t, "", "", q(t4, "", limit1)), "done [done/skipped]", []string{"", ""}},
			{"C-042", nested(t, "", "", q(nx, "", limit1)), "failed [failed/done]", []string{nxReason, nxReason}},
			{"C-043", nested(t, "", "", q(nx, limit1, "")), "failed [failed/skipped]", []string{nxReason, nxReason}},
			{"C-044", nested(t, limit1, "", q(t4, "", "")), "done/done [done]", []string{"", ""}},
			{"C-045", nested(t, limit1, "", q(nx, "", "")), "failed/skipped [failed]", []string{nxReason, nxReason}},
			{"C-046", nested(t, "", limit1, q(nx, "", "")), "failed/done [failed]", []string{nxReason, nxReason}},
			{"C-047", nested(t, "", limit1, q(t4, "", "")), "done/skipped [done]", []string{"", ""}},
			{"C-048", nested(t, limit2, "", q(t4, limit1, "")), "done/done [done/done]", []string{"", ""}},
			{"C-049", nested(t, "", "", q(limit1, limit2, ""), q(limit3, limit4, "")), "done [done/done done/done]", []string{"", "", ""}},
			{"C-050", nested(t, "", "", q(nx, limit1, ""), q(limit2, limit3, "")), "failed [failed/skipped skipped/skipped]", []string{nxReason, nxReason, ""}},
			{"C-052", nested(t, "", "", q(limit1, "", limit2), q(limit3, "", limit4)), "done [done/skipped done/skipped]", []string{"", "", ""}},
			{"C-053", nested(t, "", "", q(cutShort, limit2, "")), "failed [failed/skipped]", []string{cutShortReason, cutShortReason}},
			{"C-054", nested(t, limit2, "", q(cutShort, "", "")), "failed/skipped [failed]", []string{cutShortReason, cutShortReason}},
			{"C-055", nested(t, "", "", q(limit1, nx, ""), q(limit2, limit3, "")), "done [done/failed done/done]", []string{"", nxReason, ""}},
			{"C-056", nested(t, "", "", q(limit1, limit2, ""), q(limit3, nx, "")), "done [done/done done/failed]", []string{"", "", nxReason}},
			{"C-057", nested(t, limit5, "", q(limit1, limit2, ""), q(limit3, limit4, "")), "done/done [done/done done/done]", []string{"", "", ""}},
			{"C-059", nested(t, "", "SELECT * FROM atm_madrid limit 5", q("SELECT * FROM atm_madrid limit 1, should fail", "", "SELECT * FROM atm_madrid limit 2"),
				q("SELECT * FROM atm_madrid limit 3", "", "SELECT * FROM atm_madrid limit 4")), "failed/failed [failed/failed skipped/skipped]", []string{limitReason, madridReason, ""}},
			{"C-223 the reason of a failed fallback", nested(t, "", "", q("select 1 / 0", "", nx)), "failed [failed/failed]", []string{"division by zero", nxReason}},
			{"C-224 a job-level fallback that fails", nested(t, nx, "", q(t4, "", "")), "done/failed [done]", []string{"", ""}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s := s.in(t)
				j := s.run(tt.definition)
				j.wantStates(t, tt.states).wantReasons(t, tt.reasons...)
				for _, step := range j.steps(t) {
					// A failed fallback has its own reason beside.
					if (step.FallbackStatus == "failed") != (step.FallbackFailedReason != "") {
						t.Errorf("fallback %s, its reason %q", step.FallbackStatus, step.FallbackFailedReason)
					}
				}
				if (j.FallbackStatus == "failed") != (j.FallbackFailedReason != "") {
					t.Errorf("fallback of the job %s, its reason %q", j.FallbackStatus, j.FallbackFailedReason)
				}
				wantEcho(t, tt.definition, j)
				wantTimes(t, j)
			})
		}
		t.Run("C-061 cancel", func(t *testing.T) {
			s := s.in(t)
			j := s.create(vizzuality, nested(t, mark("job"), "", q("SELECT pg_sleep(600)", mark("step"), "")))
			s.cancelled(s.waitStates(j, "running/pending [running/pending]"))
			s.wait(j).wantStates(t, "cancelled/skipped [cancelled/skipped]")
			s.run(simple(t, mark("after")))
			s.wantMarks("after")
		})
	})
}

// wantEcho checks that the answer has every text that was sent, and no other.
func wantEcho(t *testing.T, definition string, j sqlJob) {
	t.Helper()
	type job struct {
		Query              []struct{ Query, OnSuccess, OnError string }
		OnSuccess, OnError string
	}
	sent := decode[struct{ Query job }](t, answer{body: definition}).Query
	got := decode[job](t, answer{body: string(j.Query)})
	if a, b := toJSON(t, sent), toJSON(t, got); a != b {
		t.Errorf("sent %s, shown %s", a, b)
	}
}

// wantTimes checks the times of steps: those that ran have both, others none.
func wantTimes(t *testing.T, j sqlJob) {
	t.Helper()
	last := j.CreatedAt
	for i, s := range j.steps(t) {
		ran := s.Status == "done" || s.Status == "failed"
		if ran != timestamp.MatchString(s.StartedAt) || ran != timestamp.MatchString(s.EndedAt) {
			t.Errorf("step %d is %s, started %q and ended %q", i, s.Status, s.StartedAt, s.EndedAt)
		}
		if ran && (s.StartedAt < last || s.EndedAt < s.StartedAt) {
			t.Errorf("step %d started %q and ended %q after %q", i, s.StartedAt, s.EndedAt, last)
		}
		if ran {
			last = s.EndedAt
			if _, err := time.Parse(time.RFC3339, s.EndedAt); err != nil {
				t.Error(err)
			}
		}
	}
	if j.UpdatedAt < last {
		t.Errorf("updated at %q, before %q", j.UpdatedAt, last)
	}
}

func TestCartoC065Timing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	t.Run("C-065 steps have times", func(t *testing.T) {
		s := s.in(t)
		j := s.run(nested(t, "", limit5, q(limit1, "", limit2), q("select pg_sleep(0.05)", "", limit4)))
		wantTimes(t, j.wantStates(t, "done/skipped [done/skipped done/skipped]"))
		second := j.steps(t)[1]
		start, _ := time.Parse(time.RFC3339, second.StartedAt)
		end, _ := time.Parse(time.RFC3339, second.EndedAt)
		if end.Sub(start) < 49*time.Millisecond {
			t.Errorf("a step of 50 ms took from %s to %s", second.StartedAt, second.EndedAt)
		}
	})
	t.Run("the times are the main query's", func(t *testing.T) {
		s := s.in(t)
		j := s.run(nested(t, "", "", q("select 1", "select pg_sleep(0.3)", ""), q("select 1", "", "")))
		steps := j.wantStates(t, "done [done/done done]").steps(t)
		end, _ := time.Parse(time.RFC3339, steps[0].EndedAt)
		start, _ := time.Parse(time.RFC3339, steps[1].StartedAt)
		if start.Sub(end) < 290*time.Millisecond {
			t.Errorf("the second step started %v after the end of the first, whose fallback takes 300 ms", start.Sub(end))
		}
	})
}

// In which order steps and fallbacks run, and what is seen meanwhile.
func TestCartoTraces(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		gate := "select pg_advisory_xact_lock_shared(42); "
		for _, tt := range []struct {
			name, definition string
			// seen are the states while the gate is shut, then those at the end.
			seen, end, marks string
		}{
			{
				"C-222 both onerror run, the step's first", nested(t, "", mark("job"), q("select 1 / 0", "", gate+mark("step"))),
				"running/pending [failed/running]", "failed/done [failed/done]", "step job",
			},
			{
				"job-level onerror", nested(t, mark("no"), gate+mark("job"), q(mark("no")+"; select 1 / 0", mark("no"), mark("step")), q(mark("no"), mark("no"), mark("no"))),
				"failed/running [failed/done skipped/skipped]", "failed/done [failed/done skipped/skipped]", "step job",
			},
			{
				"later steps are skipped before onerror", nested(t, "", mark("job"), q("select 1 / 0", "", gate+mark("step")), q(mark("no"), "", mark("no"))),
				"running/pending [failed/running skipped/skipped]", "failed/done [failed/done skipped/skipped]", "step job",
			},
			{
				"job-level onsuccess", nested(t, gate+mark("job"), mark("no"), q(mark("1"), nx, ""), q(mark("2"), mark("o2"), mark("no"))),
				"done/running [done/failed done/done]", "done/done [done/failed done/done]", "1 2 o2 job",
			},
			{
				"a step's onsuccess before the next step", nested(t, "", "", q(mark("1"), gate+mark("o1"), ""), q(mark("2"), "", "")),
				"running [done/running pending]", "done [done/done done]", "1 o1 2",
			},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s := s.in(t)
				execute(t, s.db, "truncate mark")
				open := shut(t, s.db)
				j := s.waitStates(s.create(vizzuality, tt.definition), tt.seen)
				open()
				j = s.waitStates(j, tt.end)
				s.wantMarks(tt.marks)
				if failed := strings.HasPrefix(tt.end, "failed"); failed != (j.FailedReason == "division by zero") {
					t.Errorf("reason %q", j.FailedReason)
				}
			})
		}
		t.Run("C-229 a job runs between its steps", func(t *testing.T) {
			s := s.in(t)
			pause := "select pg_sleep(0.03)"
			j := s.create(vizzuality, nested(t, "", "", q(pause, pause, ""), q(pause, pause, ""), q(pause, pause, "")))
			last, rank := 0, map[string]int{"pending": 0, "running": 1, "done": 2}
			updated := j.UpdatedAt
			for !j.final() {
				j = s.read(j)
				if now, known := rank[j.Status]; !known || now < last || j.UpdatedAt < updated {
					t.Fatalf("after %d came %s, updated at %s after %s", last, j.Status, j.UpdatedAt, updated)
				}
				last, updated = rank[j.Status], j.UpdatedAt
			}
		})
	})
}
