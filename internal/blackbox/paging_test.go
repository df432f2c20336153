package blackbox

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// walkSchema is a table in which every order has ties, NULLs and the values that compare
// in ways of their own.
const walkSchema = `
CREATE TYPE size AS ENUM ('small', 'medium', 'large', 'at most');
CREATE TABLE walk (
	id int PRIMARY KEY, word text, n int, x float8, exact numeric, at timestamptz, day date, ok bool,
	size size, ref uuid, span interval, tags text[], addr inet, doc jsonb
);
INSERT INTO walk
SELECT i * 37 % 61,
	(ARRAY[NULL, '', 'a', 'A', 'b', 'ä', ' a', E'\'"\\', E'a\nb', '100%', '🚚', 'null'])[i % 12 + 1],
	(ARRAY[NULL, 0, -1, 2147483647, -2147483648])[i % 5 + 1],
	(ARRAY[NULL, 'NaN', 'Infinity', '-Infinity', '-0', '0', '0.30000000000000004', '1e-300'])[i % 8 + 1]::float8,
	(ARRAY[NULL, 'NaN', '1.1', '1.10', '1.1000', '12345678901234567890.12345678901234567890', '-0.001'])[i % 7 + 1]::numeric,
	(ARRAY[NULL, 'infinity', '-infinity', '2026-01-31 12:00:00.000001+00', '2026-01-31 12:00:00+00', '0044-03-15 00:00:00+00 BC', '12026-01-01 00:00:00+00'])[i % 7 + 1]::timestamptz,
	(ARRAY[NULL, 'infinity', '2026-01-31', '0044-03-15 BC'])[i % 4 + 1]::date,
	(ARRAY[NULL, true, false])[i % 3 + 1],
	(ARRAY[NULL, 'at most', 'large', 'medium', 'small'])[i % 5 + 1]::size,
	CASE WHEN i % 4 > 0 THEN md5((i % 9)::text)::uuid END,
	(ARRAY[NULL, '1 mon', '30 days', '720:00:00', '-1 day', '1 year 2 days'])[i % 6 + 1]::interval,
	(ARRAY[NULL, '{}', '{a}', '{a,NULL}', '{"a,b","\"c\""}', '{{a,b},{c,d}}'])[i % 6 + 1]::text[],
	(ARRAY[NULL, '10.0.0.1', '10.0.0.0/8', '::1'])[i % 4 + 1]::inet,
	(ARRAY[NULL, '{"a": 1, "b": {"c": "x"}}', '{"a": 1.0, "b": {"c": null}}', '{"a": null, "b": {"c": "Y"}}', '{"a": "text", "b": []}',
		'{"a": -2e10, "b": {"c": "x"}}', 'null', '[1]', '7', '{}'])[i % 10 + 1]::jsonb
FROM generate_series(1, 60) AS i;
`

const walkSpec = `
name: walk
path: /walk
query: SELECT * FROM walk
key: id
properties:
  doc.a: {type: numeric}
views:
  default: [id]
  words: [word, n]
softLimit: 7
hardLimit: 1000
---
name: capped
path: /capped
query: SELECT id, word FROM walk
key: id
softLimit: 10
hardLimit: 25
`

// listing is a JSON answer.
type listing struct {
	Meta struct {
		ID            string `json:"@id"`
		Next          string
		Limit, Offset int64
		Capped        bool
		Count         *int64
		CountIs       string
		HasFormat     []string
		Batch         string
	}
	Items []map[string]json.RawMessage
}

func (s *service) list(request string, with ...func(*http.Request)) listing {
	s.t.Helper()
	return decode[listing](s.t, s.get(request, with...).wantCode(s.t, http.StatusOK))
}

// ids are the keys of its rows.
func (l listing) ids() []string {
	var ids []string
	for _, item := range l.Items {
		ids = append(ids, string(item["id"]))
	}
	return ids
}

// walk follows meta.next to the end and returns the keys of all rows and the number of pages.
func (s *service) walk(request string, with ...func(*http.Request)) (ids []string, pages int) {
	s.t.Helper()
	for request != "" && pages < 200 {
		l := s.list(request, with...)
		if n := int64(len(l.Items)); n > l.Meta.Limit || l.Meta.Next != "" && n < l.Meta.Limit {
			s.t.Errorf("%s: %d rows on a page of %d, next %q", request, n, l.Meta.Limit, l.Meta.Next)
		}
		ids, pages = append(ids, l.ids()...), pages+1
		if request = l.Meta.Next; request != "" && !strings.HasPrefix(request, s.url+"/") {
			s.t.Errorf("next is no absolute URL of this service: %s", request)
		}
	}
	return ids, pages
}

// All pages one behind the other are one big read, and that is PostgreSQL's order.
func TestPagesAreOneRead(t *testing.T) {
	t.Parallel()
	db := newWalk(t)
	s := start(t, setup{db: db, endpoints: []string{walkSpec}})
	orders := map[string]string{
		"":                           "id",
		"_sort=-id":                  "id DESC",
		"_sort=word&_sort=-n":        "word, n DESC, id",
		"_sort=-word&_sort=-x":       "word DESC, x DESC, id",
		"_sort=-ok&_sort=n&_sort=-x": "ok DESC, n, x DESC, id",
		"_sort=ok&_sort=-id":         "ok, id DESC",
		"_sort=doc.a":                "CASE WHEN jsonb_typeof(doc -> 'a') = 'number' THEN (doc ->> 'a')::numeric END, id",
		"_sort=-doc.a&_sort=word":    "CASE WHEN jsonb_typeof(doc -> 'a') = 'number' THEN (doc ->> 'a')::numeric END DESC, word, id",
		"_sort=doc.b.c":              "doc #>> '{b,c}', id",
		"_sort=-doc.b.c&_sort=-size": "doc #>> '{b,c}' DESC, size DESC, id",
		"_sort=doc.none":             "id",
	}
	for _, column := range []string{"word", "n", "x", "exact", "at", "day", "ok", "size", "ref", "span", "tags", "addr", "doc"} {
		orders["_sort="+column], orders["_sort=-"+column] = column+", id", column+" DESC, id"
	}
	for order, sql := range orders {
		t.Run(order, func(t *testing.T) {
			s := s.in(t)
			var want []string
			for _, row := range query(t, db, "SELECT id FROM walk ORDER BY "+sql) {
				want = append(want, row[0])
			}
			whole := s.list("/walk?_limit=1000&" + order)
			if got := whole.ids(); !slices.Equal(got, want) {
				t.Errorf("one read gives\n%v, want\n%v", got, want)
			}
			if whole.Meta.Next != "" {
				t.Errorf("the whole has a next page: %s", whole.Meta.Next)
			}
			got, pages := s.walk("/walk?" + order)
			if !slices.Equal(got, want) || pages != 9 {
				t.Errorf("%d pages give\n%v, want 9 with\n%v", pages, got, want)
			}
		})
	}
}

func newWalk(t *testing.T) (db string) {
	t.Helper()
	db = newDatabase(t)
	execute(t, db, walkSchema)
	return db
}

// The next page has the filters, the view, and the form of this one.
func TestNextKeepsTheRequest(t *testing.T) {
	t.Parallel()
	s := start(t, setup{db: newWalk(t), endpoints: []string{walkSpec}})
	const request = "/walk?_view=words&ok=true&_sort=-n&_limit=3&_count=exact&_format=json"
	whole := s.list(strings.Replace(request, "_limit=3", "_limit=1000", 1))
	var words []string
	for next, pages := request, 0; next != "" && pages < 50; pages++ {
		l := s.list(next, browser)
		for _, item := range l.Items {
			words = append(words, string(item["word"])+string(item["n"]))
			if len(item) != 2 {
				t.Fatalf("page %d shows %v, want the view's columns", pages, item)
			}
		}
		if l.Meta.Limit != 3 || l.Meta.Count == nil || *l.Meta.Count != 20 {
			t.Errorf("page %d: limit %d, count %v; want 3 and 20", pages, l.Meta.Limit, l.Meta.Count)
		}
		next = l.Meta.Next
	}
	for i, item := range whole.Items {
		if want := string(item["word"]) + string(item["n"]); i >= len(words) || words[i] != want {
			t.Fatalf("rows %v: want %s in place %d", words, want, i)
		}
	}
	if len(words) != len(whole.Items) {
		t.Errorf("%d rows, want %d", len(words), len(whole.Items))
	}
	// Where the path says the form, it goes on saying so.
	if ids, pages := s.walk("/walk.json?_limit=25", browser); len(ids) != 60 || pages != 3 {
		t.Errorf("%d rows on %d pages of /walk.json, want 60 on 3", len(ids), pages)
	}
}
