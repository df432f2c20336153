package blackbox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Statements of upstream's tests.
const (
	t4 = "SELECT * FROM untitle_table_4"
	nx = "SELECT * FROM nonexistent_table /* query that should fail */"
	// nxReason is why nx fails.
	nxReason = `relation "nonexistent_table" does not exist`
)

const jobsPath = "/api/v2/sql/job"

// sqlJob is the document of a job, with its answer.
type sqlJob struct {
	answer answer
	// sender is the user it was read as.
	sender string

	User                 string
	Query                json.RawMessage
	OnSuccess, OnError   string
	JobID                string `json:"job_id"`
	CreatedAt            string `json:"created_at"`
	UpdatedAt            string `json:"updated_at"`
	Status               string
	FallbackStatus       string `json:"fallback_status"`
	FailedReason         string `json:"failed_reason"`
	FallbackFailedReason string `json:"fallback_failed_reason"`
}

// sqlStep is a decorated element of the query.
type sqlStep struct {
	Query, Status, OnSuccess, OnError string
	FallbackStatus                    string `json:"fallback_status"`
	FailedReason                      string `json:"failed_reason"`
	FallbackFailedReason              string `json:"fallback_failed_reason"`
	StartedAt                         string `json:"started_at"`
	EndedAt                           string `json:"ended_at"`
}

// steps are the decorated elements of an array, or of the array in upstream's nested form.
func (j sqlJob) steps(t *testing.T) []sqlStep {
	t.Helper()
	text := j.Query
	if strings.HasPrefix(string(text), "{") {
		nested := decode[struct{ Query json.RawMessage }](t, answer{body: string(text)})
		text = nested.Query
	}
	if !strings.HasPrefix(string(text), "[") {
		return nil
	}
	return decode[[]sqlStep](t, answer{body: string(text)})
}

// states is the job's status, and in brackets those of the steps: "done [done/skipped]".
// After a slash stands what became of the fallback, where there is one.
func (j sqlJob) states(t *testing.T) string {
	t.Helper()
	both := func(status, fallback string) string { return strings.TrimSuffix(status+"/"+fallback, "/") }
	text := both(j.Status, j.FallbackStatus)
	var steps []string
	for _, s := range j.steps(t) {
		steps = append(steps, both(s.Status, s.FallbackStatus))
	}
	if steps != nil {
		text += " [" + strings.Join(steps, " ") + "]"
	}
	return text
}

func (j sqlJob) wantStates(t *testing.T, want string) sqlJob {
	t.Helper()
	if got := j.states(t); got != want {
		t.Errorf("states %q, want %q\n%s", got, want, clip(j.answer.body))
	}
	return j
}

// wantReasons checks the job's own reason, then those of the steps.
func (j sqlJob) wantReasons(t *testing.T, want ...string) {
	t.Helper()
	got := []string{j.FailedReason}
	for _, s := range j.steps(t) {
		got = append(got, s.FailedReason)
	}
	if !slices.Equal(got, want) {
		t.Errorf("reasons %q, want %q\n%s", got, want, clip(j.answer.body))
	}
}

// text is the query of a job that is one string.
func (j sqlJob) text(t *testing.T) string {
	t.Helper()
	return decode[string](t, answer{body: string(j.Query)})
}

// final reports that nothing will happen any more: the status is a last one and
// the job-level fallback, if there is one, has run or will not.
func (j sqlJob) final() bool {
	return slices.Contains([]string{"done", "failed", "cancelled"}, j.Status) && j.FallbackStatus != "pending" && j.FallbackStatus != "running"
}

// ask sends a request to the façade and checks what holds for all its answers.
func (s site) ask(method, target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	a := s.do(method, target, with...)
	if got := a.header.Get("Cache-Control"); got != "no-store" {
		s.t.Errorf("%s %s: Cache-Control %q, want no-store", method, target, got)
	}
	if a.code >= 400 && method != http.MethodHead {
		a.wantHeader(s.t, "Content-Type", "application/json; charset=utf-8")
		var document map[string][]string
		if err := json.Unmarshal([]byte(a.body), &document); err != nil || len(document) != 1 || len(document["error"]) != 1 || document["error"][0] == "" {
			s.t.Errorf("%s %s: not an error as CartoDB's: %s", method, target, clip(a.body))
		}
	}
	s.clean(a)
	return a
}

// clean checks that an answer says nothing about where the databases are and how
// one gets in.
func (s site) clean(a answer) {
	s.t.Helper()
	u, err := url.Parse(s.world.db)
	if err != nil {
		s.t.Fatal(err)
	}
	text := a.body
	for name, values := range a.header {
		text += "\n" + name + ": " + strings.Join(values, ", ")
	}
	secrets := []string{s.world.password, u.Host, strings.TrimPrefix(u.Path, "/"), "postgres://", digest(masterKeys[vizzuality])}
	for user, key := range masterKeys {
		if user != vizzuality { // whose key is too short to stand for itself
			secrets = append(secrets, key)
		}
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			s.t.Errorf("an answer tells %q:\n%s", secret, clip(text))
		}
	}
}

// wantError checks an error answer.
func (a answer) wantError(t *testing.T, code int, text string) {
	t.Helper()
	a.wantCode(t, code)
	if got := decode[map[string][]string](t, a)["error"]; !slices.Equal(got, []string{text}) {
		t.Errorf("error %q, want %q", got, text)
	}
}

// create sends a job and returns it as accepted.
func (s site) create(user, definition string) sqlJob {
	s.t.Helper()
	return s.job(user, s.ask(http.MethodPost, jobsPath, as(user), jsonBody(definition)).wantCode(s.t, http.StatusCreated))
}

// job reads the document of an answer.
func (s site) job(user string, a answer) sqlJob {
	s.t.Helper()
	j := decode[sqlJob](s.t, a)
	j.answer, j.sender = a, user
	return j
}

// read reads a job anew.
func (s site) read(j sqlJob) sqlJob {
	s.t.Helper()
	return s.job(j.sender, s.ask(http.MethodGet, jobsPath+"/"+j.JobID, as(j.sender)).wantCode(s.t, http.StatusOK))
}

// cancel cancels a job.
func (s site) cancel(j sqlJob) answer {
	s.t.Helper()
	return s.ask(http.MethodDelete, jobsPath+"/"+j.JobID, as(j.sender))
}

// cancelled cancels a job that can be cancelled.
func (s site) cancelled(j sqlJob) sqlJob {
	s.t.Helper()
	return s.job(j.sender, s.cancel(j).wantCode(s.t, http.StatusOK))
}

// until polls a job until it is as wanted.
func (s site) until(j sqlJob, what string, ok func(sqlJob) bool) sqlJob {
	s.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if j = s.read(j); ok(j) {
			return j
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %v in vain for a job to be %s:\n%s", patience, what, clip(j.answer.body))
		}
	}
}

// wait polls a job until it is final.
func (s site) wait(j sqlJob) sqlJob {
	s.t.Helper()
	return s.until(j, "final", sqlJob.final)
}

// waitStates polls until the states are these.
func (s site) waitStates(j sqlJob, want string) sqlJob {
	s.t.Helper()
	return s.until(j, want, func(j sqlJob) bool { return j.states(s.t) == want })
}

// run sends a job of vizzuality and waits for its end.
func (s site) run(definition string) sqlJob {
	s.t.Helper()
	return s.wait(s.create(vizzuality, definition))
}

// result has a job's rows.
func (s site) result(j sqlJob, with ...func(*http.Request)) answer {
	s.t.Helper()
	a := s.get(jobsPath+"/"+j.JobID+"/result", append([]func(*http.Request){as(j.sender)}, with...)...)
	s.clean(a)
	return a
}
