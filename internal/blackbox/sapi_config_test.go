package blackbox

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
	"slashbatch/internal/pgtest"
)

// The lines of SAPI-NT that are about configuration.

// refusal starts a service that must not start, and returns the problems that it tells.
func refusal(t *testing.T, o setup) string {
	t.Helper()
	s := &service{t: t, db: pgtest.New(t), folder: t.TempDir(), log: &lines{}}
	execute(t, s.db, schema)
	c, problems := config.Load(writeConfig(t, s, o), nil)
	if len(problems) == 0 {
		var a *app.App
		a, problems = app.New(t.Context(), c, app.Roles{Serve: true}, slog.New(slog.NewJSONHandler(s.log, nil)))
		defer a.Close()
		if len(problems) == 0 {
			_, problems = a.Describe(t.Context())
		}
	}
	if len(problems) == 0 {
		t.Fatal("it would start")
	}
	var told strings.Builder
	for _, p := range problems {
		fmt.Fprintln(&told, p)
	}
	return told.String()
}

// S-093: without a twin /batch is a 404 and queues nothing.
func TestS093NoTwin(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]*service{
		"of one endpoint": start(t, setup{}),
		"of any":          start(t, setup{settings: map[string]any{"batch.enabled": false}}),
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodHead, http.MethodDelete} {
			s.do(method, "/no-twin/batch").wantCode(t, http.StatusNotFound)
		}
		s.get("/no-twin/batch/status").wantCode(t, http.StatusNotFound)
		if strings.Contains(s.get("/no-twin").wantCode(t, http.StatusOK).body, `"batch"`) {
			t.Errorf("%s: meta links a twin that is not there", name)
		}
		if name == "of any" {
			s.post("/item/batch").wantCode(t, http.StatusNotFound)
		}
	}
}

// S-094: the segment can be another than /batch.
func TestS094BatchPath(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.path": "/export"}})
	to := s.post("/item/export?_view=id&_sort=id").wantCode(t, http.StatusSeeOther).location(t)
	if !strings.HasPrefix(to, "/item/export/status?") {
		t.Errorf("redirected to %s", to)
	}
	d := s.await("Completed", to)
	if a := s.get(d.URL).wantCode(t, http.StatusOK); a.body != allIDs {
		t.Errorf("the file is %q", a.body)
	}
	s.post("/item/batch").wantCode(t, http.StatusNotFound)
	if body := s.get("/robots.txt").body; !strings.Contains(body, "/export") {
		t.Errorf("robots.txt is about another path: %s", body)
	}
}

const sessionSpec = `
name: session
path: /session
query: >-
  SELECT 1 AS id, current_setting('application_name') AS name, current_setting('transaction_read_only') AS read_only,
  current_setting('transaction_isolation') AS isolation, current_setting('TimeZone') AS zone
key: id
batch: {dataSource: batch}
`

// S-095: batches run on batch.dataSource.
func TestS095BatchDataSource(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{sessionSpec}})
	head := "id,name,read_only,isolation,zone\r\n"
	if got, want := s.get("/session?_format=csv").body, head+"1,slashbatch default,on,repeatable read,UTC\r\n"; got != want {
		t.Errorf("interactive: %q, want %q", got, want)
	}
	if got, want := s.export("/session").body, head+"1,slashbatch batch,on,repeatable read,UTC\r\n"; got != want {
		t.Errorf("batch: %q, want %q", got, want)
	}
}

const otherTypeSpec = `
name: other-type
path: /other-type
query: SELECT id FROM item
key: id
batch: {contentType: application/json}
`

// S-096: batch.contentType is the type of the file, _format chooses another, Accept never does.
func TestS096BatchContentType(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{otherTypeSpec}})
	const request = "/item?_view=id&_sort=id"
	s.export(request)
	for _, accept := range []string{"application/json", "text/html", "application/x-ndjson", "text/csv"} {
		a := s.get(twin(request), header("Accept", accept)).wantCode(t, http.StatusOK)
		if a.wantHeader(t, "Content-Type", "text/csv; charset=utf-8"); a.body != allIDs {
			t.Errorf("Accept %s: %q", accept, a.body)
		}
	}
	if a := s.get(twin(request)+"&_format=csv").wantCode(t, http.StatusOK); a.body != allIDs {
		t.Errorf("_format=csv gives %q", a.body)
	}
	for _, word := range []string{"html", "toml"} {
		p := decode[problem](t, s.post("/item/batch?_format="+word).wantCode(t, http.StatusNotAcceptable))
		if !strings.Contains(p.Detail, "csv") {
			t.Errorf("_format=%s: %q does not say what there is", word, p.Detail)
		}
	}
	if d := s.status("/item/batch/status"); d.Status != "Unknown" {
		t.Errorf("status is %s, want Unknown: a file that cannot be made is not queued", d.Status)
	}
	for target, want := range map[string]string{"/other-type/batch?_wait=30": "application/json", "/other-type/batch?_wait=30&_format=csv": "text/csv; charset=utf-8"} {
		s.get(target, header("Accept", "application/x-ndjson")).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", want)
	}
}
