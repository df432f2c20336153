package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// The lines of SAPI-NT that are about configuration.

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
