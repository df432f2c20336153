package blackbox

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"slashbatch/internal/pgtest"
)

// newDatabase is one with the sample tables.
func newDatabase(t *testing.T) string {
	t.Helper()
	db := pgtest.New(t)
	execute(t, db, schema)
	return db
}

// cursor is the value of _after in the link to the next page.
func (s *service) cursor(request string) string {
	s.t.Helper()
	next := s.list(request).Meta.Next
	u, err := url.Parse(next)
	if err != nil || u.Query().Get("_after") == "" {
		s.t.Fatalf("%s: next is %q, want one with _after", request, next)
	}
	return u.Query().Get("_after")
}

// A cursor is for the request that it came from, whole and alone.
func TestForeignCursor(t *testing.T) {
	t.Parallel()
	s := start(t, setup{db: newWalk(t), endpoints: []string{walkSpec}})
	byN := s.cursor("/walk?_sort=n")
	requests := map[string]string{
		"another order":         "/walk?_sort=word&_after=" + byN,
		"the order backwards":   "/walk?_sort=-n&_after=" + byN,
		"a longer order":        "/walk?_sort=n&_sort=word&_after=" + byN,
		"no order":              "/walk?_after=" + byN,
		"of another endpoint":   "/capped?_after=" + s.cursor("/walk"),
		"two of them":           "/walk?_sort=n&_after=" + byN + "&_after=" + s.cursor("/walk?_sort=n&_limit=3"),
		"a word":                "/walk?_sort=n&_after=next",
		"a number":              "/walk?_after=7",
		"no base64":             "/walk?_after=%22%27--",
		"NUL":                   "/walk?_after=%00",
		"JSON null":             "/walk?_after=bnVsbA",
		"an empty JSON list":    "/walk?_after=W10",
		"a JSON list of a null": "/walk?_after=W251bGxd",
		"with more behind":      "/walk?_sort=n&_after=" + byN + byN,
		"very long":             "/walk?_after=" + strings.Repeat("A", 8000),
	}
	for i := range len(byN) - 1 {
		other := byte('A')
		if byN[i] == other {
			other = 'B'
		}
		requests["character "+strconv.Itoa(i)+" changed"] = "/walk?_sort=n&_after=" + byN[:i] + string(other) + byN[i+1:]
	}
	for name, request := range requests {
		for _, target := range []string{request, twin(request)} {
			a := s.get(target)
			if a.code != http.StatusBadRequest {
				t.Errorf("%s: %s answered %d, want 400: %s", name, target, a.code, clip(a.body))
				continue
			}
			if p := decode[problem](t, a); !strings.Contains(p.Message, "_after") || len(p.Problems) == 0 {
				t.Errorf("%s: the problem does not name _after: %s", name, p.Message)
			}
		}
	}
	s.get("/walk?_sort=n&_after="+byN).wantCode(t, http.StatusOK)
	if n := s.log.count(`"level":"ERROR"`); n > 0 {
		t.Errorf("%d errors in the log", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	s := start(t, setup{db: newWalk(t), endpoints: []string{walkSpec}})
	none := s.list("/walk?_limit=0&_count=exact")
	if len(none.Items) != 0 || none.Items == nil || none.Meta.Limit != 0 || none.Meta.Next != "" || none.Meta.Count == nil || *none.Meta.Count != 60 {
		t.Errorf("_limit=0 gives %+v", none)
	}
	over := s.list("/capped?_limit=26")
	if len(over.Items) != 25 || over.Meta.Limit != 25 || !over.Meta.Capped || over.Meta.Next == "" {
		t.Errorf("over the hard limit: %d rows, meta %+v", len(over.Items), over.Meta)
	}
	if ids, pages := s.walk("/capped?_limit=9000"); len(ids) != 60 || pages != 3 {
		t.Errorf("%d rows on %d pages, want 60 on 3", len(ids), pages)
	}
	for _, request := range []string{"/capped?_limit=25", "/capped"} {
		if l := s.list(request); l.Meta.Capped {
			t.Errorf("%s is said to be capped", request)
		}
	}
	// A page that ends with the last row has no next one, nor has one behind it.
	for _, request := range []string{"/capped?_limit=20&_offset=40", "/capped?_offset=60", "/capped?_offset=1000", "/capped?word=nobody"} {
		if l := s.list(request); l.Meta.Next != "" {
			t.Errorf("%s has a next page: %s", request, l.Meta.Next)
		}
	}
	// From the middle on, by offset once and by cursor afterwards.
	if ids, pages := s.walk("/capped?_offset=30&_limit=10"); len(ids) != 30 || pages != 3 {
		t.Errorf("%d rows on %d pages behind an offset, want 30 on 3", len(ids), pages)
	}
	// A cursor begins a file as well.
	rest := s.export("/walk?_sort=-id&_view=default&_after=" + s.cursor("/walk?_sort=-id&_limit=58")).body
	if want := "id\r\n2\r\n1\r\n"; rest != want {
		t.Errorf("the file behind a cursor is %q, want %q", rest, want)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	db := newWalk(t)
	execute(t, db, "ANALYZE walk")
	s := start(t, setup{db: db, endpoints: []string{walkSpec}})
	for _, request := range []string{"/walk?ok=true", "/walk?ok=true&_limit=1", "/walk?ok=true&_offset=15", "/walk?ok=true&_after=" + s.cursor("/walk?ok=true")} {
		if m := s.list(request + "&_count=exact").Meta; m.Count == nil || *m.Count != 20 || m.CountIs != "exact" {
			t.Errorf("%s: count %v is %q, want 20, exact", request, m.Count, m.CountIs)
		}
	}
	if m := s.list("/walk?_count=estimated").Meta; m.Count == nil || *m.Count != 60 || m.CountIs != "estimated" {
		t.Errorf("of an analysed table: count %v is %q, want 60, estimated", m.Count, m.CountIs)
	}
	if a := s.get("/walk"); strings.Contains(a.body, `"count`) {
		t.Errorf("a count that nobody asked for: %s", clip(a.body))
	}
}

// Rows come and go while one reads; no other is skipped or repeated for that.
func TestPagesOfAChangingTable(t *testing.T) {
	t.Parallel()
	db := newWalk(t)
	s := start(t, setup{db: db, endpoints: []string{walkSpec}})
	whole := s.list("/walk?_sort=-n&_limit=1000").ids()
	first := s.list("/walk?_sort=-n&_limit=10")
	// The row that the cursor stands on, one before it, and one after it go; one before it comes.
	execute(t, db, "DELETE FROM walk WHERE id IN ("+strings.Join([]string{whole[9], whole[2], whole[20]}, ",")+"); INSERT INTO walk (id, n) VALUES (0, NULL)")
	rest, _ := s.walk(first.Meta.Next)
	if want := slices.Concat(whole[10:20], whole[21:]); !slices.Equal(rest, want) {
		t.Errorf("the pages behind the first have\n%v, want\n%v", rest, want)
	}
}

// An answer that does not fit into the server's memory begins before its end is known.
func TestLongAnswerHasNext(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	const request = "/big?_limit=10000"
	a := s.get(request).wantCode(t, http.StatusOK)
	if a.length >= 0 || strings.Index(a.body, `"items"`) > strings.Index(a.body, `"meta"`) {
		t.Errorf("length %d, begins with %s; want a stream with its items first", a.length, clip(a.body))
	}
	short := s.get("/big?_limit=3")
	if short.length < 0 || strings.Index(short.body, `"items"`) < strings.Index(short.body, `"meta"`) {
		t.Errorf("length %d of a short answer: %s", short.length, clip(short.body))
	}
	at := 0
	for next, pages := request, 0; pages < 3; pages++ {
		l := s.list(next)
		for _, id := range l.ids() {
			if at++; id != strconv.Itoa(at) {
				t.Fatalf("row %d is %s", at, id)
			}
		}
		if next = l.Meta.Next; next == "" {
			t.Fatalf("page %d has no next", pages)
		}
	}
	if l := s.list(request + "&_offset=140000"); len(l.Items) != 10_000 || l.Meta.Next != "" {
		t.Errorf("the last page has %d rows and the next page %q", len(l.Items), l.Meta.Next)
	}
}

const lengthySpec = `
name: lengthy
path: /lengthy
query: SELECT id, pad FROM lengthy
key: id
views: {default: [id]}
`

// What is sorted by may be longer than any URL; no row is lost for that.
func TestPagesOfLongTexts(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	// In this order: five short ones, then longer and longer ones up to 400 kB, then short ones again.
	execute(t, db, `CREATE TABLE lengthy AS SELECT n AS id, chr(64 + n) || CASE WHEN n BETWEEN 6 AND 18 THEN repeat(md5(n::text), 1 << (n - 5)) ELSE '' END AS pad
		FROM generate_series(1, 26) AS n`)
	s := start(t, setup{db: db, endpoints: []string{lengthySpec}})
	for _, order := range []string{"pad", "-pad"} {
		want := s.list("/lengthy?_limit=100&_sort=" + order).ids()
		for _, limit := range []string{"1", "5", "7", "10"} {
			got, _ := s.walk("/lengthy?_sort=" + order + "&_limit=" + limit)
			if !slices.Equal(got, want) || len(want) != 26 {
				t.Errorf("by %s in pages of %s:\n%v, want\n%v", order, limit, got, want)
			}
		}
	}
}

var nextLink = regexp.MustCompile(`<a [^>]*href="([^"]*)"[^>]*rel="next`)

// A page for people leads through all rows as well, from long tables too.
func TestNextOfPages(t *testing.T) {
	t.Parallel()
	s := start(t, setup{db: newWalk(t), endpoints: []string{walkSpec}})
	for first, with := range map[string][]func(*http.Request){
		"/capped":              {browser},
		"/capped?_format=html": nil,
		"/capped.html":         nil,
	} {
		next, rows, pages := first, 0, 0
		for ; next != "" && pages < 20; pages++ {
			a := s.get(next, with...).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "text/html; charset=utf-8")
			_, table, _ := strings.Cut(a.body, "<tbody>")
			rows += strings.Count(table, "<tr")
			next = ""
			if link := nextLink.FindStringSubmatch(a.body); link != nil {
				next = strings.ReplaceAll(link[1], "&amp;", "&")
			}
		}
		if rows != 60 || pages != 6 {
			t.Errorf("%s: %d rows on %d pages, want 60 on 6", first, rows, pages)
		}
	}
	if long := s.get("/big?_format=html&_limit=10000"); nextLink.FindString(long.body) == "" {
		t.Error("a long page has no next one")
	}
	if a := s.get("/capped?_format=html&_limit=0").wantCode(t, http.StatusOK); nextLink.FindString(a.body) != "" {
		t.Error("a page of no rows has a next one")
	}
}
