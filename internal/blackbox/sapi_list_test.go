package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// The lines of SAPI-NT's interactive list endpoint, by their numbers: S-121 to S-127, S-133 and
// S-136 here, S-128 to S-131, S-134 and S-135 in sapi_answer_test.go, S-132 in reload_test.go.

const listSchema = `
CREATE TABLE station (id text PRIMARY KEY, label text, river text, height numeric, opened date, place jsonb);
INSERT INTO station VALUES
	('s1', 'Alder', 'Tone', 12.5, '1990-01-01', '{"town": "Bath", "grid": {"easting": 300, "ref": "ST"}}'),
	('s2', 'birch', 'Tone', 7, '2000-06-15', '{"town": "Ash", "grid": {"easting": 100, "ref": "SU"}}'),
	('s3', 'Cedar', 'Exe', 7, NULL, '{"town": "Bath", "grid": {"easting": 200.5}}'),
	('s4', NULL, 'Exe', NULL, '2010-12-31', '{"town": null}'),
	('s5', 'Elm', NULL, 100, '2000-06-15', NULL),
	('s6', '50% of_it', 'Axe', -1, '2020-02-29', '{"town": "Zeal"}');
`

const listSpecs = `
name: stations
path: /station
query: SELECT id, label, river, height, opened, place FROM station
key: id
properties:
  place.grid.easting: {type: numeric}
views:
  default: [id, label, river]
  compact: [label]
  full: [id, label, river, height, opened, place]
---
name: of-river
path: /river/{river}/station
query: SELECT id, label FROM station WHERE river = {river}
key: id
---
name: near
path: /river/{river}/above/{height}
query: SELECT id FROM station WHERE river = {river} AND height >= {height}
key: id
pathParameters:
  river: {type: string, pattern: '^[A-Z][a-z]+$'}
  height: {type: numeric}
---
name: searched
path: /searched
query: SELECT id, label, river, label AS prefix, label AS part FROM station
key: id
properties:
  label: {match: fulltext}
  prefix: {match: prefix}
  part: {match: contains}
`

// found are the ids of a request's rows, without their letter.
func (s *service) found(request string) string {
	s.t.Helper()
	return strings.ReplaceAll(s.ids(request), "s", "")
}

func TestSAPIList(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	execute(t, db, listSchema)
	s := start(t, setup{db: db, endpoints: []string{listSpecs}})
	for _, tt := range []struct{ name, request, want string }{
		{"S-121 ascending", "/station?_sort=height", "6 2 3 1 5 4"},
		{"S-121 descending", "/station?_sort=-height", "4 5 1 2 3 6"},
		{"S-121 plus", "/station?_sort=%2Bheight", "6 2 3 1 5 4"},
		{"S-121 two keys", "/station?_sort=river&_sort=-height", "6 4 3 1 2 5"},
		{"S-121 two keys, the other way round", "/station?_sort=-height&_sort=river", "4 5 1 3 2 6"},
		{"S-121 nested", "/station?_sort=place.town&_sort=-id", "2 3 1 6 5 4"},
		{"S-121 nested number", "/station?_sort=-place.grid.easting&exists-place.grid.easting=true", "1 3 2"},
		{"S-122 equality", "/station?river=Tone", "1 2"},
		{"S-122 equality of a number", "/station?height=7.00", "2 3"},
		{"S-122 equality of a date", "/station?opened=2000-06-15", "2 5"},
		{"S-122 nested", "/station?place.town=Bath", "1 3"},
		{"S-122 deeply nested", "/station?place.grid.ref=ST", "1"},
		{"S-122 nested number", "/station?place.grid.easting=1e2", "2"},
		{"S-122 both", "/station?river=Tone&place.town=Bath", "1"},
		{"S-122 both, no row", "/station?river=Exe&place.town=Ash", ""},
		{"S-123 exists", "/station?exists-label=true", "1 2 3 5 6"},
		{"S-123 exists not", "/station?exists-label=false", "4"},
		{"S-123 exists nested", "/station?exists-place.town=true", "1 2 3 6"},
		{"S-123 exists not, nested", "/station?exists-place.town=false", "4 5"},
		{"S-124 min is strict", "/station?min-height=7", "1 5"},
		{"S-124 mineq", "/station?mineq-height=7", "1 2 3 5"},
		{"S-124 max is strict", "/station?max-height=7", "6"},
		{"S-124 maxeq", "/station?maxeq-height=7", "2 3 6"},
		{"S-124 between", "/station?min-height=-1&max-height=12.5", "2 3"},
		{"S-124 dates", "/station?min-opened=2000-06-15&maxeq-opened=2020-02-29", "4 6"},
		{"S-124 nested, strict", "/station?min-place.grid.easting=100", "1 3"},
		{"S-124 nested", "/station?mineq-place.grid.easting=100&max-place.grid.easting=300", "2 3"},
		{"S-124 not of the range", "/station?exists-height=true&max-height=-1", ""},
		{"S-125 substituted", "/river/Exe/above/7", "3"},
		{"S-125 substituted, no row", "/river/Exe/above/7.01", ""},
		{"S-125 substituted, another value", "/river/Tone/above/7", "1 2"},
		{"S-125 and a filter", "/river/Tone/above/7?id=s2", "2"},
		{"S-127 path variable", "/river/Tone/station", "1 2"},
		{"S-127 path variable, no row", "/river/Nile/station", ""},
		{"S-127 path variable is data", "/river/Tone'%20OR%20'1'='1/station", ""},
		{"S-133 repeated is or", "/station?river=Tone&river=Axe", "1 2 6"},
		{"S-133 repeated and another", "/station?river=Tone&river=Axe&height=7&height=-1", "2 6"},
		{"S-133 repeated, nested", "/station?place.town=Ash&place.town=Zeal", "2 6"},
		{"exact by default", "/station?label=alder", ""},
		{"prefix", "/searched?prefix=Al", "1"},
		{"prefix, no pattern", "/searched?prefix=%25", ""},
		{"prefix of a percent", "/searched?prefix=50%25", "6"},
		{"contains", "/searched?part=e", "1 3"},
		{"contains no pattern", "/searched?part=_", "6"},
		{"contains either", "/searched?part=lm&part=lder", "1 5"},
		{"fulltext", "/searched?label=ALDER", "1"},
		{"fulltext, words in any order", "/searched?label=it+50", "6"},
		{"fulltext, no part of a word", "/searched?label=alde", ""},
		{"fulltext or", "/searched?label=alder+or+elm", "1 5"},
		{"fulltext, either", "/searched?label=alder&label=elm", "1 5"},
		{"fulltext without", "/searched?label=-alder", "2 3 5 6"},
		{"fulltext is data", "/searched?label='%3A*%20%26%20!", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.in(t).found(tt.request); got != tt.want {
				t.Errorf("%s: rows %q, want %q", tt.request, got, tt.want)
			}
		})
	}

	t.Run("S-121 unknown", func(t *testing.T) {
		p := decode[problem](t, s.get("/station?_sort=nothing").wantCode(t, http.StatusBadRequest))
		if names := p.names(); len(names) != 1 || names[0] != "_sort" || !strings.Contains(p.Message, "river") {
			t.Errorf("problems with %v: %s", names, p.Message)
		}
	})
	t.Run("S-126 views", func(t *testing.T) {
		for request, want := range map[string]string{
			"/station.csv?":               "id,label,river",
			"/station.csv?_view=default":  "id,label,river",
			"/station.csv?_view=compact":  "label",
			"/station.csv?_view=full":     "id,label,river,height,opened,place",
			"/river/Tone/station.csv?":    "id,label",
			"/station.csv?_view=&river=1": "id,label,river",
		} {
			if head, _, _ := strings.Cut(s.get(request).wantCode(t, http.StatusOK).body, "\r\n"); head != want {
				t.Errorf("%s: columns %s, want %s", request, head, want)
			}
		}
		if row := items(t, s.get("/station?_view=compact&id=s1"))[0]; len(row) != 1 || row["label"] != "Alder" {
			t.Errorf("the compact view gives %v", row)
		}
		p := decode[problem](t, s.get("/station?_view=nothing").wantCode(t, http.StatusBadRequest))
		if !strings.Contains(p.Message, "compact, default, full") {
			t.Errorf("the views are not listed: %s", p.Message)
		}
	})
	// A variable is always in the path, and there is no other binding to override.
	t.Run("S-125 bad value", func(t *testing.T) {
		p := decode[problem](t, s.get("/river/Exe/above/high").wantCode(t, http.StatusBadRequest))
		if names := p.names(); len(names) != 1 || names[0] != "height" {
			t.Errorf("problems with %v", names)
		}
		s.get("/river/Exe/above/7?height=1").wantCode(t, http.StatusBadRequest)
	})
	t.Run("S-136 variables in order", func(t *testing.T) {
		p := decode[problem](t, s.get("/river/exe/above/high?_limit=x").wantCode(t, http.StatusBadRequest))
		if len(p.Problems) != 3 || p.Problems[0].Name != "river" || p.Problems[1].Name != "height" || p.Problems[2].Name != "_limit" {
			t.Errorf("problems %v; want the variables' in the order of the path", p.Problems)
		}
		s.get("/river/Exe/above").wantCode(t, http.StatusNotFound)
		s.get("/river//above/7").wantCode(t, http.StatusNotFound)
	})
}

// S-136: a query that names a variable which its path has not is refused at the start.
func TestS136MissingVariable(t *testing.T) {
	t.Parallel()
	told := refusal(t, setup{endpoints: []string{"name: odd\npath: /odd/{first}\nquery: SELECT {first}::text AS id, {second}::text AS second\nkey: id\n"}})
	if !strings.Contains(told, "second") || !strings.Contains(told, "query") {
		t.Errorf("the start tells %s", told)
	}
}

// A problem's time is when it happened.
func wantRecent(t *testing.T, timestamp string) {
	t.Helper()
	at, err := time.Parse(time.RFC3339, timestamp)
	if age := time.Since(at); err != nil || age < -time.Minute || age > time.Hour {
		t.Errorf("timestamp %q, error %v", timestamp, err)
	}
}
