package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// thingSchema is a table of values of every common type: ordinary ones, NULLs, empty ones,
// the extremes, and texts that break formats; and rows of random texts behind them.
const thingSchema = `
CREATE EXTENSION citext;
CREATE TYPE mood AS ENUM ('sad', 'so so', 'it''s "so", so', '{}', 'null');
CREATE DOMAIN code AS text;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE thing (
	id int PRIMARY KEY, i2 smallint, i8 bigint, num numeric, price numeric(12,2), f4 real, f8 float8,
	txt text, vc varchar(20), ch char(4), nm name, ci citext, dom code,
	ok bool, u uuid, d date, ts timestamp, tz timestamptz, tm time, iv interval,
	j json, jb jsonb, raw bytea, mood mood, addr inet, bits varbit, rng int4range, pt pair,
	ints int[], texts text[], bools bool[], nums numeric[], floats float8[], uuids uuid[], docs jsonb[]
);
INSERT INTO thing VALUES
	(1, 1, 2, 12.50, 12.5, 0.5, 0.25, 'plain', 'short', 'ab', 'name', 'Case', 'domain', true, '123e4567-e89b-12d3-a456-426614174000', '2026-01-31',
	 '2026-01-31 12:00:00.5', '2026-01-31 13:00:00.5+01', '12:30:00', '1 year 2 mons 3 days 04:05:06.7', '{"a": 1}', '{"a": 1.50, "b": [true, null]}', 'hi',
	 'so so', '10.0.0.1/8', '1010', '[1,5)', '(1,"a,b")', '{1,2}', '{a,b}', '{t,f}', '{1.50,2}', '{0.5,1e100}', '{123e4567-e89b-12d3-a456-426614174000}', ARRAY['{"a": 1}'::jsonb]);
INSERT INTO thing VALUES
	(2);
INSERT INTO thing VALUES
	(3, 0, 0, 0, 0, 0, 0, '', '', '', '', '', '', false, '00000000-0000-0000-0000-000000000000', '0001-01-01', '0001-01-01', '0001-01-01 00:00:00+00', '00:00', '0',
	 '""', '{}', '', '{}', '0.0.0.0/0', '', 'empty', '(,)', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO thing VALUES
	(4, -32768, -9223372036854775808, 1234567890123456789012345678901234567890.0123456789012345678901234567890123456789, -9999999999.99, 'NaN', '-Infinity',
	 E'a,"b"\r\nc\td\\e''', E'"\n"', '"', 'a b', 'Ä,Ö', E'\\N', NULL, 'ffffffff-ffff-ffff-ffff-ffffffffffff', '0044-03-15 BC', 'infinity', '-infinity', '24:00:00', '-1 mons +2 days -00:00:01',
	 E'{"a":\n\r\n 1.00, "b": "x\\ny", "a": [ ]}', '12345678901234567890.123456789', '\x00ff0a0d22', 'it''s "so", so', '::1', '0', '(,1]', '(-5,"""q""")',
	 '{{1,NULL},{3,4}}', E'{NULL,"NULL","","a\\"b","c\\\\d","e,f","{}","g\nh"}', '{NULL,t}', '{NaN,12345678901234567890.1234567890}', '{NaN,Infinity,-Infinity,NULL}', '{NULL}', ARRAY['null'::jsonb, NULL, '[1, {"x": "\"y\""}]']);
INSERT INTO thing VALUES
	(5, 32767, 9223372036854775807, '-Infinity', 0.10, '-1e-45', '1.7976931348623157e308', E'\\.', E'\r', E'\t', '\.', '\.', E'\n', true, NULL, 'infinity', '2026-12-31 23:59:60', '12026-01-01 00:00:00+00', '00:00:00.000001', '178000000 years',
	 E' [1 ,\t2e5,\n"\\u2028" ] ', '"text"', '\x5c', 'null', NULL, NULL, NULL, NULL,
	 '{{{1}},{{2}}}', '{{a,b},{c,NULL}}', '{{t},{f}}', '{}', '{-0,1e-300}', NULL, '{}');
INSERT INTO thing VALUES
	(6, NULL, NULL, 'NaN', NULL, '-Infinity', 'NaN', 'grüße 🚚 <b>&amp;</b> '' "quoted"', ' x ', 'ß', '🚚', 'NULL', 'null', NULL, NULL, NULL, '0044-03-15 00:00:00 BC', '1969-12-31 23:59:59.999999+00', NULL, NULL,
	 'null', 'null', '\x5c78', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO thing VALUES
	(7, NULL, NULL, NULL, NULL, NULL, '-0', E'line\n\\.\nline', NULL, NULL, NULL, NULL, E'\u2028\u00a0\u007f\u0001', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
	 E'{\r\n"a" : "b"\r\n}\r\n', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO thing (id, txt, vc, texts, num, f8, tz, jb, raw)
SELECT i, word, left(word, 20), ARRAY[word, NULL, left(word, 3)], 10 ^ (i % 60 - 30)::numeric / 7, sin(i) * 10 ^ (i % 30),
	'2026-01-01 00:00:00+00'::timestamptz + i * 100001 * interval '1 microsecond', jsonb_build_object('w', word, 'n', i), convert_to(word, 'UTF8')
FROM (SELECT i, string_agg((ARRAY[',', '"', E'\n', E'\r', E'\\', '.', ';', E'\t', 'a', ' ', 'ä', '🚚', '=', '{', '}', '''', '<', '&', 'NULL'])[get_byte(decode(md5(i::text), 'hex'), n) % 19 + 1], '') AS word
	FROM generate_series(100, 399) AS i, generate_series(0, i % 16) AS n GROUP BY i) AS made;
`

const thingRows = 307

const thingSpec = `
name: thing
path: /thing
query: SELECT * FROM thing
key: id
softLimit: 1000
hardLimit: 1000
views:
  text: [txt]
`

// newThings is a service that serves them.
func newThings(t *testing.T) *service {
	t.Helper()
	db := newDatabase(t)
	execute(t, db, thingSchema)
	return start(t, setup{db: db, endpoints: []string{thingSpec}})
}

// wantCopy loads a CSV file by COPY and compares with the table that it came from, text by text.
func (s *service) wantCopy(file, options string) {
	s.t.Helper()
	head, _, _ := strings.Cut(strings.TrimPrefix(file, "\uFEFF"), "\r\n")
	columns := strings.NewReplacer(";", ",", "\t", ",").Replace(head)
	conn := connect(s.t, s.db)
	defer conn.Close(s.t.Context())
	if _, err := conn.Exec(s.t.Context(), "CREATE TEMPORARY TABLE copied (LIKE thing)").ReadAll(); err != nil {
		s.t.Fatal(err)
	}
	tag, err := conn.CopyFrom(s.t.Context(), strings.NewReader(file), fmt.Sprintf("COPY copied (%s) FROM STDIN (FORMAT csv, HEADER%s)", columns, options))
	if err != nil {
		s.t.Fatalf("COPY refuses the file: %v", err)
	}
	if tag.RowsAffected() != thingRows {
		s.t.Errorf("%d rows came back, want %d", tag.RowsAffected(), thingRows)
	}
	const difference = `
		(SELECT 'lost', t::text FROM thing AS t EXCEPT ALL SELECT 'lost', c::text FROM copied AS c) UNION ALL
		(SELECT 'made', c::text FROM copied AS c EXCEPT ALL SELECT 'made', t::text FROM thing AS t)`
	results, err := conn.Exec(s.t.Context(), difference).ReadAll()
	if err != nil {
		s.t.Fatal(err)
	}
	for _, row := range results[0].Rows {
		s.t.Errorf("%s: %s", row[0], clip(string(row[1])))
	}
}

// A CSV file loads back with COPY into the table that it came from.
func TestCSVLoadsBack(t *testing.T) {
	t.Parallel()
	s := newThings(t)
	file := s.export("/thing?_sort=id")
	rows := s.get("/thing.csv").wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "text/csv; charset=utf-8; header=present")
	if file.body != rows.body {
		t.Error("the file and the interactive rows are not the same bytes")
	}
	for name, a := range map[string]answer{"batch": file, "interactive": rows} {
		t.Run(name, func(t *testing.T) { s.in(t).wantCopy(a.body, "") })
	}
	if !strings.HasPrefix(rows.body, "id,i2,i8,num,price,f4,f8,txt,vc,ch,") || !strings.HasSuffix(rows.body, "\r\n") {
		t.Errorf("it begins with %s", clip(rows.body))
	}
	// NULL is nothing, the empty string is two quotes; a lone \. does not end the data.
	for request, want := range map[string]string{
		"/thing.csv?_view=text&maxeq-id=3": "txt\r\nplain\r\n\r\n\"\"\r\n",
		"/thing.csv?_view=text&id=5":       "txt\r\n\"\\.\"\r\n",
	} {
		if got := s.get(request).body; got != want {
			t.Errorf("%s gives %q, want %q", request, got, want)
		}
	}
	t.Run("one column", func(t *testing.T) { s.in(t).wantColumn(s.get("/thing.csv?_view=text").body) })
}

// wantColumn loads a file of one column.
func (s *service) wantColumn(file string) {
	s.t.Helper()
	conn := connect(s.t, s.db)
	defer conn.Close(s.t.Context())
	if _, err := conn.Exec(s.t.Context(), "CREATE TEMPORARY TABLE word (txt text)").ReadAll(); err != nil {
		s.t.Fatal(err)
	}
	if _, err := conn.CopyFrom(s.t.Context(), strings.NewReader(file), "COPY word FROM STDIN (FORMAT csv, HEADER)"); err != nil {
		s.t.Fatal(err)
	}
	results, err := conn.Exec(s.t.Context(), "(SELECT txt FROM thing EXCEPT ALL TABLE word) UNION ALL (TABLE word EXCEPT ALL SELECT txt FROM thing)").ReadAll()
	if err != nil || len(results[0].Rows) > 0 {
		s.t.Errorf("rows that did not come back: %q, error %v", results[0].Rows, err)
	}
}
