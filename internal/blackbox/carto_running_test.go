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
				if got := toJSON(t, s.running(user)); got != want {
					t.Errorf("%s is told %s, want %s", user, got, want)
				}
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
		t.Run("C-081 at once", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			defer open()
			for range 3 { // who sees that a job runs finds it in the list
				j := s.waitStates(s.create(vizzuality, gate), "running [running]")
				if got := strings.Join(s.running(vizzuality)[vizzuality], " "); got != j.JobID {
					t.Errorf("running is %s, listed %q", j.JobID, got)
				}
				s.cancelled(j)
				if got := strings.Join(s.running(vizzuality)[vizzuality], " "); got != "" {
					t.Errorf("cancelled is %s, listed %q", j.JobID, got)
				}
			}
		})
	})
}
