package blackbox

import (
	"net/http"
	"strings"
	"testing"

	"slashbatch/internal/pgtest"
)

// wantDown checks an answer that says to come again.
func wantDown(t *testing.T, a answer) {
	t.Helper()
	a.wantCode(t, http.StatusServiceUnavailable)
	a.wantHeader(t, "Content-Type", "application/problem+json").wantHeader(t, "Cache-Control", "no-store")
	if a.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	for _, secret := range []string{"127.0.0.1:", "postgres://", "user="} {
		if p := decode[problem](t, a); strings.Contains(p.Detail+p.Message, secret) {
			t.Errorf("the answer tells of the connection: %s", p.Message)
		}
	}
}

// S-097: a database that is down at start is waited for.
func TestS097DatabaseDownAtStart(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, schema)
	l, through := newLine(t, db)
	l.cut()
	s := start(t, setup{db: through, unready: true})
	s.get("/healthz").wantCode(t, http.StatusOK)
	s.get("/readyz").wantCode(t, http.StatusServiceUnavailable)
	wantDown(t, s.get("/item"))
	wantDown(t, s.post("/item/batch"))
	l.mend()
	s.eventually("the service is ready", func() bool { return s.get("/readyz").code == http.StatusOK })
	if got := s.export("/item?_view=id&_sort=id").body; got != allIDs {
		t.Errorf("the file is %q", got)
	}
}

// The databases that are read go away; the catalogue stays.
func TestDataSourceDown(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, schema)
	l, through := newLine(t, db)
	s := start(t, setup{db: db, settings: map[string]any{"dataSources.default.url": through, "dataSources.batch.url": through}})
	s.export("/item?_view=id")
	l.cut()
	wantDown(t, s.get("/item"))
	// Readiness is asked for at most once a second, however many want to know.
	s.eventually("the service says that it is not ready", func() bool { return s.get("/readyz").code == http.StatusServiceUnavailable })
	ready := decode[map[string]string](t, s.get("/readyz"))
	if ready["dataSources.default"] != "down" || ready["catalog"] != "ok" {
		t.Errorf("readyz: %v", ready)
	}
	// What is made is served; what is asked for waits for the database.
	s.get("/item/batch?_view=id").wantCode(t, http.StatusOK)
	to := s.post("/item/batch?_sort=id&_view=id").wantCode(t, http.StatusSeeOther).location(t)
	s.eventually("a worker has tried", func() bool { return s.log.count("export given back") > 0 })
	if d := s.status(to); d.Status != "Pending" && d.Status != "InProgress" {
		t.Errorf("status is %s (%s); an outage is no failure of the export", d.Status, d.Error)
	}
	l.mend()
	s.await("Completed", to)
	s.get("/item").wantCode(t, http.StatusOK)
	s.eventually("the service is ready again", func() bool { return s.get("/readyz").code == http.StatusOK })
	if got := s.get("/item/batch?_sort=id&_view=id").body; got != allIDs {
		t.Errorf("the file is %q", got)
	}
}

// The database goes away in the middle of an export.
func TestDatabaseLostInTheMiddle(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, schema)
	l, through := newLine(t, db)
	s := start(t, setup{db: db, settings: map[string]any{"dataSources.batch.url": through}})
	open := shut(t, db)
	to := s.post("/gated/batch").location(t)
	s.await("InProgress", to)
	l.cut()
	s.eventually("the export is given back", func() bool { return s.log.count("export given back") > 0 })
	l.mend()
	open()
	if d := s.await("Completed", to); *d.Rows != 8 || d.Attempt < 2 {
		t.Errorf("rows %d, attempt %d", *d.Rows, d.Attempt)
	}
}

// The catalogue goes away: nothing that it would have to be asked for is
// answered from guesses.
func TestCatalogueDown(t *testing.T) {
	t.Parallel()
	db := pgtest.New(t)
	execute(t, db, schema)
	l, through := newLine(t, db)
	s := start(t, setup{db: db, settings: map[string]any{"catalog.url": through}})
	s.export("/item")
	l.cut()
	wantDown(t, s.get("/item/batch"))
	wantDown(t, s.post("/item/batch?label=new"))
	wantDown(t, s.get("/item/batch/status"))
	s.get("/item").wantCode(t, http.StatusOK)
	l.mend()
	s.eventually("the file is served again", func() bool { return s.get("/item/batch").code == http.StatusOK })
	s.export("/item?label=new")
}
