package blackbox

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The lines of SAPI-NT's interactive list endpoint that are about the answer.

const itemSpec = `
name: one-item
path: /one/{id}
query: SELECT id, label FROM item WHERE id = {id}
key: id
---
name: no-key
path: /no-key
query: SELECT id, grp, label FROM item
key: id
views:
  default: [grp, label]
`

func TestSAPIAnswer(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{itemSpec}})

	// Rows are asked for by GET; a long request goes to the twin, which takes a body.
	t.Run("S-128 POST is not here", func(t *testing.T) {
		for _, with := range []func(*http.Request){jsonBody(`{"label":"plain"}`), form("label=plain"), func(*http.Request) {}} {
			a := s.post("/item", with).wantCode(t, http.StatusMethodNotAllowed).wantHeader(t, "Allow", "GET, HEAD")
			if strings.Contains(a.body, "items") {
				t.Errorf("there are rows: %s", a.body)
			}
		}
		s.post("/item.csv", jsonBody(`{}`)).wantCode(t, http.StatusMethodNotAllowed).wantHeader(t, "Allow", "GET, HEAD")
		byBody := s.status(s.post("/item/batch", jsonBody(`{"label":"plain","min-size":1}`)).location(t)).Key
		if byQuery := s.status("/item/batch/status?label=plain&min-size=1").Key; byBody != byQuery {
			t.Errorf("by body the key is %s, by query %s", byBody, byQuery)
		}
	})

	// There are lists only: one that has no rows is empty. An unknown path is a 404.
	t.Run("S-129 unknown item", func(t *testing.T) {
		if l := s.list("/one/99"); len(l.Items) != 0 || l.Items == nil {
			t.Errorf("the list of an unknown item is %+v", l)
		}
		if got := s.ids("/one/1"); got != "1" {
			t.Errorf("the list of an item is %q", got)
		}
		p := decode[problem](t, s.get("/one").wantCode(t, http.StatusNotFound).wantHeader(t, "Content-Type", "application/problem+json"))
		if p.Status != http.StatusNotFound || p.Message == "" {
			t.Errorf("the problem is %+v", p)
		}
		for _, target := range []string{"/one/1?_format=ttl", "/item?_format=rdf"} {
			s.get(target).wantCode(t, http.StatusNotAcceptable)
		}
		s.get("/one/1", header("Accept", "text/turtle")).wantCode(t, http.StatusNotAcceptable)
		s.get("/one", header("Accept", "text/turtle")).wantCode(t, http.StatusNotFound)
		s.get("/item.ttl").wantCode(t, http.StatusNotFound)
	})

	// The key's column is left out by a view that has not got it.
	t.Run("S-130 CSV", func(t *testing.T) {
		byFormat := s.get("/item?_format=csv&_limit=5").wantCode(t, http.StatusOK)
		byAccept := s.get("/item?_limit=5", header("Accept", "text/csv")).wantCode(t, http.StatusOK)
		if byFormat.body != byAccept.body || byFormat.header.Get("Content-Type") != byAccept.header.Get("Content-Type") {
			t.Errorf("by _format %q, by Accept %q", byFormat.body, byAccept.body)
		}
		if !strings.HasPrefix(byFormat.body, "id,label,mass\r\n1,plain,12.50\r\n2,,\r\n3,\"\",0\r\n") {
			t.Errorf("it is %q", byFormat.body)
		}
		// Line ends are CRLF, but for those inside of a value.
		if bare := regexp.MustCompile(`(^|[^\r])\n`).FindString(byFormat.body); bare != "" {
			t.Errorf("a line ends in %q", bare)
		}
		if file := s.export("/no-key?grp=CD&_sort=-id").body; file != "grp,label\r\nCD,=1+1\r\nCD,\"a,\"\"b\"\"\r\nc\"\r\n" {
			t.Errorf("without the key the file is %q", file)
		}
		if rows := s.get("/no-key.csv?grp=CD&_sort=-id").body; rows != "grp,label\r\nCD,=1+1\r\nCD,\"a,\"\"b\"\"\r\nc\"\r\n" {
			t.Errorf("without the key the rows are %q", rows)
		}
		if none := s.get("/item.csv?label=nobody").body; none != "id,label,mass\r\n" {
			t.Errorf("no rows are %q, want the header", none)
		}
	})

	t.Run("S-131 GeoJSON is not here", func(t *testing.T) {
		p := decode[problem](t, s.get("/item?_format=geojson").wantCode(t, http.StatusNotAcceptable))
		if !strings.Contains(p.Message, "json") || !strings.Contains(p.Message, "csv") {
			t.Errorf("the formats are not listed: %s", p.Message)
		}
		s.get("/item", header("Accept", "application/geo+json")).wantCode(t, http.StatusNotAcceptable)
	})

	t.Run("S-134 error body", func(t *testing.T) {
		for target, code := range map[string]int{
			"/nothing": http.StatusNotFound, "/item?size=x": http.StatusBadRequest, "/item?_format=x": http.StatusNotAcceptable, "/group/abc/item": http.StatusBadRequest,
		} {
			a := s.get(target).wantCode(t, code)
			members := decode[map[string]any](t, a)
			path, _ := split(target)
			wantRecent(t, members["timestamp"].(string))
			// The number is RFC 9457's; upstream has a text here.
			if members["status"] != float64(code) || members["error"] != http.StatusText(code) || members["path"] != path {
				t.Errorf("%s: %s", target, a.body)
			}
			if message, _ := members["message"].(string); message == "" {
				t.Errorf("%s has no message: %s", target, a.body)
			}
		}
	})

	t.Run("S-135 file name", func(t *testing.T) {
		name := func(request string) string {
			disposition := s.export(request).header.Get("Content-Disposition")
			rest, begins := strings.CutPrefix(disposition, `attachment; filename="`)
			name, ends := strings.CutSuffix(rest, `"`)
			if !begins || !ends {
				t.Fatalf("%s: Content-Disposition %q", request, disposition)
			}
			return name
		}
		for request, want := range map[string]string{
			"/item":                             "item.csv",
			"/group/AB/item":                    "group_AB_item.csv",
			"/item?size=7&label=plain":          "item_label=plain_size=7.csv",
			"/item?label=plain&min-id=0&size=7": "item_label=plain_min-id=0_size=7.csv",
		} {
			if got := name(request); got != want {
				t.Errorf("%s: %s, want %s", request, got, want)
			}
		}
		if a, b := name("/item?size=8&label=a&label=b"), name("/item?label=b&label=a&size=8"); a != b {
			t.Errorf("equal requests have the names %s and %s", a, b)
		}
		long := "/item?label=" + strings.Repeat("x", 200)
		a, b := name(long), name(long+"y")
		if a == b || len(a) > 150 || !strings.HasPrefix(a, "item_label=xxx") || !strings.HasSuffix(a, ".csv") {
			t.Errorf("long requests have the names %s and %s", a, b)
		}
		// What is about the answer is not in it; what is unknown is refused.
		if got := name("/item?_format=csv&_wait=0&label=last"); got != "item_label=last.csv" {
			t.Errorf("with control parameters: %s", got)
		}
		s.get("/item/batch?_unknown=1").wantCode(t, http.StatusBadRequest)
	})
}
