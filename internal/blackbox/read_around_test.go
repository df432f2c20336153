package blackbox

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// longSpec are more rows than any buffer between the database and a client holds.
const longSpec = `
name: long
path: /long
query: SELECT id, repeat('x', 1000) AS pad FROM series
key: id
hardLimit: 1000000
`

const sleepySpec = `
name: sleepy
path: /sleepy
query: SELECT 1 AS id FROM pg_sleep(60)
key: id
`

const longSchema = "CREATE TABLE series AS SELECT n AS id FROM generate_series(1, 200000) AS n; CREATE UNIQUE INDEX ON series (id); ANALYZE series;"

// running is the number of sessions whose query has the words and has not ended.
func (s *service) running(words string) string {
	s.t.Helper()
	return query(s.t, s.db, fmt.Sprintf("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active' AND query LIKE '%%%s%%'", words))[0][0]
}

// open sends a request and returns its answer, unread, and what goes away.
func (s *service) open(target string) (*http.Response, func(), error) {
	ctx, leave := context.WithCancel(context.Background())
	s.t.Cleanup(leave)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+target, nil)
	if err != nil {
		return nil, leave, err
	}
	response, err := client.Do(r)
	return response, leave, err
}

// Who goes away takes their query with them.
func TestLeavingCancelsTheQuery(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	execute(t, db, longSchema)
	// No time-out may do what leaving has to do.
	s := start(t, setup{db: db, endpoints: []string{longSpec, sleepySpec}, settings: map[string]any{"dataSources.default.statementTimeout": "1h"}})
	t.Run("before the first row", func(t *testing.T) {
		s := s.in(t)
		ctx, leave := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/sleepy", nil)
			if err == nil {
				_, err = client.Do(r)
			}
			ended <- err
		}()
		s.eventually("the query runs", func() bool { return s.running("pg_sleep") == "1" })
		leave()
		if err := <-ended; err == nil {
			t.Error("there was an answer")
		}
		s.eventually("the query is cancelled", func() bool { return s.running("pg_sleep") == "0" })
	})
	for _, word := range []string{"json", "csv", "ndjson", "html"} {
		t.Run("in the middle of "+word, func(t *testing.T) {
			s := s.in(t)
			response, leave, err := s.open("/long." + word + "?_limit=1000000")
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if _, err := io.ReadFull(response.Body, make([]byte, 1<<16)); err != nil {
				t.Fatal(err)
			}
			s.eventually("the query waits for its reader", func() bool { return s.running("series") == "1" })
			leave()
			s.eventually("the query is cancelled", func() bool { return s.running("series") == "0" })
		})
	}
	// The connections are free again, and nobody took it for a fault.
	for range 5 {
		s.get("/item").wantCode(t, http.StatusOK)
	}
	if n := s.log.count(`"level":"ERROR"`); n > 0 {
		t.Errorf("%d errors in the log", n)
	}
}

// Half an answer never looks like a whole one.
func TestBrokenStreamIsCut(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	execute(t, db, longSchema)
	s := start(t, setup{db: db, endpoints: []string{longSpec}})
	for _, word := range []string{"json", "csv", "ndjson", "html"} {
		response, _, err := s.open("/long." + word + "?_limit=1000000")
		if err != nil {
			t.Fatal(err)
		}
		body := bufio.NewReader(response.Body)
		if _, err := io.ReadFull(body, make([]byte, 1<<16)); err != nil {
			t.Fatal(err)
		}
		s.eventually("the query waits for its reader", func() bool { return s.running("series") == "1" })
		query(t, db, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%series%'")
		if n, err := io.Copy(io.Discard, body); err == nil {
			t.Errorf("%s: the answer ends properly after %d more bytes", word, n)
		}
		response.Body.Close()
	}
	s.eventually("the service answers on", func() bool { return s.get("/item").code == http.StatusOK })
}

const latelySpec = `
name: lately
path: /lately
query: SELECT id, 10 / (5 - id) AS n FROM item
key: id
`

// An error in the last row is an error, while no row has gone out.
func TestLateErrorIsAnError(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{latelySpec}})
	for _, word := range []string{"json", "csv", "ndjson", "html"} {
		a := s.get("/lately."+word).wantCode(t, http.StatusInternalServerError).wantHeader(t, "Cache-Control", "no-store")
		if strings.Contains(a.body, "items") || a.header.Get("ETag") != "" {
			t.Errorf("%s: %v %s", word, a.header, clip(a.body))
		}
	}
	if s.log.count("division by zero") == 0 {
		t.Error("the log does not tell the reason")
	}
	s.get("/lately?max-id=5").wantCode(t, http.StatusOK)
}

// The headers of rows, in every format, of endpoints for everybody and for some.
func TestReadHeaders(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: users})
	tags := map[string]string{}
	for _, word := range []string{"json", "csv", "ndjson", "html"} {
		for _, target := range []string{"/item." + word, "/item?_format=" + word} {
			a := s.get(target).wantCode(t, http.StatusOK).wantHeader(t, "Cache-Control", "max-age=30").wantHeader(t, "Vary", "Accept")
			if a.length != int64(len(a.body)) {
				t.Errorf("%s: Content-Length %d for %d bytes", target, a.length, len(a.body))
			}
		}
		a := s.get("/inside."+word, bearer(aliceKey)).wantCode(t, http.StatusOK).wantHeader(t, "Cache-Control", "private, max-age=60")
		if vary := strings.Split(strings.Join(a.header.Values("Vary"), ", "), ", "); !slices.Contains(vary, "Accept") || !slices.Contains(vary, "Authorization") {
			t.Errorf("%s: Vary %v", word, vary)
		}

		target := "/item." + word
		a = s.get(target)
		tag := a.header.Get("ETag")
		if other := tags[tag]; tag == "" || other != "" {
			t.Errorf("%s has the ETag %q, as %q", word, tag, other)
		}
		tags[tag] = word
		for _, list := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
			b := s.get(target, header("If-None-Match", list)).wantCode(t, http.StatusNotModified)
			if b.wantHeader(t, "ETag", tag).wantHeader(t, "Cache-Control", "max-age=30").wantHeader(t, "Vary", "Accept"); b.body != "" {
				t.Errorf("304 with the body %q", b.body)
			}
		}
		s.get(target, header("If-None-Match", `"other"`)).wantCode(t, http.StatusOK)

		head := s.do(http.MethodHead, target).wantCode(t, http.StatusOK)
		for _, name := range []string{"Content-Type", "Content-Length", "ETag", "Cache-Control", "Vary", "Content-Security-Policy"} {
			head.wantHeader(t, name, strings.Join(a.header.Values(name), ", "))
		}
		if head.body != "" {
			t.Errorf("HEAD with the body %q", head.body)
		}
		s.do(http.MethodHead, target, header("If-None-Match", tag)).wantCode(t, http.StatusNotModified)
		long := s.do(http.MethodHead, "/big."+word+"?_limit=10000").wantCode(t, http.StatusOK)
		if long.body != "" || long.header.Get("Content-Type") != a.header.Get("Content-Type") {
			t.Errorf("HEAD of a long answer: %v", long.header)
		}
	}
	for target, code := range map[string]int{"/item?size=x": 400, "/item?_format=x": 406, "/inside": 401, "/nothing": 404} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			if a := s.do(method, target).wantCode(t, code).wantHeader(t, "Cache-Control", "no-store"); a.header.Get("ETag") != "" {
				t.Errorf("%s has an ETag", target)
			}
		}
	}
}

const slowSpec = `
name: slow
path: /slow
query: SELECT 1 AS id FROM pg_sleep(30)
key: id
---
name: slow-alone
path: /slow-alone
query: SELECT 1 AS id FROM pg_sleep(30)
key: id
batch: {enabled: false}
`

// A query that takes too long says where its answer can be had.
func TestReadTimeout(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{slowSpec}, settings: map[string]any{"dataSources.default.statementTimeout": "100ms"}})
	for target, twin := range map[string]string{"/slow?id=1": "/slow/batch?id=1", "/slow.csv?id=1": "/slow/batch?_format=csv&id=1"} {
		a := s.get(target).wantCode(t, http.StatusGatewayTimeout).wantHeader(t, "Cache-Control", "no-store")
		if p := decode[problem](t, a); p.BatchURL != s.url+twin {
			t.Errorf("%s: batchUrl %q", target, p.BatchURL)
		}
	}
	if page := s.get("/slow?id=1", browser).wantCode(t, http.StatusGatewayTimeout); !strings.Contains(page.body, "/slow/batch?id=1") {
		t.Errorf("the page does not lead to the twin: %s", page.body)
	}
	if a := s.get("/slow-alone").wantCode(t, http.StatusGatewayTimeout); strings.Contains(a.body, "/batch") {
		t.Errorf("a twin that is not there is suggested: %s", a.body)
	}
}
