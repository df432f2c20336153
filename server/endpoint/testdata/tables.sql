-- The tables of the endpoints in this folder, with few different values and
-- many NULLs, so that every order has ties, and with the values that compare oddly.

CREATE TABLE package (id int8 PRIMARY KEY, stream text, label text, mass numeric, sent_at timestamptz, note text);
INSERT INTO package SELECT
	i, CASE WHEN i % 10 = 0 THEN 'CD-02' ELSE 'AB-01' END,
	(ARRAY['a', 'b', 'B', '', 'é%_', E'a"\\,b', NULL, NULL])[1 + i % 8],
	(ARRAY[1, 1.0, 1.50, -3, 12345678901234567890.123, 'NaN', 'Infinity', NULL])[1 + i / 3 % 8],
	(ARRAY['2026-01-31 12:00+00', '2026-01-31 12:00:00.000001+00', '0044-03-15 BC', 'infinity', '-infinity', '12026-01-01', NULL]::timestamptz[])[1 + i / 5 % 7],
	repeat('x', i % 3)
FROM generate_series(1, 200) i;

-- An order of texts in which different ones are equal.
CREATE COLLATION caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
CREATE TYPE sample_state AS ENUM ('shut', 'open', 'lost'); -- not in the order of the alphabet
CREATE TABLE sample (
	id uuid PRIMARY KEY, small int2, count int4, total int8, mass numeric, ratio float4, weight float8, active bool,
	label text, note varchar COLLATE "C", code bpchar(5), secret text COLLATE caseless, day date, seen timestamp, sent_at timestamptz,
	state sample_state, tags text[], spot point, raw bytea, attrs jsonb, log json,
	"odd ""name""" int4, _hidden int4, lab text, run int4, owner name, story text, words tsvector
);
INSERT INTO sample SELECT
	md5('sample' || i)::uuid,
	(ARRAY[-32768, 0, 32767, NULL])[1 + i % 4],
	(ARRAY[1, 2, 3, NULL])[1 + i / 2 % 4],
	(ARRAY[9223372036854775807, -9223372036854775808, NULL])[1 + i / 3 % 3],
	(ARRAY[0.1, 0.10, 'NaN', '-Infinity', 1e20, NULL])[1 + i % 6],
	(ARRAY[0.1, '-0', 0, 'NaN', 'Infinity', 1.17549435e-38, NULL]::float4[])[1 + i % 7],
	(ARRAY[0.1, 0.30000000000000004, 'NaN', '-Infinity', 5e-324, NULL]::float8[])[1 + i / 2 % 6],
	(ARRAY[true, false, NULL])[1 + i % 3],
	(ARRAY['pre', 'prefix', 'Prefix', 'fix', '', ' ', NULL])[1 + i / 2 % 7],
	(ARRAY['contains', 'a_b', 'A', E'\n', NULL])[1 + i % 5],
	(ARRAY['ab', 'ab ', 'b', NULL])[1 + i % 4],
	(ARRAY['hunter2', 'Hunter2', 'HUNTER3', NULL])[1 + i % 4],
	(ARRAY['2024-02-29', '0044-03-15 BC', 'infinity', '-infinity', NULL]::date[])[1 + i % 5],
	(ARRAY['2026-01-31 12:00:00.5', '0001-01-01 00:00', 'infinity', NULL]::timestamp[])[1 + i / 3 % 4],
	(ARRAY['2026-01-31 12:00:00.000001+00', '2026-02-01', '-infinity', NULL]::timestamptz[])[1 + i / 2 % 4],
	(ARRAY['shut', 'open', 'lost', NULL]::sample_state[])[1 + i % 4],
	(ARRAY['{a,b}', '{a,NULL}', '{}', '{"NULL","x y"}', NULL])[1 + i % 5]::text[],
	CASE WHEN i % 2 = 0 THEN point(i, i) END,
	(ARRAY['\x', '\x00ff', '\x00', NULL]::bytea[])[1 + i / 2 % 4],
	(ARRAY['{"size": 12, "sealed": true, "title": "a", "story": "red apple", "colour": "red"}', '{"size": 12.0, "sealed": false}', '{"size": "12", "a": [{"b": "x"}]}',
		'{"size": null, "story": "x y"}', '[1]', 'null', '"text"', NULL])[1 + i % 8]::jsonb,
	(ARRAY['{"level": "warn"}', '{"level": null}', '{}', NULL])[1 + i / 3 % 4]::json,
	(ARRAY[1, 3, NULL])[1 + i % 3], (ARRAY[7, NULL])[1 + i % 2],
	'a', 5 + i % 2, CASE WHEN i % 20 = 0 THEN 'bob' ELSE 'alice' END,
	(ARRAY['the red apple', 'a green apple', 'Red', '', NULL])[1 + i % 5],
	to_tsvector('simple', (ARRAY['the red apple', 'a b', '', NULL])[1 + i / 2 % 4])
FROM generate_series(1, 200) i;
