package blackbox

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"slashbatch/internal/testenv"

	"github.com/google/uuid"
)

// A file in another format than the run writes is made from what the run wrote, once.

// busy starts a service in which one job of an anonymous caller runs at a time, and lets that
// be another one, until open is called: so a file's job waits.
func busy(t *testing.T, o setup) (s *service, open func()) {
	t.Helper()
	o.settings = with(map[string]any{"auth.anonymous.running": 1, "batch.limits.running.export": 1}, o.settings)
	s = start(t, o)
	s.export("/item?_sort=id")
	open = shut(t, s.db)
	s.await("InProgress", s.post("/gated/batch").location(t))
	return s, open
}

// stored are the files in the store whose names end so.
func stored(t *testing.T, s *service, extension string) int {
	t.Helper()
	n := 0
	for _, file := range results(t, s) {
		if strings.HasSuffix(filepath.Base(file), extension) {
			n++
		}
	}
	return n
}

// removeStored takes the files whose names end so out of the store.
func removeStored(t *testing.T, s *service, extension string) {
	t.Helper()
	for _, file := range results(t, s) {
		if strings.HasSuffix(file, extension) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// However many ask for a file at once, on however many servers, it is made by one job; and the
// rows are read by one.
func TestFileIsMadeOnce(t *testing.T) {
	t.Parallel()
	for name, queue := range map[string]func() map[string]any{
		"PostgreSQL": func() map[string]any { return map[string]any{"queue.url": "postgres:"} },
		"Redis": func() map[string]any {
			return map[string]any{"queue.url": testenv.Redis(t), "queue.prefix": "blackbox-" + uuid.NewString()}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings := with(queue(), map[string]any{"cache.url": "file://" + t.TempDir(), "auth.anonymous.queued": 100})
			one := start(t, setup{settings: settings})
			two := start(t, setup{settings: settings, db: one.db})
			one.folder = strings.TrimPrefix(settings["cache.url"].(string), "file://")
			// First with nothing there, then with the rows.
			for _, word := range []string{"parquet", "xlsx"} {
				file := atOnce(t, 50, []*service{one, two}, "/item/batch?_sort=id&_wait=60&_format="+word)
				if _, rows := table(t, word, file); len(rows) != 8 {
					t.Errorf("%s: rows %v", word, rows)
				}
			}
			for _, extension := range []string{".csv.gz", ".parquet", ".xlsx"} {
				if n := stored(t, one, extension); n != 1 {
					t.Errorf("%d files %s are in the store, want one", n, extension)
				}
			}
			if name == "PostgreSQL" {
				jobs := query(t, one.db, "SELECT convert_from(kind, 'UTF8'), count(*) FROM slashbatch.queue_job GROUP BY 1 ORDER BY 1")
				if len(jobs) != 2 || jobs[0][0] != "export" || jobs[0][1] != "1" || jobs[1][0] != "variant" || jobs[1][1] != "2" {
					t.Errorf("jobs %v, want one export and two variants", jobs)
				}
			}
		})
	}
}

// atOnce has n clients ask for a file at once, of one server and the other, and returns what
// all of them got.
func atOnce(t *testing.T, n int, servers []*service, target string) string {
	t.Helper()
	answers := make([]answer, n)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			a, err := servers[i%len(servers)].try(http.MethodGet, target)
			if err != nil {
				t.Error(err)
			}
			answers[i] = a
		})
	}
	all.Wait()
	for i, a := range answers {
		if a.wantCode(t, http.StatusOK).body != answers[0].body {
			t.Errorf("%d got another file", i)
		}
	}
	return answers[0].body
}

// The status of a file is that of the run while it runs, then of the file's own job: from
// Pending to Completed, without a moment in which nothing is known.
func TestStatusOverBothStages(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	open := shut(t, s.db)
	to := s.post("/gated/batch?_format=parquet").wantCode(t, http.StatusSeeOther).location(t)
	if !strings.HasPrefix(to, "/gated/batch/status?_format=parquet&_job=") {
		t.Errorf("redirected to %s", to)
	}
	d := s.await("InProgress", to)
	if d.ID == "" || d.Links.Cancel != s.url+"/gated/batch?_format=parquet&_job="+d.ID || d.Links.Formats != nil || d.URL != "" {
		t.Errorf("while the run goes on: %s", d.answer.body)
	}
	open()
	var last status
	order := map[string]int{"Pending": 1, "InProgress": 1, "Completed": 2}
	s.eventually("the file is there", func() bool {
		d := s.status(to)
		if order[d.Status] < order[last.Status] || order[d.Status] == 0 {
			t.Fatalf("%s after %s: %s", d.Status, last.Status, d.answer.body)
		}
		last = d
		return d.Status == "Completed"
	})
	if *last.Rows != 8 || last.PositionInQueue != nil || last.URL != s.url+"/gated/batch?_format=parquet" {
		t.Errorf("%s", last.answer.body)
	}
	// The run's own file was there no later.
	if d := s.status("/gated/batch/status"); d.Status != "Completed" || d.SHA256 == last.SHA256 {
		t.Errorf("%s", d.answer.body)
	}
}

// A file's job stands in a list, has a place, an id for who made it, and can be left.
func TestFileOfItsOwnJob(t *testing.T) {
	t.Parallel()
	s, open := busy(t, setup{})
	const file, look = "/item/batch?_format=xlsx&_sort=id", "/item/batch/status?_format=xlsx&_sort=id"
	if d := s.status(look); d.Status != "Unknown" || d.answer.code != http.StatusNotFound {
		t.Errorf("a file that nobody asked for is %s", d.Status)
	}
	s.do(http.MethodHead, file).wantCode(t, http.StatusNotFound)
	for _, page := range []func(*http.Request){header("Sec-Purpose", "prefetch"), func(r *http.Request) {
		header("Sec-Fetch-Site", "cross-site")(r)
		header("Sec-Fetch-Dest", "image")(r)
	}} {
		s.get(file, page).wantCode(t, http.StatusSeeOther)
	}
	if d := s.status(look); d.Status != "Unknown" {
		t.Fatalf("a prefetcher has queued it: %s", d.Status)
	}

	to := s.get(file).wantCode(t, http.StatusSeeOther).location(t)
	id := s.status(to).ID
	if id == "" || !strings.HasPrefix(to, look[:len(look)-len("&_sort=id")]+"&_job="+id) {
		t.Fatalf("redirected to %s, where the id is %q", to, id)
	}
	d := s.status(to)
	if d.Status != "Pending" || d.PositionInQueue == nil || *d.PositionInQueue != 1 || d.Links.Cancel != s.url+"/item/batch?_format=xlsx&_job="+id+"&_sort=id" {
		t.Errorf("%s", d.answer.body)
	}
	if d := s.status(look); d.ID != "" || d.Links.Cancel != "" {
		t.Errorf("anybody is told the id: %s", d.answer.body)
	}
	if again := s.post(file).location(t); strings.Contains(again, id) {
		t.Errorf("who only joins is told the id: %s", again)
	}
	// The csv was there all the while.
	s.get("/item/batch?_sort=id").wantCode(t, http.StatusOK)
	// Nobody leaves it but with the id, and for no other request or file.
	other := s.post("/item/batch?_format=json&_sort=id").location(t)
	s.do(http.MethodDelete, file).wantCode(t, http.StatusBadRequest)
	s.do(http.MethodDelete, "/item/batch?_format=json&_sort=id&_job="+id).wantCode(t, http.StatusNotFound)
	s.do(http.MethodDelete, "/item/batch?_sort=id&_job="+id).wantCode(t, http.StatusNotFound)
	s.do(http.MethodDelete, "/item/batch?_format=xlsx&_job="+id).wantCode(t, http.StatusNotFound)
	if d := s.status(other); d.Status != "Pending" {
		t.Errorf("the other file is %s", d.Status)
	}
	d = decode[status](t, s.do(http.MethodDelete, strings.TrimPrefix(d.Links.Cancel, s.url)).wantCode(t, http.StatusOK))
	if d.Status != "Cancelled" || s.status(look).Status != "Cancelled" {
		t.Errorf("left, it is %s", d.Status)
	}
	// As a run: GET holds back, POST does not.
	s.get(file).wantCode(t, http.StatusSeeOther)
	if d := s.status(look); d.Status != "Cancelled" {
		t.Errorf("after GET: %s", d.Status)
	}
	to = s.post(file).wantCode(t, http.StatusSeeOther).location(t)
	if d := s.status(to); d.Status != "Pending" {
		t.Errorf("after POST: %s", d.Status)
	}
	// By the form of the page.
	back := s.post(strings.Replace(to, "/status", "/cancel", 1), header("Sec-Fetch-Site", "same-origin")).wantCode(t, http.StatusSeeOther).location(t)
	if back != to || s.status(to).Status != "Cancelled" {
		t.Errorf("redirected to %s, %s", back, s.status(to).Status)
	}
	to = s.post(file).location(t)
	open()
	s.await("Completed", to)
	if a := s.get(file).wantCode(t, http.StatusOK); len(a.body) == 0 {
		t.Error("the file is empty")
	}
	// Too late to be left.
	id = to[strings.Index(to, "_job=")+5:][:36]
	if d := decode[status](t, s.do(http.MethodDelete, file+"&_job="+id).wantCode(t, http.StatusOK)); d.Status != "Completed" || d.URL == "" {
		t.Errorf("%s", d.answer.body)
	}
}

const otherGateSpec = `
name: other-gate
path: /other-gate
query: SELECT i.id FROM (SELECT pg_advisory_xact_lock_shared(43) OFFSET 0) AS gate, item AS i
key: id
`

// Once the run has ended, its id stands for the job of the file that was asked for with it: an
// anonymous caller was told no other.
func TestIDOfTheRunLeadsToTheFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{otherGateSpec}, settings: map[string]any{"auth.anonymous.running": 1}})
	open := shut(t, s.db)
	to := s.post("/gated/batch?_format=parquet").location(t)
	s.await("InProgress", to)
	// Behind it comes another run, which holds up the file's job.
	other := connect(t, s.db)
	defer other.Close(t.Context())
	if _, err := other.Exec(t.Context(), "SELECT pg_advisory_lock(43)").ReadAll(); err != nil {
		t.Fatal(err)
	}
	s.post("/other-gate/batch").wantCode(t, http.StatusSeeOther)
	run := s.status(to).ID
	open()
	s.await("InProgress", "/other-gate/batch/status")
	d := s.status(to)
	if d.Status != "Pending" || d.ID == "" || d.ID == run || d.Links.Cancel != s.url+"/gated/batch?_format=parquet&_job="+d.ID {
		t.Errorf("to who shows the id of the run: %s", d.answer.body)
	}
	if d := s.status("/gated/batch/status?_format=parquet&_job=" + d.ID); d.Status != "Pending" || d.ID == "" {
		t.Errorf("to who shows the id of the file's job: %s", d.answer.body)
	}
	if d := decode[status](t, s.do(http.MethodDelete, "/gated/batch?_format=parquet&_job="+run).wantCode(t, http.StatusOK)); d.Status != "Cancelled" {
		t.Errorf("left by the id of the run, it is %s", d.Status)
	}
	if d := s.status("/gated/batch/status"); d.Status != "Completed" {
		t.Errorf("the rows are %s", d.Status)
	}
}

// A keyed caller leaves by key: the run first, then the file.
func TestKeyedCallerLeavesTheFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: with(users, map[string]any{"batch.limits.running.export": 1})})
	alice, bob := bearer(aliceKey), bearer(bobKey)
	s.export("/item?_sort=id", alice)
	open := shut(t, s.db)
	s.await("InProgress", s.post("/gated/batch", alice).location(t))
	const file, look = "/item/batch?_format=parquet&_sort=id", "/item/batch/status?_format=parquet&_sort=id"
	s.do(http.MethodDelete, file, alice).wantCode(t, http.StatusNotFound)
	s.post(file, alice).wantCode(t, http.StatusSeeOther)
	if d := s.status(look, alice); d.Status != "Pending" || d.ID == "" || d.Links.Cancel == "" {
		t.Errorf("alice waits, and sees %s", d.answer.body)
	}
	if d := s.status(look, bob); d.ID != "" || d.Links.Cancel != "" {
		t.Errorf("bob does not wait, and sees %s", d.answer.body)
	}
	s.do(http.MethodDelete, file, bob).wantCode(t, http.StatusNotFound)
	// The request's own file is not what she leaves.
	if d := decode[status](t, s.do(http.MethodDelete, "/item/batch?_sort=id", alice).wantCode(t, http.StatusOK)); d.Status != "Completed" {
		t.Errorf("the csv is %s", d.Status)
	}
	if d := s.status(look, alice); d.Status != "Pending" {
		t.Fatalf("the file is %s", d.Status)
	}
	if d := decode[status](t, s.do(http.MethodDelete, file, alice).wantCode(t, http.StatusOK)); d.Status != "Cancelled" {
		t.Errorf("left, it is %s", d.Status)
	}
	// Of a run that goes on, whatever file was asked for, she leaves the run.
	s.post("/gated/batch?_format=parquet", alice).wantCode(t, http.StatusSeeOther)
	if d := decode[status](t, s.do(http.MethodDelete, "/gated/batch?_format=parquet", alice).wantCode(t, http.StatusOK)); d.Status != "Cancelled" {
		t.Errorf("left, the run is %s", d.Status)
	}
	open()
}
