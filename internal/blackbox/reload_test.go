package blackbox

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// changingSpec is an endpoint whose rows tell which version of it is served.
func changingSpec(version string) string {
	return fmt.Sprintf("name: changing\npath: /changing\nquery: SELECT 1 AS id, '%s' AS version\nkey: id\n", version)
}

// newReloading is a service that takes changed files; what it writes is file 01.yaml.
func newReloading(t *testing.T, spec string) *service {
	t.Helper()
	return start(t, setup{endpoints: []string{spec}, settings: map[string]any{"endpointsReload": true}})
}

// change writes an endpoint file.
func (s *service) change(file, text string) {
	s.t.Helper()
	write(s.t, filepath.Join(s.endpoints, file), text)
}

// version is what the rows of /changing tell, or the code of its answer.
func (s *service) version() string {
	s.t.Helper()
	a := s.get("/changing")
	if a.code != http.StatusOK {
		return fmt.Sprint(a.code)
	}
	return fmt.Sprint(items(s.t, a)[0]["version"])
}

// S-132: a changed spec is taken while the service runs.
func TestS132ReloadOfAChange(t *testing.T) {
	t.Parallel()
	s := newReloading(t, changingSpec("one"))
	if got := s.export("/changing").body; got != "id,version\r\n1,one\r\n" || s.version() != "one" {
		t.Fatalf("it begins with %q, %s", got, s.version())
	}
	s.change("01.yaml", changingSpec("two"))
	s.eventually("the change is taken", func() bool { return s.version() == "two" })
	// A file of the rows of before is no answer any more.
	if d := s.status("/changing/batch/status"); d.Status != "Unknown" {
		t.Errorf("the export of what is no longer asked is %s", d.Status)
	}
	if got := s.export("/changing").body; got != "id,version\r\n1,two\r\n" {
		t.Errorf("the file is %q", got)
	}
	// Back again, and the first file answers as it did.
	s.change("01.yaml", changingSpec("one"))
	s.eventually("the change is taken back", func() bool { return s.version() == "one" })
	if got := s.get("/changing/batch").wantCode(t, http.StatusOK).body; got != "id,version\r\n1,one\r\n" {
		t.Errorf("the file of before is %q", got)
	}
}

// S-132: so is a new one, with its twin; and one that is gone is gone.
func TestS132ReloadOfFiles(t *testing.T) {
	t.Parallel()
	s := newReloading(t, changingSpec("one"))
	s.get("/added").wantCode(t, http.StatusNotFound)
	s.change("added.yml", "name: added\npath: /added\nquery: SELECT id FROM item\nkey: id\n---\nname: beside\npath: /beside/{id}\nquery: SELECT id FROM item WHERE id = {id}\nkey: id\n")
	s.eventually("the new endpoint answers", func() bool { return s.get("/added").code == http.StatusOK })
	if got := s.ids("/beside/3"); got != "3" {
		t.Errorf("/beside/3 has the rows %q", got)
	}
	if got := s.export("/added?_sort=id").body; got != allIDs {
		t.Errorf("the file is %q", got)
	}
	s.get("/added.csv").wantCode(t, http.StatusOK)

	if err := os.Rename(filepath.Join(s.endpoints, "added.yml"), filepath.Join(s.endpoints, "added.yml.off")); err != nil {
		t.Fatal(err)
	}
	s.eventually("the endpoint is gone", func() bool { return s.get("/added").code == http.StatusNotFound })
	for _, target := range []string{"/added/batch?_sort=id", "/added/batch/status?_sort=id", "/added.csv", "/beside/3"} {
		s.get(target).wantCode(t, http.StatusNotFound)
	}
	if s.version() != "one" {
		t.Errorf("the other endpoint answers %s", s.version())
	}
}

// S-132: a broken change leaves everything as it was, and says why; mending it is enough.
func TestS132ReloadOfABrokenChange(t *testing.T) {
	t.Parallel()
	s := newReloading(t, changingSpec("one"))
	for i, broken := range []struct{ text, told string }{
		{"name: changing\npath: [", "01.yaml"},
		{changingSpec("x") + "colour: red\n", "colour"},
		{strings.Replace(changingSpec("x"), "FROM", "", 1) + "views: {default: [nothing]}\n", "nothing"},
		{"name: changing\npath: /changing\nquery: SELECT id FROM no_such_table\nkey: id\n", "no_such_table"},
		{"name: changing\npath: /item\nquery: SELECT id FROM item\nkey: id\n", "/item"},
		{changingSpec("x") + "dataSource: nowhere\n", "nowhere"},
	} {
		before := s.log.count(`"level":"ERROR"`, broken.told)
		s.change("01.yaml", broken.text)
		s.eventually(fmt.Sprintf("the log tells of %s", broken.told), func() bool { return s.log.count(`"level":"ERROR"`, broken.told) > before })
		if s.version() != "one" {
			t.Fatalf("with broken change %d it answers %s", i, s.version())
		}
	}
	// All or nothing: a good change beside a broken one waits for it.
	s.change("02.yaml", "name: added\npath: /added\nquery: SELECT id FROM item\nkey: id\n")
	s.change("01.yaml", "name: changing\npath: /changing\nquery: SELECT id FROM not_there_either\nkey: id\n")
	s.eventually("the log tells of the table", func() bool { return s.log.count("not_there_either") > 0 })
	s.get("/item").wantCode(t, http.StatusOK)
	if s.version() != "one" {
		t.Fatalf("it answers %s", s.version())
	}
	s.change("01.yaml", changingSpec("mended"))
	s.eventually("the mended file is taken", func() bool { return s.version() == "mended" })
	s.get("/added").wantCode(t, http.StatusOK)
}

// S-132: what has begun goes on with the endpoint that it began with.
func TestS132ReloadLeavesWhatRuns(t *testing.T) {
	t.Parallel()
	const query = "SELECT 1 AS id, 'old' AS version FROM (SELECT pg_advisory_xact_lock_shared(42) OFFSET 0) AS gate"
	slow := "name: changing\npath: /changing\nkey: id\nbatch: {dataSource: batch}\nquery: "
	s := newReloading(t, slow+query+"\n")
	open := shut(t, s.db)
	to := s.post("/changing/batch").location(t)
	s.await("InProgress", to)
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodGet, "/changing?_format=csv")
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	s.eventually("both queries wait", func() bool { return s.running("pg_advisory_xact_lock_shared") == "2" })
	s.change("01.yaml", changingSpec("new")+"---\nname: added\npath: /added\nquery: SELECT id FROM item\nkey: id\n")
	s.eventually("the change is taken", func() bool { return s.get("/added").code == http.StatusOK })
	if s.version() != "new" {
		t.Errorf("a new request is answered %s", s.version())
	}
	open()
	if a := <-got; a.code != http.StatusOK || a.body != "id,version\r\n1,old\r\n" {
		t.Errorf("the request in flight is answered %d: %q", a.code, a.body)
	}
	s.eventually("the export ends", func() bool { return s.log.count("export finished", `"endpoint":"changing"`) == 1 })
	// Its file is nobody's answer, for another query is asked by now.
	if a := s.get("/changing/batch?_wait=30").wantCode(t, http.StatusOK); a.body != "id,version\r\n1,new\r\n" {
		t.Errorf("the file is %q", a.body)
	}
}
