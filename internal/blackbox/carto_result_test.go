package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// noResult checks the answer about a job whose rows are not there.
func (s site) noResult(j sqlJob, words ...string) {
	s.t.Helper()
	a := s.ask(http.MethodGet, jobsPath+"/"+j.JobID+"/result", as(j.sender)).wantCode(s.t, http.StatusNotFound)
	told := decode[map[string][]string](s.t, a)["error"][0]
	for _, word := range append(words, j.JobID) {
		if !strings.Contains(told, word) {
			s.t.Errorf("%q does not tell %q", told, word)
		}
	}
	if a := s.ask(http.MethodHead, jobsPath+"/"+j.JobID+"/result", as(j.sender)).wantCode(s.t, http.StatusNotFound); a.body != "" {
		s.t.Errorf("HEAD has the body %q", a.body)
	}
}

// The result is what the last main query gave that gave rows.
func TestCartoResult(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		for _, tt := range []struct{ name, definition, rows string }{
			{"simple", simple(t, "select 1 as a, 'x' as b"), "a,b\r\n1,x\r\n"},
			{"the last of two", list(t, "select 1 as a", "select 2 as b"), "b\r\n2\r\n"},
			{"the last that gives rows", list(t, "select 1 as a", "select 2 as b", mark("x"), "create table made (a int)"), "b\r\n2\r\n"},
			{"not a fallback's", toJSON(t, map[string]any{"query": []any{q("select 1 as a", "select 2 as b", "")}, "onsuccess": "select 3 as c"}), "a\r\n1\r\n"},
			{"the last statement of a step", simple(t, "select 1 as a; select 2 as b union all select 3 order by 1"), "b\r\n2\r\n3\r\n"},
			{"the last statement that gives rows", simple(t, "select 1 as a; "+mark("x")), "a\r\n1\r\n"},
			{"what an insert returns", simple(t, mark("y")+" returning word"), "word\r\ny\r\n"},
			{"empty", simple(t, "select 1 as a, 2 as b where false"), "a,b\r\n"},
			{
				"values", simple(t, `select true as a, false as b, null::int as c, '' as d, 'a,"b"' as e, '{1,2}'::int[] as f, '2026-01-31 13:00:00.5+01'::timestamptz as g, '2026-01-31 12:00:00'::timestamp as h, '\x6869'::bytea as i, 'infinity'::timestamptz as j`),
				"a,b,c,d,e,f,g,h,i,j\r\ntrue,false,,\"\",\"a,\"\"b\"\"\",\"{1,2}\",2026-01-31T12:00:00.5Z,2026-01-31T12:00:00,\\x6869,infinity\r\n",
			},
			{"names", simple(t, `select 1 as "a,b", 2 as a, 3 as a, 4 as "ü 'x'"`), "\"a,b\",a,a,ü 'x'\r\n1,2,3,4\r\n"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				s := s.in(t)
				j := s.run(tt.definition)
				a := s.result(j).wantCode(t, http.StatusOK)
				if a.body != tt.rows {
					t.Errorf("%q, want %q", a.body, tt.rows)
				}
				if a.header.Get("Content-Disposition") == "" || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
					t.Errorf("headers %v", a.header)
				}
			})
		}
		t.Run("there as soon as the job is done", func(t *testing.T) {
			s := s.in(t)
			for range 20 {
				j := s.create(vizzuality, list(t, "select 1 as a", "select 2 as b"))
				for j.Status != "done" {
					j = s.read(j)
				}
				if a := s.result(j); a.code != http.StatusOK || a.body != "b\r\n2\r\n" {
					t.Errorf("answered %d: %s", a.code, clip(a.body))
				}
			}
		})
		t.Run("none without rows", func(t *testing.T) {
			s := s.in(t)
			s.noResult(s.run(simple(t, mark("z"))), "no result")
			s.noResult(s.run(list(t, mark("z"), "create table made_too (a int)")), "no result")
			s.noResult(s.run(toJSON(t, q(mark("z"), "select 1", ""))), "no result")
		})
		t.Run("none of a failed job", func(t *testing.T) {
			s := s.in(t)
			s.noResult(s.run(simple(t, nx)), "no result")
			s.noResult(s.run(list(t, "select 1 as a", nx)), "no result")
			// Rows that came before the error are none.
			s.noResult(s.run(simple(t, "select 100 / (3 - n) from generate_series(1, 5) as n")), "no result")
		})
		t.Run("not yet, and never of a cancelled job", func(t *testing.T) {
			s := s.in(t)
			open := shut(t, s.db)
			defer open()
			j := s.create(vizzuality, list(t, "select 1 as a", "select pg_advisory_xact_lock_shared(42)"))
			next := s.create(vizzuality, simple(t, "select 1"))
			s.waitStates(j, "running [done running]")
			s.noResult(j, "running")
			s.noResult(next, "pending")
			s.cancelled(j)
			s.cancelled(next)
			s.noResult(j, "no result")
			s.noResult(next, "no result")
		})
	})
}

// It is served as every file: with validators, parts and compression, for its owner alone.
func TestCartoResultDownload(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	j := s.run(simple(t, "select n as id, md5(n::text) as digest from generate_series(1, 150000) as n"))
	plain, packed := s.result(j).wantCode(t, http.StatusOK), s.result(j, zipped).wantCode(t, http.StatusOK)
	if got := strings.Count(plain.body, "\r\n"); got != 150_001 || !strings.HasPrefix(plain.body, "id,digest\r\n1,c4ca4238a0b923820dcc509a6f75849b\r\n") {
		t.Fatalf("%d lines: %s", got, clip(plain.body))
	}
	if packed.header.Get("Content-Encoding") != "gzip" || inflated(t, packed.body) != plain.body {
		t.Error("the gzip form holds other bytes")
	}
	path := jobsPath + "/" + j.JobID + "/result"
	for name, form := range map[string]struct {
		whole answer
		with  []func(*http.Request)
	}{"plain": {plain, []func(*http.Request){as(vizzuality)}}, "gzip": {packed, []func(*http.Request){as(vizzuality), zipped}}} {
		t.Run(name, func(t *testing.T) {
			s := s.in(t)
			whole, n := form.whole, len(form.whole.body)
			ask := func(method string, with ...func(*http.Request)) answer {
				return s.do(method, path, append(with, form.with...)...)
			}
			whole.wantHeader(t, "Accept-Ranges", "bytes")
			tag := whole.header.Get("ETag")
			if _, err := http.ParseTime(whole.header.Get("Last-Modified")); err != nil || !strings.HasPrefix(tag, `"`) || whole.length != int64(n) {
				t.Errorf("headers %v", whole.header)
			}
			if !strings.HasPrefix(whole.header.Get("Content-Disposition"), "attachment; filename=") {
				t.Errorf("Content-Disposition %q", whole.header.Get("Content-Disposition"))
			}
			if vary := strings.Join(whole.header.Values("Vary"), ","); !strings.Contains(vary, "Authorization") || !strings.Contains(vary, "Accept-Encoding") {
				t.Errorf("Vary %q", vary)
			}
			// No cache that others share may keep it.
			if got := whole.header.Get("Cache-Control"); !strings.Contains(got, "private") && !strings.Contains(got, "no-store") {
				t.Errorf("Cache-Control %q", got)
			}
			if a := ask(http.MethodHead).wantCode(t, http.StatusOK); a.body != "" || a.length != int64(n) || a.header.Get("ETag") != tag {
				t.Errorf("HEAD: body %q, headers %v", a.body, a.header)
			}
			if a := ask(http.MethodGet, header("If-None-Match", tag)).wantCode(t, http.StatusNotModified); a.body != "" {
				t.Errorf("304 with the body %q", a.body)
			}
			for spec, part := range map[string]string{
				"bytes=0-9": whole.body[:10], "bytes=-100": whole.body[n-100:], fmt.Sprintf("bytes=%d-", n-7): whole.body[n-7:],
				fmt.Sprintf("bytes=%d-%d", n/2, n/2+5000): whole.body[n/2 : n/2+5001],
			} {
				if a := ask(http.MethodGet, header("Range", spec)).wantCode(t, http.StatusPartialContent); a.body != part {
					t.Errorf("%s: other bytes than in the whole file", spec)
				}
			}
			ask(http.MethodGet, header("Range", fmt.Sprintf("bytes=%d-", n))).wantCode(t, http.StatusRequestedRangeNotSatisfiable)
		})
	}
	if plain.header.Get("ETag") == packed.header.Get("ETag") {
		t.Error("both encodings have one ETag")
	}
	t.Run("of nobody else", func(t *testing.T) {
		s := s.in(t)
		s.ask(http.MethodGet, path, as(cartodb250)).wantError(t, http.StatusBadRequest, "Job with id "+j.JobID+" not found")
		s.ask(http.MethodGet, path, as(boss), header("If-None-Match", plain.header.Get("ETag"))).wantError(t, http.StatusBadRequest, "Job with id "+j.JobID+" not found")
		s.ask(http.MethodGet, path, host(vizzuality)).wantError(t, http.StatusForbidden, "permission denied")
	})
	t.Run("a fallback that fails takes nothing away", func(t *testing.T) {
		s := s.in(t)
		j := s.run(toJSON(t, q("select 1 as a", nx, ""))).wantStates(t, "done/failed")
		if got := s.result(j).wantCode(t, http.StatusOK).body; got != "a\r\n1\r\n" {
			t.Errorf("%q", got)
		}
	})
	t.Run("there while the job-level fallback runs", func(t *testing.T) {
		s := s.in(t)
		open := shut(t, s.db)
		defer open()
		j := s.waitStates(s.create(vizzuality, toJSON(t, q("select 1 as a", "select pg_advisory_xact_lock_shared(42)", ""))), "done/running")
		if got := s.result(j).wantCode(t, http.StatusOK).body; got != "a\r\n1\r\n" {
			t.Errorf("%q", got)
		}
		open()
		if got := s.result(s.wait(j)).wantCode(t, http.StatusOK).body; got != "a\r\n1\r\n" {
			t.Errorf("%q", got)
		}
	})
}

// A cancel that comes while the rows are being published leaves the job cancelled, so it
// has none, although the catalogue knows some.
func TestCartoNoResultOfCancelled(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newSite(t, queue)
		execute(t, s.db, `
			CREATE FUNCTION slashbatch.held() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(42); RETURN NULL; END';
			CREATE TRIGGER held AFTER INSERT ON slashbatch.result FOR EACH ROW EXECUTE FUNCTION slashbatch.held()`)
		open := shut(t, s.db)
		j := s.create(vizzuality, list(t, "select 1 as a"))
		s.eventually("the rows are being published", func() bool {
			return len(query(t, s.db, "SELECT 1 FROM pg_locks JOIN pg_database d ON d.oid = database WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted")) > 0
		})
		j = s.cancelled(j)
		if j.Status != "cancelled" {
			t.Errorf("%s", j.answer.body)
		}
		s.noResult(j, "no result")
		open()
		// When the next has run, the worker has let go of this one.
		next := s.run(simple(t, "select 2 as b"))
		if n := len(query(t, s.db, "SELECT 1 FROM slashbatch.request WHERE key = 'sql:"+j.JobID+"'")); n != 1 {
			t.Errorf("the catalogue has %d results of the cancelled job, so the test shows nothing", n)
		}
		if j = s.read(j); j.Status != "cancelled" {
			t.Errorf("%s", j.answer.body)
		}
		s.noResult(j, "no result")
		if got := s.result(next).wantCode(t, http.StatusOK).body; got != "b\r\n2\r\n" {
			t.Errorf("%q", got)
		}
	})
}

// A result without end is ended.
func TestCartoResultTooLong(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]any{"batch.limits.resultBytes": "1MiB"})
	j := s.run(list(t, mark("undone")+"; select repeat('x', 1000) as a, generate_series(1, 1000000000) as b", mark("no")))
	j.wantStates(t, "failed [failed skipped]")
	if j.FailedReason == "" || strings.Contains(j.FailedReason, "user request") {
		t.Errorf("reason %q", j.FailedReason)
	}
	s.wantIdle()
	s.wantMarks("")
	s.noResult(j, "no result")
	s.run(simple(t, "select 1 as a")).wantStates(t, "done")
}
