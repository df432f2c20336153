package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// running is what jobs-wip tells a user.
func (s site) running(user string) map[string][]string {
	s.t.Helper()
	return decode[map[string][]string](s.t, s.ask(http.MethodGet, "/api/v1/jobs-wip", as(user)).wantCode(s.t, http.StatusOK))
}

func TestCartoRunningJobs(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		open := shut(t, s.db)
		gate := list(t, "select pg_advisory_xact_lock_shared(42)")
		j := s.waitStates(s.create(vizzuality, gate), "running [running]")
		other := s.waitStates(s.create(cartodb250, gate), "running [running]")
		pending := s.create(vizzuality, simple(t, "select 1"))
		s.post("/gated/batch", bearer(masterKeys[vizzuality]))
		s.await("InProgress", "/gated/batch/status")
		t.Run("C-081 own ones", func(t *testing.T) {
			s := s.in(t)
			for user, want := range map[string]string{
				vizzuality: `{"vizzuality":["` + j.JobID + `"]}`, cartodb250: `{"cartodb250user":["` + other.JobID + `"]}`,
				boss: `{"cartodb250user":["` + other.JobID + `"],"vizzuality":["` + j.JobID + `"]}`,
			} {
				s.eventually(user+" is told "+want, func() bool { return toJSON(t, s.running(user)) == want })
			}
		})
		t.Run("C-233 none without a key", func(t *testing.T) {
			s := s.in(t)
			s.ask(http.MethodGet, "/api/v1/jobs-wip", host(vizzuality)).wantError(t, http.StatusForbidden, "permission denied")
			s.ask(http.MethodGet, "/user/vizzuality/api/v1/jobs-wip").wantError(t, http.StatusForbidden, "permission denied")
		})
		s.cancelled(pending)
		s.cancelled(j)
		t.Run("C-082 not when they have ended", func(t *testing.T) {
			s := s.in(t)
			if got := s.running(vizzuality)[vizzuality]; len(got) > 0 {
				t.Errorf("cancelled, but running: %v", got)
			}
			open()
			s.wait(other)
			if got := s.running(cartodb250)[cartodb250]; len(got) > 0 {
				t.Errorf("done, but running: %v", got)
			}
			if got := strings.TrimSpace(s.ask(http.MethodGet, "/api/v1/jobs-wip", as(boss)).body); got != "{}" {
				t.Errorf("nothing runs: %s", got)
			}
		})
		t.Run("C-081 in a moment", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			defer open()
			for range 3 {
				j := s.waitStates(s.create(vizzuality, gate), "running [running]")
				// The list is at most a moment old; what has ended is never in it.
				s.eventually("it is listed", func() bool { return strings.Join(s.running(vizzuality)[vizzuality], " ") == j.JobID })
				s.cancelled(j)
				if got := strings.Join(s.running(vizzuality)[vizzuality], " "); got != "" {
					t.Errorf("cancelled is %s, listed %q", j.JobID, got)
				}
			}
		})
		t.Run("as long as the job's fallback runs it has not ended", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			defer open()
			const held = "select pg_advisory_xact_lock_shared(42)"
			for _, states := range []string{"done/running", "failed/running"} {
				query := "select 1"
				if states == "failed/running" {
					query = nx
				}
				j := s.waitStates(s.create(vizzuality, toJSON(t, q(query, held, held))), states)
				listed := func() bool { return strings.Join(s.running(vizzuality)[vizzuality], " ") == j.JobID }
				s.eventually("it is listed", listed)
				s.cancelled(j)
				if listed() {
					t.Errorf("%s is listed after its fallback was cancelled", j.JobID)
				}
			}
		})
	})
}
