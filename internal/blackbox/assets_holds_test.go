package blackbox

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
)

// Whoever reads a public named query slowly holds up neither other readers nor those who
// post, nor exports.
func TestSlowReadersOfNamedQueries(t *testing.T) {
	t.Parallel()
	s := startAssets(t, map[string]any{"namedQueries.public": true})
	o := s.newOwner(t)
	o.space("s")
	o.named("all", "s1=x")
	execute(t, s.db, fmt.Sprintf(`INSERT INTO slashbatch.asset (id, customer, space, key, string1, origin)
		SELECT '%d/1/k' || g, %[1]d, 1, 'k' || g, 'x', repeat('o', 200) FROM generate_series(1, 100000) g`, o.id))
	for range 3 {
		c, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if err := c.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(c, "GET /raw-resource/%d/all?_view=full HTTP/1.1\r\nHost: x\r\n\r\n", o.id)
		if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || !strings.Contains(line, "200") {
			t.Fatalf("%q, %v", line, err) // and nothing more is read
		}
	}
	b := o.ingest(image(1, "a"))
	o.wantBatches("/queue/batches", b.ID)
	if work := decode[collection[member]](t, o.get("/queue/work").wantCode(t, http.StatusOK)); len(work.Member) != 1 {
		t.Errorf("the work is %v", work.Member)
	}
	o.done(b.ID, 1, "a")
	if a := o.get(at(b.ID, "/assets/batch?_wait=30")).wantCode(t, http.StatusOK); strings.Count(a.body, "\n") != 2 {
		t.Errorf("the export is\n%s", a.body)
	}
}

// A stream of events begins with the id to go on behind, for whoever is cut off before the
// first event.
func TestEventsFromTheBeginning(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	first, second := o.ingest(image(1, "a")).ID, o.ingest(image(1, "b")).ID
	o.done(first, 1, "a")
	ctx, cut := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+o.path("/queue/events"), nil)
	if err != nil {
		t.Fatal(err)
	}
	bearer(o.key)(r)
	response, err := client.Transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	line, err := bufio.NewReader(response.Body).ReadString('\n')
	id, ok := strings.CutPrefix(strings.TrimSpace(line), "id: ")
	if err != nil || !ok {
		t.Fatalf("the stream begins with %q, %v", line, err)
	}
	cut()
	o.done(second, 1, "b")
	events, end := o.listen(id)
	defer end()
	if told, _ := o.next(events); told != second {
		t.Errorf("told of %d, want %d, which finished while nobody listened", told, second)
	}
}

// Requests that mislead are refused in words, and none is the database's fault.
func TestAssetsRefuseInWords(t *testing.T) {
	t.Parallel()
	s := startAssets(t, map[string]any{"namedQueries.emptyIs404": true})
	o := s.newOwner(t)
	o.space("s")
	o.ingest(image(1, "a", "string1", "x"), image(1, "b", "string1", "x"))
	to := o.named("report", "s1=p1")
	for _, template := range []string{"s1=''", `spacename=""`, "batches=p1", "batchId=p1", "batch%3Dp1"} {
		o.post("/namedQueries", map[string]any{"name": "x", "template": template}).wantHydra(t, http.StatusBadRequest)
	}
	for _, name := range []string{"\\ud800", "\\u0000", " ", "\\u0001"} {
		o.post("/spaces", `{"name": "`+name+`"}`).wantHydra(t, http.StatusBadRequest)
	}
	for _, path := range []string{"/spaces/1/images/%ff", "/spaces/1/images/%00/batches", "/namedQueries/%ff", "/queue/batches/%00"} {
		if a := o.get(path); a.code != http.StatusBadRequest && a.code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.code, clip(a.body))
		}
	}
	for _, path := range []string{"report%ff/x", "report/%ff", "report/%00"} {
		if a := o.run(path); a.code != http.StatusBadRequest && a.code != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, a.code, clip(a.body))
		}
	}
	o.get("/queue/work?limits=3").wantHydra(t, http.StatusBadRequest, "limits")
	o.get("/queue/work?limit=%zz").wantHydra(t, http.StatusBadRequest)
	// Behind the last one there is nothing, and yet something matches.
	for path, code := range map[string]int{"report/x?_offset=2": 200, "report/x?_limit=0": 200, "report/y": 404} {
		if a := o.run(path).wantCode(t, code); a.header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: pages of other sites cannot read it", path)
		}
	}
	// What all customers run only an admin changes.
	s.do(http.MethodPut, to, bearer(rootKey), jsonBody(`{"template": "s1=p1", "global": true}`)).wantCode(t, http.StatusOK)
	s.do(http.MethodPut, to, bearer(o.key), jsonBody(`{"template": "s2=p1"}`)).wantHydra(t, http.StatusForbidden)
	s.do(http.MethodDelete, to, bearer(o.key)).wantHydra(t, http.StatusForbidden)
	s.do(http.MethodDelete, to, bearer(rootKey)).wantCode(t, http.StatusNoContent)
}
