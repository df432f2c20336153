package blackbox

import (
	"encoding/csv"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// page reads a page of the list and the address of the next, "" after the last.
func (s site) page(user, target string) (ids []string, jobs []sqlJob, next string) {
	s.t.Helper()
	a := s.ask(http.MethodGet, target, as(user)).wantCode(s.t, http.StatusOK)
	a.wantHeader(s.t, "Content-Type", "application/json; charset=utf-8")
	if !strings.HasPrefix(a.body, "[") {
		s.t.Fatalf("not an array: %s", clip(a.body))
	}
	jobs = decode[[]sqlJob](s.t, a)
	for _, j := range jobs {
		ids = append(ids, j.JobID)
	}
	if link := a.header.Get("Link"); link != "" {
		address, rel, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
		u, err := url.Parse(address)
		if err != nil || !u.IsAbs() || strings.TrimSpace(strings.TrimPrefix(rel, ";")) != `rel="next"` {
			s.t.Fatalf("Link %q", link)
		}
		next = u.RequestURI()
	}
	return ids, jobs, next
}

// pages reads all pages, doing something after each.
func (s site) pages(user, target string, after func()) (ids []string, count int) {
	s.t.Helper()
	for next := target; next != ""; count++ {
		var some []string
		some, _, next = s.page(user, next)
		ids = append(ids, some...)
		after()
	}
	return ids, count
}

func TestCartoList(t *testing.T) {
	onQueues(t, func(t *testing.T, queue map[string]any) {
		s := newIdleSite(t, with(queue, map[string]any{"batch.limits.queued.sql": 1000}))
		if got := s.ask(http.MethodGet, jobsPath, as(vizzuality)).body; strings.TrimSpace(got) != "[]" {
			t.Errorf("no jobs: %s", got)
		}
		const total = 250
		var newest, cancelled []string // newest first
		for n := range total {
			j := s.create(vizzuality, simple(t, "select 1"))
			newest = append(newest, j.JobID)
			if n%25 == 0 {
				s.create(cartodb250, simple(t, "select 2"))
				s.post("/item/batch?label="+j.JobID, bearer(masterKeys[vizzuality]))
			}
			if n%10 == 0 {
				s.cancelled(j)
				cancelled = append(cancelled, j.JobID)
			}
		}
		slices.Reverse(newest)
		slices.Reverse(cancelled)
		t.Run("pages without gaps or repeats", func(t *testing.T) {
			s := s.in(t)
			for _, target := range []string{jobsPath, jobsPath + "?limit=7", jobsPath + "?limit=250", jobsPath + "?limit=125", jobsPath + "?limit=1000", "/user/vizzuality/api/v1/sql/job/?limit=99"} {
				ids, count := s.pages(vizzuality, target, func() {})
				if !slices.Equal(ids, newest) {
					t.Errorf("%s: %d jobs in %d pages, want %d, newest first", target, len(ids), count, total)
				}
			}
			if _, count := s.pages(vizzuality, jobsPath+"?limit=50", func() {}); count != 5 {
				t.Errorf("%d pages of 50", count)
			}
		})
		t.Run("by status", func(t *testing.T) {
			s := s.in(t)
			for status, want := range map[string][]string{
				"cancelled": cancelled, "running": nil, "done": nil, "failed": nil,
				"pending": slices.DeleteFunc(slices.Clone(newest), func(id string) bool { return slices.Contains(cancelled, id) }),
			} {
				for _, limit := range []string{"", "&limit=3", "&limit=40"} {
					if ids, _ := s.pages(vizzuality, jobsPath+"?status="+status+limit, func() {}); !slices.Equal(ids, want) {
						t.Errorf("%s%s: %d jobs, want %d", status, limit, len(ids), len(want))
					}
				}
			}
			s.ask(http.MethodGet, jobsPath+"?status=wadus", as(vizzuality)).wantCode(t, http.StatusBadRequest)
		})
		t.Run("what is listed is what is read", func(t *testing.T) {
			s := s.in(t)
			_, jobs, _ := s.page(vizzuality, jobsPath+"?limit=3")
			for _, j := range jobs {
				j.sender = vizzuality
				if got := s.read(j); got.text(t) != j.text(t) || got.states(t) != j.states(t) || got.CreatedAt != j.CreatedAt || got.UpdatedAt != j.UpdatedAt || j.User != vizzuality {
					t.Errorf("listed %v, read %v", j, got)
				}
			}
		})
		t.Run("only one's own", func(t *testing.T) {
			s := s.in(t)
			if ids, _ := s.pages(cartodb250, jobsPath+"?limit=4", func() {}); len(ids) != total/25 || slices.Contains(newest, ids[0]) {
				t.Errorf("%d jobs", len(ids))
			}
			if ids, _ := s.pages(boss, jobsPath, func() {}); len(ids) > 0 {
				t.Errorf("an admin has %d jobs", len(ids))
			}
		})
		t.Run("bad parameters", func(t *testing.T) {
			s := s.in(t)
			for _, q := range []string{"limit=0", "limit=-1", "limit=x", "limit=99999999999999999999", "cursor=x", "cursor=-1", "cursor=0"} {
				s.ask(http.MethodGet, jobsPath+"?"+q, as(vizzuality)).wantCode(t, http.StatusBadRequest)
			}
		})
		t.Run("CSV", func(t *testing.T) {
			s := s.in(t)
			s.create(cartodb250, toJSON(t, map[string]string{"query": "select 'a,\"b\"\n'"}))
			a := s.get(jobsPath, as(cartodb250), header("Accept", "text/csv")).wantCode(t, http.StatusOK)
			a.wantHeader(t, "Content-Type", "text/csv; charset=utf-8").wantHeader(t, "Cache-Control", "no-store")
			s.clean(a)
			rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
			if err != nil || len(rows) != total/25+2 {
				t.Fatalf("%d lines, %v:\n%s", len(rows), err, clip(a.body))
			}
			for _, name := range []string{"job_id", "user", "status", "created_at", "updated_at", "failed_reason", "query"} {
				if !slices.Contains(rows[0], name) {
					t.Errorf("no column %s in %q", name, rows[0])
				}
			}
			id, text := slices.Index(rows[0], "job_id"), slices.Index(rows[0], "query")
			ids, _, _ := s.page(cartodb250, jobsPath)
			for i, row := range rows[1:] {
				if row[id] != ids[i] {
					t.Errorf("line %d is of %s, want %s", i, row[id], ids[i])
				}
			}
			// The query is a job's only free text; either as it is or as JSON.
			if got := rows[1][text]; got != "select 'a,\"b\"\n'" && got != `"select 'a,\"b\"\n'"` {
				t.Errorf("query %q", got)
			}
			if got := s.get(jobsPath, as(boss), header("Accept", "text/csv")).wantCode(t, http.StatusOK).body; strings.Count(got, "\n") != 1 {
				t.Errorf("none: %q", got)
			}
			s.ask(http.MethodGet, jobsPath, as(vizzuality), header("Accept", "*/*")).wantHeader(t, "Content-Type", "application/json; charset=utf-8")
		})
		t.Run("pages while jobs come and go", func(t *testing.T) {
			s := s.in(t)
			ids, _ := s.pages(vizzuality, jobsPath+"?limit=20", func() {
				s.cancelled(s.create(vizzuality, simple(t, "select 3")))
				s.create(vizzuality, simple(t, "select 4"))
			})
			if !slices.Equal(ids, newest) {
				t.Errorf("%d jobs, want the %d there were at the beginning", len(ids), total)
			}
		})
	})
}

// A page ends where it would become too long to build, whatever the limit.
func TestCartoListBytes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, map[string]any{"server.maxBodyBytes": "6MiB"})
	w.limits(vizzuality, map[string]any{"payloadBytes": 1 << 20})
	s := w.start(t, true)
	const total, most = 9, 4 << 20
	var newest []string
	for range total {
		newest = append(newest, s.create(vizzuality, simple(t, "select '"+strings.Repeat("a", 1_000_000)+"'")).JobID)
	}
	slices.Reverse(newest)
	for _, target := range []string{jobsPath + "?limit=1000", jobsPath, jobsPath + "?status=pending"} {
		var ids []string
		count := 0
		for next := target; next != ""; count++ {
			if got := len(s.ask(http.MethodGet, next, as(vizzuality)).body); got > most+1000 {
				t.Errorf("a page of %d bytes", got)
			}
			var some []string
			some, _, next = s.page(vizzuality, next)
			ids = append(ids, some...)
		}
		if !slices.Equal(ids, newest) || count != 3 {
			t.Errorf("%s: %d jobs in %d pages, want %d in 3", target, len(ids), count, total)
		}
	}
	t.Run("CSV", func(t *testing.T) {
		s := s.in(t)
		var ids []string
		count := 0
		for next := jobsPath + "?format=csv&limit=1000"; next != ""; count++ {
			a := s.get(next, as(vizzuality)).wantCode(t, http.StatusOK)
			if len(a.body) > most+1000 {
				t.Errorf("a page of %d bytes", len(a.body))
			}
			rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
			if err != nil || len(rows) < 2 {
				t.Fatalf("%d lines, %v", len(rows), err)
			}
			id := slices.Index(rows[0], "job_id")
			for _, row := range rows[1:] {
				ids = append(ids, row[id])
			}
			next = ""
			if link := a.header.Get("Link"); link != "" {
				address, _, _ := strings.Cut(strings.TrimPrefix(link, "<"), ">")
				u, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				next = u.RequestURI()
			}
		}
		if !slices.Equal(ids, newest) || count != 3 {
			t.Errorf("%d jobs in %d pages, want %d in 3", len(ids), count, total)
		}
	})
}
