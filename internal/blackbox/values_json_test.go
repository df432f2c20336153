package blackbox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// thingJSON are the rows as PostgreSQL writes them as JSON itself, with the columns for
// which JSON has other words here.
const thingJSON = `
SELECT row_to_json(made) FROM (
	SELECT id, i2, i8, num, price, f4, f8, txt, vc, ch, nm, ci, dom, ok, u, d, tm::text AS tm, iv, j, jb,
		replace(encode(raw, 'base64'), E'\n', '') AS raw, mood, addr, bits, rng, pt::text AS pt,
		ints, texts, bools, nums, floats, uuids, docs,
		CASE WHEN ts::text ~ '^\d{4}-.*\d$' THEN replace(ts::text, ' ', 'T') ELSE ts::text END AS ts,
		CASE WHEN tz::text ~ '^\d{4}-.*\+00$' THEN replace(replace(tz::text, ' ', 'T'), '+00', 'Z') ELSE tz::text END AS tz
	FROM thing ORDER BY id) AS made`

// objects reads JSON values one behind the other, numbers as they are written.
func objects(t *testing.T, text string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for decoder := exactly(text); ; {
		var one map[string]any
		if err := decoder.Decode(&one); err == io.EOF {
			return list
		} else if err != nil {
			t.Fatalf("%v\n%s", err, clip(text))
		}
		list = append(list, one)
	}
}

func exactly(text string) *json.Decoder {
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	return d
}

// JSON and NDJSON mean what PostgreSQL means, to the last digit.
func TestJSONValues(t *testing.T) {
	t.Parallel()
	s := newThings(t)
	var want []map[string]any
	for _, row := range query(t, s.db, "SET TimeZone = 'UTC'; "+thingJSON) {
		want = append(want, objects(t, row[0])...)
	}
	lines := s.get("/thing.ndjson").wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "application/x-ndjson")
	whole := s.get("/thing.json").wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "application/json")
	var list struct{ Items []map[string]any }
	if err := exactly(whole.body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	for name, got := range map[string][]map[string]any{"NDJSON": objects(t, lines.body), "JSON": list.Items} {
		if len(got) != len(want) {
			t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
		}
		for i := range want {
			if diff := cmp.Diff(want[i], got[i]); diff != "" {
				t.Errorf("%s, row %v: -want +got:\n%s", name, want[i]["id"], diff)
			}
		}
	}

	// One line is one row, wherever a value has line ends of its own.
	var count int
	for line := range strings.Lines(lines.body) {
		if count++; !json.Valid([]byte(line)) || !strings.HasSuffix(line, "}\n") || strings.ContainsAny(strings.TrimSuffix(line, "\n"), "\r\n") {
			t.Errorf("line %d is no object: %s", count, clip(line))
		}
	}
	if count != thingRows {
		t.Errorf("%d lines, want %d", count, thingRows)
	}
	// A json keeps what it was written with: the digits, and a name that is there twice.
	for _, part := range []string{`"price":12.50,`, `1.00`, `2e5`, `"f8":-0`, `.0123456789012345678901234567890123456789`} {
		if !strings.Contains(whole.body, part) || !strings.Contains(lines.body, part) {
			t.Errorf("%s is not there as it was written", part)
		}
	}
	if strings.Count(lines.body, `"a"`) < 3 {
		t.Error("a json lost one of two members with the same name")
	}
	// Members come in the order of the columns.
	if first, _, _ := bytes.Cut([]byte(lines.body), []byte("\n")); !bytes.HasPrefix(first, []byte(`{"id":1,"i2":1,"i8":2,"num":12.50,"price":12.50,`)) {
		t.Errorf("the first line is %s", first)
	}
}

const arraySpec = `
name: arrays
path: /arrays
query: >-
  SELECT 1 AS id, ARRAY['2026-01-31 13:00:00.5+01'::timestamptz, NULL] AS times, ARRAY['2026-01-31 12:00:00'::timestamp] AS locals,
  ARRAY['2026-01-31'::date] AS days, ARRAY['\x6869'::bytea, NULL] AS raws, ARRAY['so so'::mood, NULL, '{}'] AS moods,
  ARRAY['1 day'::interval] AS spans, ARRAY['12:00'::time] AS clocks, ARRAY['10.0.0.1'::inet] AS addrs, ARRAY['a b'::citext] AS cis,
  ARRAY['{"a": 1.50}'::json, NULL] AS jsons, ARRAY['ab'::varchar, NULL] AS vcs, ARRAY['x'::char(3)] AS chs, ARRAY['n'::name] AS names, ARRAY['c'::code] AS codes
key: id
`

// An array is a JSON array, of whatever it is.
func TestArraysAreJSON(t *testing.T) {
	t.Parallel()
	db := newDatabase(t)
	execute(t, db, thingSchema)
	s := start(t, setup{db: db, endpoints: []string{arraySpec}})
	row := items(t, s.get("/arrays"))[0]
	for name, want := range map[string][]any{
		"times":  {"2026-01-31T12:00:00.5Z", nil},
		"locals": {"2026-01-31T12:00:00"},
		"days":   {"2026-01-31"},
		"raws":   {"aGk=", nil},
		"moods":  {"so so", nil, "{}"},
		"spans":  {"1 day"},
		"clocks": {"12:00:00"},
		"addrs":  {"10.0.0.1"},
		"cis":    {"a b"},
		"jsons":  {map[string]any{"a": 1.5}, nil},
		"vcs":    {"ab", nil},
		"chs":    {"x  "},
		"names":  {"n"},
		"codes":  {"c"},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(any(want), row[name]); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
