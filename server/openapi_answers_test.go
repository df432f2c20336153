package server

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/queue/memqueue"
	"slashbatch/server/endpoint"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/jackc/pgx/v5"
)

const describedTables = `
	CREATE TABLE package (id bigint PRIMARY KEY, stream text, label text, mass numeric, sent_at timestamptz, note text);
	INSERT INTO package VALUES (1, 'AB-01', 'a', 2000.50, '2026-01-31T12:00:00Z', NULL), (2, 'AB-01', NULL, 'NaN', NULL, ''), (3, 'AB-01', 'c', 1, 'infinity', 'x');
	CREATE TABLE kinds (id uuid PRIMARY KEY, small smallint, count integer, ratio double precision, active boolean, day date, seen timestamp,
		tags text[], raw bytea, attrs jsonb, gap interval, "odd ""name""" text);
	INSERT INTO kinds VALUES
		('123e4567-e89b-12d3-a456-426614174000', 1, 2, 0.5, true, '2026-01-31', '2026-01-31T12:00', '{a}', 'hi', '{"size": 3, "colour": "red"}', '1 day', 'o'),
		('123e4567-e89b-12d3-a456-426614174001', 2, 2, 'Infinity', false, 'infinity', '0044-03-15 BC', '[2:3]={a,b}', '', '[1]', NULL, NULL),
		('123e4567-e89b-12d3-a456-426614174002', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	CREATE TABLE item (id bigint PRIMARY KEY, owner text);
	INSERT INTO item VALUES (1, 'alice'), (2, 'bob');`

// runningServer is describedServer with what it needs to answer: the endpoints on a database,
// whose URL those are told that have more to add, a queue, a store, and a worker.
func runningServer(t *testing.T, more ...func(o *Options, url string)) *Server {
	t.Helper()
	url := pgtest.New(t)
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := connection.Exec(t.Context(), describedTables); err != nil {
		t.Fatal(err)
	}
	connection.Close(t.Context())
	source, err := rows.Open("default", url, rows.SourceOptions{MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	record, err := catalog.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(record.Close)
	if _, err := record.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	store, _, err := record.StoreByURL(t.Context(), "file:///one")
	if err != nil {
		t.Fatal(err)
	}
	record.Use(store)
	files, err := filestore.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}

	o := describedServer(t).Options
	o.PublicURL, o.Registry = "http://example.com", NewRegistry()
	for _, spec := range o.Specs {
		if spec.Name == "away" {
			continue
		}
		d, err := source.Describe(t.Context(), spec.Probe())
		if err != nil {
			t.Fatal(err)
		}
		described := endpoint.Described{Params: d.Params}
		for _, c := range d.Columns {
			described.Columns = append(described.Columns, endpoint.Column{Name: c.Name, OID: c.OID, TypeName: c.Type})
		}
		e, problems := endpoint.Compile(spec, described)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		o.Registry.Put(e)
	}
	o.Sources = map[string]*rows.Source{"default": source}
	o.Catalog, o.Store, o.Hub = record, files, jobs.NewHub()
	q := memqueue.New(queue.Settings{})
	for _, add := range more {
		add(&o, url)
	}
	o.Jobs = jobs.NewService(jobs.Options{Queue: q, Catalog: record, Store: files, Sources: o.Sources, RetryHold: time.Minute, MinFresh: time.Minute})
	o.Anonymous, o.MaxWait, o.ResultAge, o.QueryTimeout, o.ResultBytes = Limits{2, 8}, time.Minute, time.Hour, time.Minute, 1<<20
	o.SQLResultAge, o.AliasTTL = time.Hour, time.Hour
	for i := range o.Users {
		u := &o.Users[i]
		u.Limits, u.SQLLimits, u.PayloadBytes, u.QueryTimeout, u.ResultBytes = Limits{2, 8}, Limits{2, 8}, 1<<14, time.Minute, 1<<20
	}
	o.Users[0].SQL, o.Users[0].Source, o.Users[0].Keys[0].SQL = true, "default", true

	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		jobs.NewWorker(jobs.WorkerOptions{
			Queue: q, Store: files, Catalog: record, Sources: o.Sources, Hub: o.Hub, Log: slog.New(slog.DiscardHandler), ID: "w",
			Slots: map[queue.Lane]int{queue.LaneExport: 2, queue.LaneSQL: 2}, Poll: 20 * time.Millisecond, RetryInit: 20 * time.Millisecond, Drain: time.Second,
		}).Run(ctx, ctx)
	}()
	told := make(chan struct{})
	go func() {
		defer close(told)
		o.Hub.Run(ctx, q)
	}()
	t.Cleanup(func() { stop(); <-ended; <-told })
	return New(o)
}

func init() {
	// The library reads the formats that it knows; these are texts to it.
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
	openapi3filter.RegisterBodyDecoder("text/event-stream", openapi3filter.PlainBodyDecoder)
	for _, f := range fileFormats {
		if f.mediaType() != "application/json" {
			openapi3filter.RegisterBodyDecoder(f.mediaType(), openapi3filter.PlainBodyDecoder)
		}
	}
}

// conforming asks a server, and holds what it answers against its document.
type conforming struct {
	*testing.T
	server *Server
	router routers.Router
	// asked are the operations that were, with the status that was answered.
	asked map[string]bool
	// header is that of the next request, beside what all have.
	header http.Header
}

// ask sends a request and wants an answer of that status, which the document must have.
func (c *conforming) ask(want int, key, method, target string, body ...string) *httptest.ResponseRecorder {
	c.Helper()
	r := httptest.NewRequest(method, "http://example.com"+target, strings.NewReader(strings.Join(body, "")))
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if len(body) > 0 {
		r.Header.Set("Content-Type", typeJSON)
	}
	for name := range c.header {
		r.Header.Set(name, c.header.Get(name))
	}
	c.header = nil
	if user, known := map[string]string{"a-key": "alice", "b-key": "bob"}[key]; known {
		r.SetBasicAuth(user, key)
	} else if key != "" {
		r.Header.Set("Authorization", "Bearer "+key) // the token of a link
	}
	route, vars, err := c.router.FindRoute(r)
	if err != nil {
		c.Fatalf("%s %s: %v", method, target, err)
	}
	w := httptest.NewRecorder()
	c.server.ServeHTTP(w, r)
	c.Logf("%s %s: %d %.300s", method, target, w.Code, w.Body)
	if w.Code != want {
		c.Errorf("%s %s: %d, want %d", method, target, w.Code, want)
	}
	c.asked[route.Operation.OperationID] = true
	request := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: vars, Route: route,
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
	if w.Code < http.StatusBadRequest {
		r.Body = io.NopCloser(strings.NewReader(strings.Join(body, "")))
		if err := openapi3filter.ValidateRequest(context.Background(), request); err != nil {
			c.Errorf("the document refuses %s %s: %v", method, target, err)
		}
	}
	err = openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: w.Code, Header: w.Header(),
		Body: io.NopCloser(bytes.NewReader(w.Body.Bytes())), Options: request.Options,
	})
	if err != nil {
		c.Errorf("%s %s: the document has no such answer: %v", method, target, err)
	}
	return w
}

// What the server answers is what its document says, for each operation that there is.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := runningServer(t)
	document, err := valid(openapiOf(t, s, "a-key"))
	if err != nil {
		t.Fatal(err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	c := &conforming{T: t, server: s, router: router, asked: map[string]bool{}}

	var home homeDocument
	decodeJSON(t, askHandler(s, s.home, http.MethodGet, "a-key"), &home)
	for _, e := range home.Endpoints {
		if !e.Available {
			continue
		}
		example := strings.TrimPrefix(e.Example, "http://example.com")
		for _, format := range e.Formats {
			c.ask(http.StatusOK, "a-key", http.MethodGet, withQuery(example, "_format="+format))
		}
		c.ask(http.StatusBadRequest, "a-key", http.MethodGet, withQuery(example, "nonsense=1"))
		c.ask(http.StatusNotAcceptable, "a-key", http.MethodGet, withQuery(example, "_format=runes"))
		if e.Batch != nil {
			c.twin(strings.TrimPrefix(e.Batch.Example, "http://example.com"), e.Batch.Formats, "mineq-id")
			if e.Batch.Links {
				c.links(strings.TrimPrefix(e.Batch.Example, "http://example.com"), e.Batch.Formats, "mineq-id")
			}
		}
	}
	c.ask(http.StatusOK, "a-key", http.MethodGet, "/kinds") // all of its rows
	c.ask(http.StatusOK, "a-key", http.MethodGet, "/stream/AB-01/package?_view=compact")
	c.ask(http.StatusOK, "a-key", http.MethodGet, "/stream/AB-01/package?_limit=1&_count=exact") // with all that meta may have
	c.ask(http.StatusUnauthorized, "", http.MethodGet, "/kinds")
	c.ask(http.StatusForbidden, "b-key", http.MethodGet, "/mine")
	for _, twin := range []string{"", "/batch", "/batch/status"} {
		c.ask(http.StatusServiceUnavailable, "", http.MethodGet, "/away/1"+twin)
	}
	c.ask(http.StatusServiceUnavailable, "", http.MethodHead, "/away/1/batch")
	c.ask(http.StatusServiceUnavailable, "", http.MethodPost, "/away/1/batch")
	c.ask(http.StatusServiceUnavailable, "", http.MethodDelete, "/away/1/batch")
	c.ask(http.StatusServiceUnavailable, "", http.MethodPost, "/away/1/batch/cancel")
	c.ask(http.StatusServiceUnavailable, "", http.MethodPost, "/away/1/batch/links")
	c.ask(http.StatusOK, "", http.MethodGet, "/healthz")
	c.ask(http.StatusServiceUnavailable, "", http.MethodGet, "/readyz") // an endpoint waits for its database
	c.sqlJobs("/api/v2")
	c.sqlJobs("/user/alice/api/v2")

	for path, item := range document.Paths.Map() {
		for method, operation := range item.Operations() {
			if !c.asked[operation.OperationID] {
				t.Errorf("nobody asked %s %s", method, path)
			}
		}
	}
}

// twin goes through the life of an export. Other requests have other values of a parameter.
func (c *conforming) twin(twin string, formats []string, parameter string) {
	status := below(twin, "/status")
	c.ask(http.StatusNotFound, "a-key", http.MethodGet, status)
	c.ask(http.StatusNotFound, "a-key", http.MethodHead, twin)
	c.ask(http.StatusSeeOther, "a-key", http.MethodPost, twin)
	c.ask(http.StatusOK, "a-key", http.MethodGet, status)
	c.ask(http.StatusOK, "a-key", http.MethodGet, withQuery(twin, "_wait=30"))
	c.ask(http.StatusOK, "a-key", http.MethodGet, status)
	c.ask(http.StatusOK, "a-key", http.MethodHead, twin)
	for _, format := range formats {
		c.ask(http.StatusOK, "a-key", http.MethodGet, withQuery(twin, "_wait=30&_format="+format))
		c.ask(http.StatusOK, "a-key", http.MethodGet, withQuery(status, "_format="+format))
	}
	c.ask(http.StatusNotAcceptable, "a-key", http.MethodGet, withQuery(twin, "_format=runes"))
	c.ask(http.StatusBadRequest, "a-key", http.MethodGet, withQuery(twin, "_format=json&_bom=true"))
	c.ask(http.StatusBadRequest, "a-key", http.MethodPost, withQuery(twin, "nonsense=1"))
	other := withQuery(twin, parameter+"=2")
	c.ask(http.StatusSeeOther, "a-key", http.MethodGet, other)
	c.ask(http.StatusOK, "a-key", http.MethodGet, withQuery(other, "_wait=30"))
	c.ask(http.StatusNotFound, "a-key", http.MethodDelete, withQuery(twin, parameter+"=77"))
	c.ask(http.StatusOK, "a-key", http.MethodDelete, other)
	c.ask(http.StatusSeeOther, "a-key", http.MethodPost, below(other, "/cancel"))
}

// links goes through the life of a link to an export that is there.
func (c *conforming) links(twin string, formats []string, parameter string) {
	mint := below(twin, "/links")
	c.ask(http.StatusConflict, "a-key", http.MethodPost, withQuery(mint, parameter+"=88"))
	c.ask(http.StatusNotAcceptable, "a-key", http.MethodPost, withQuery(mint, "_format=runes"))
	var minted linkDocument
	decodeJSON(c.T, c.ask(http.StatusCreated, "a-key", http.MethodPost, withQuery(mint, "_format=xlsx")), &minted)
	link := strings.TrimPrefix(minted.URL, "http://example.com")
	name := strings.TrimSuffix(link, ".xlsx")
	for _, path := range append([]string{""}, formats...) {
		if path != "" {
			path = "." + path
		}
		c.ask(http.StatusOK, "", http.MethodGet, name+path)
		c.ask(http.StatusOK, "", http.MethodHead, name+path)
	}
	c.ask(http.StatusNotFound, "", http.MethodGet, name+".runes")
	c.ask(http.StatusBadRequest, "", http.MethodGet, name+".json?_bom=true")
	c.ask(http.StatusUnauthorized, "", http.MethodDelete, link)
	c.ask(http.StatusForbidden, "another", http.MethodDelete, link)
	c.ask(http.StatusNoContent, minted.Token, http.MethodDelete, link)
	c.ask(http.StatusNoContent, minted.Token, http.MethodDelete, link)
	c.ask(http.StatusNotFound, "", http.MethodGet, name)
	c.ask(http.StatusNotFound, "", http.MethodHead, name)
}

// sqlJobs goes through the life of a SQL job.
func (c *conforming) sqlJobs(prefix string) {
	var job struct {
		ID     string `json:"job_id"`
		Status string `json:"status"`
	}
	decodeJSON(c.T, c.ask(http.StatusCreated, "a-key", http.MethodPost, prefix+"/sql/job", `{"query": ["SELECT 1", {"query": "SELECT 2 AS two", "onerror": "SELECT 3"}]}`), &job)
	one := prefix + "/sql/job/" + job.ID
	for deadline := time.Now().Add(30 * time.Second); job.Status != "done"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("the job is %s", job.Status)
		}
		decodeJSON(c.T, c.ask(http.StatusOK, "a-key", http.MethodGet, one), &job)
	}
	c.ask(http.StatusOK, "a-key", http.MethodGet, prefix+"/sql/job?status=done&limit=1")
	c.ask(http.StatusOK, "a-key", http.MethodGet, prefix+"/sql/job?format=csv")
	c.ask(http.StatusOK, "a-key", http.MethodGet, one+"/result")
	c.ask(http.StatusOK, "a-key", http.MethodGet, prefix+"/jobs-wip")
	c.ask(http.StatusBadRequest, "a-key", http.MethodDelete, one)
	c.ask(http.StatusBadRequest, "a-key", http.MethodPost, prefix+"/sql/job", `{}`)
	c.ask(http.StatusForbidden, "", http.MethodGet, prefix+"/jobs-wip")
}

// below is a path below that of a request.
func below(target, tail string) string {
	path, query, _ := strings.Cut(target, "?")
	return strings.TrimSuffix(path+tail+"?"+query, "?")
}

func withQuery(target, more string) string {
	if strings.Contains(target, "?") {
		return target + "&" + more
	}
	return target + "?" + more
}
