package blackbox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// Section 5.4, and who is who by other means.
func TestCartoAuthorisation(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	at := host(vizzuality)
	send := func(s site, query string, with ...func(*http.Request)) answer {
		return s.ask(http.MethodPost, jobsPath, append([]func(*http.Request){at, jsonBody(toJSON(t, map[string]string{"query": query}))}, with...)...)
	}
	t.Run("C-017 master key", func(t *testing.T) {
		s := s.in(t)
		a := send(s, "select * from scoped_table_1", apiKey("1234")).wantCode(t, http.StatusCreated)
		if j := s.wait(s.job(vizzuality, a)); j.Status != "done" {
			t.Errorf("%s", j.answer.body)
		}
	})
	refused := func(name string, code int, text, query string, with ...func(*http.Request)) {
		t.Run(name, func(t *testing.T) { send(s.in(t), query, with...).wantError(t, code, text) })
	}
	denied := func(name, query string, with ...func(*http.Request)) {
		refused(name, http.StatusForbidden, "permission denied", query, with...)
	}
	denied("C-018 regular key", "select * from private_table", apiKey("regular1"))
	denied("C-019 default key", t4, apiKey("default_public"))
	denied("C-020 no key", t4)
	denied("C-021 regular key by Basic", "select * from scoped_table_1", basic(vizzuality, "regular1"))
	denied("C-022 default key by Basic", "select * from private_table", basic(vizzuality, "default_public"))
	denied("C-235 another user's name by Basic", t4, basic(cartodb250, "1234"))
	denied("C-235 another user's name and key by Basic", t4, basic(cartodb250, masterKeys[cartodb250]))
	denied("an unknown name by Basic", t4, basic("wadus", "regular2"))
	refused("unknown key by Basic", http.StatusUnauthorized, "Unauthorized", t4, basic(vizzuality, "guess"))
	refused("unknown key by Bearer", http.StatusUnauthorized, "Unauthorized", t4, bearer("guess"))
	refused("another user's key", http.StatusUnauthorized, "Unauthorized", t4, bearer(masterKeys[cartodb250]))
	refused("the digest is no key", http.StatusUnauthorized, "Unauthorized", t4, bearer(digest("1234")))
	denied("a user without the SQL right", t4, host(reader), bearer(masterKeys[reader]))
	t.Run("another case of the user's host", func(t *testing.T) {
		// Host names have no case; no other answer than success or no such user makes sense.
		s := s.in(t)
		if a := send(s, t4, bearer("1234"), func(r *http.Request) { r.Host = "VIZZUALITY.cartodb.com" }); a.code != http.StatusCreated && a.code != http.StatusNotFound {
			t.Errorf("answered %d", a.code)
		}
	})
}

// A key may come in a header, in the query string or in the body.
func TestCartoCredentials(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	inBody := func(fields url.Values) func(*http.Request) { return form(fields.Encode()) }
	for name, with := range map[string][]func(*http.Request){
		"Basic":                 {inBody(url.Values{"query": {t4}}), basic(vizzuality, "1234")},
		"Bearer":                {inBody(url.Values{"query": {t4}}), bearer("1234")},
		"query string":          {inBody(url.Values{"query": {t4}}), apiKey("1234")},
		"form":                  {inBody(url.Values{"query": {t4}, "api_key": {"1234"}})},
		"JSON":                  {jsonBody(`{"query": "` + t4 + `", "api_key": "1234"}`)},
		"header before query":   {inBody(url.Values{"query": {t4}}), basic(vizzuality, "1234"), apiKey("guess")},
		"query string and body": {inBody(url.Values{"query": {t4}, "api_key": {"guess"}}), apiKey("1234")},
		"small letters":         {inBody(url.Values{"query": {t4}}), header("Authorization", "bearer 1234")},
		"upstream's other name": {inBody(url.Values{"query": {t4}, "map_key": {"1234"}})},
	} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			j := s.job(vizzuality, s.ask(http.MethodPost, jobsPath, append(with, host(vizzuality))...).wantCode(t, http.StatusCreated))
			if j.User != vizzuality || strings.Contains(j.answer.body, "api_key") {
				t.Errorf("%s", j.answer.body)
			}
		})
	}
	for name, with := range map[string]func(*http.Request){"Basic": basic(vizzuality, "1234"), "Bearer": bearer("1234"), "query string": apiKey("1234")} {
		t.Run("list by "+name, func(t *testing.T) {
			a := s.in(t).ask(http.MethodGet, jobsPath+"?limit=2", host(vizzuality), with).wantCode(t, http.StatusOK)
			if link := a.header.Get("Link"); link == "" || strings.Contains(link, "api_key") {
				t.Errorf("Link %q", link)
			}
		})
	}
}

// Without a host that tells the user, the key does.
func TestCartoUserFromKey(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.settings["auth.userFromHost"] = ""
	s := w.start(t, true)
	for user, want := range map[string]int{vizzuality: http.StatusCreated, cartodb250: http.StatusCreated, reader: http.StatusForbidden} {
		a := s.ask(http.MethodPost, jobsPath, bearer(masterKeys[user]), form("query=select+1")).wantCode(t, want)
		if want == http.StatusCreated && s.job(user, a).User != user {
			t.Errorf("%s", a.body)
		}
	}
	s.ask(http.MethodPost, jobsPath, basic(vizzuality, "1234"), form("query=select+1")).wantCode(t, http.StatusCreated)
	s.ask(http.MethodPost, jobsPath, form("query=select+1")).wantError(t, http.StatusForbidden, "permission denied")
	s.ask(http.MethodPost, jobsPath, bearer("guess"), form("query=select+1")).wantError(t, http.StatusUnauthorized, "Unauthorized")
	if a := s.ask(http.MethodPost, jobsPath, basic(cartodb250, "1234"), form("query=select+1")); a.code != http.StatusUnauthorized && a.code != http.StatusForbidden {
		t.Errorf("another's name: answered %d", a.code)
	}
	s.ask(http.MethodGet, "/user/"+cartodb250+jobsPath, bearer("1234")).wantError(t, http.StatusUnauthorized, "Unauthorized")
}

// Every route with every sort of key.
func TestCartoAccessTable(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	j := s.create(vizzuality, `{"query": "select 1"}`)
	routes := map[string]string{"": http.MethodPost, " ": http.MethodGet, "/" + j.JobID: http.MethodGet, "/" + j.JobID + " ": http.MethodDelete, "/" + j.JobID + "/result": http.MethodGet}
	for name, c := range map[string]struct {
		with func(*http.Request)
		code int
		text string
	}{
		"nobody":      {func(*http.Request) {}, http.StatusForbidden, "permission denied"},
		"unknown":     {bearer("guess"), http.StatusUnauthorized, "Unauthorized"},
		"another's":   {bearer(masterKeys[cartodb250]), http.StatusUnauthorized, "Unauthorized"},
		"an admin's":  {bearer(masterKeys[boss]), http.StatusUnauthorized, "Unauthorized"},
		"regular":     {bearer("regular1"), http.StatusForbidden, "permission denied"},
		"default":     {bearer("default_public"), http.StatusForbidden, "permission denied"},
		"wrong name":  {basic(cartodb250, "1234"), http.StatusForbidden, "permission denied"},
		"regular, as": {basic(vizzuality, "regular2"), http.StatusForbidden, "permission denied"},
	} {
		for path, method := range routes {
			t.Run(name+" "+method+" "+strings.TrimSpace(path), func(t *testing.T) {
				s.in(t).ask(method, jobsPath+strings.TrimSpace(path), host(vizzuality), c.with, form("query=select+1")).wantError(t, c.code, c.text)
			})
		}
		t.Run(name+" jobs-wip", func(t *testing.T) {
			s.in(t).ask(http.MethodGet, "/api/v2/jobs-wip", host(vizzuality), c.with).wantError(t, c.code, c.text)
		})
	}
	s.read(j).wantStates(t, "pending")
	if n := s.log.count(masterKeys[cartodb250]) + s.log.count(s.world.password); n > 0 {
		t.Error("keys or passwords are in the log")
	}
}

// Another user's job is exactly like one that there is not, for admins too.
func TestCartoForeignJobs(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		done := s.run(`{"query": "select 1 as a"}`)
		open := shut(t, s.db)
		running := s.waitStates(s.create(vizzuality, `{"query": "select pg_advisory_xact_lock_shared(42)"}`), "running")
		pending := s.create(vizzuality, `{"query": "select 1"}`)
		unknown := uuid.NewString()
		for name, j := range map[string]sqlJob{"done": done, "running": running, "pending": pending} {
			for _, user := range []string{cartodb250, boss} {
				for path, method := range map[string]string{"": http.MethodGet, " ": http.MethodDelete, "  ": http.MethodHead, "/result": http.MethodGet, "/result ": http.MethodHead} {
					path := strings.TrimSpace(path)
					t.Run(name+" "+user+" "+method+path, func(t *testing.T) {
						s := s.in(t)
						foreign := s.ask(method, jobsPath+"/"+j.JobID+path, as(user))
						none := s.ask(method, jobsPath+"/"+unknown+path, as(user))
						if method != http.MethodHead {
							foreign.wantError(t, http.StatusBadRequest, "Job with id "+j.JobID+" not found")
						}
						foreign.header.Del("Date")
						none.header.Del("Date")
						var a, b strings.Builder
						_, _ = foreign.header.Write(&a), none.header.Write(&b)
						if foreign.code != none.code || a.String() != b.String() || strings.ReplaceAll(foreign.body, j.JobID, unknown) != none.body {
							t.Errorf("%d %s\n%s, but of none\n%d %s\n%s", foreign.code, a.String(), foreign.body, none.code, b.String(), none.body)
						}
					})
				}
			}
		}
		// Nor by the ways to other kinds of jobs.
		for _, target := range []string{"/item/batch/status?_job=" + running.JobID, "/jobs/" + running.JobID} {
			for _, with := range []func(*http.Request){func(*http.Request) {}, bearer(masterKeys[cartodb250])} {
				if a := s.get(target, with); strings.Contains(a.body, "pg_advisory") || strings.Contains(strings.ToLower(a.body), "inprogress") {
					t.Errorf("%s: %s", target, clip(a.body))
				}
			}
		}
		s.read(running).wantStates(t, "running")
		open()
		s.wait(running).wantStates(t, "done")
		s.wait(pending).wantStates(t, "done")
	})
}

// The id of an export is none of a SQL job.
func TestCartoExportIsNoSQLJob(t *testing.T) {
	t.Parallel()
	s := newIdleSite(t)
	key := bearer(masterKeys[vizzuality])
	d := s.status(s.post("/item/batch", key).location(t), key)
	if d.ID == "" {
		t.Fatal("no id")
	}
	for path, method := range map[string]string{"": http.MethodGet, " ": http.MethodDelete, "/result": http.MethodGet} {
		s.ask(method, jobsPath+"/"+d.ID+strings.TrimSpace(path), as(vizzuality)).wantError(t, http.StatusBadRequest, "Job with id "+d.ID+" not found")
	}
	if list := decode[[]sqlJob](t, s.ask(http.MethodGet, jobsPath, as(vizzuality))); len(list) > 0 {
		t.Errorf("listed: %v", list)
	}
	if d := s.status("/item/batch/status", key); d.Status != "Pending" {
		t.Errorf("the export is %s", d.Status)
	}
}
