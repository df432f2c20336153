-- Sample data for "slashbatch demo" and docker compose: 1,200,000 packages on 30
-- streams, 51,840 readings of 12 weather stations, and the log that a finished
-- export writes to. For an empty database in UTF-8.
--
-- Everything is computed from row numbers by hash functions, so each run makes
-- the same rows, in every version of PostgreSQL (its own hash partitions rely on
-- these functions staying as they are). Indexes come after the rows, which is
-- the faster order.

SET client_encoding = 'UTF8';
SET maintenance_work_mem = '256MB';
SET jit = off;

-- One transaction, in which the tables are new: with wal_level=minimal, as in
-- the demo, their rows are then not written to the log as well.
BEGIN;

CREATE TABLE package (
    id      bigint         NOT NULL,
    stream  text           NOT NULL,
    label   text           NOT NULL,
    mass    numeric(10, 2) NOT NULL,
    fragile boolean        NOT NULL,
    sent_at timestamptz    NOT NULL,
    note    text
);
COMMENT ON TABLE  package      IS 'Packages sent, in the order of their sending.';
COMMENT ON COLUMN package.mass IS 'Grams.';
COMMENT ON COLUMN package.note IS 'What the sender wrote; NULL when nothing was written.';

-- A package's stream is where its hash falls among 4096 lots. The streams have
-- from 1 to 1000 of them, so the smallest has a few hundred rows, the largest
-- almost 300,000.
INSERT INTO package
WITH stream (name, lots) AS (VALUES
    ('AB-01', 410), ('AB-02', 205), ('AB-03', 41), ('AC-01', 300), ('AC-02', 120),
    ('AD-01', 1000), ('AD-02', 610), ('AD-03', 9), ('BA-01', 250), ('BA-02', 3),
    ('BC-11', 180), ('BC-12', 150), ('BC-13', 100), ('CA-01', 90), ('CA-07', 80),
    ('DE-01', 75), ('DE-02', 70), ('DE-03', 65), ('EX-01', 60), ('EX-02', 55),
    ('FR-01', 50), ('FR-05', 40), ('GB-01', 35), ('GB-02', 30), ('NO-01', 25),
    ('NO-02', 20), ('PT-01', 12), ('QA-01', 6), ('ZZ-98', 4), ('ZZ-99', 1)
), streams (names, starts) AS (
    SELECT array_agg(name), array_agg(start)
    FROM (SELECT name, sum(lots) OVER (ORDER BY name) - lots AS start FROM stream ORDER BY name) AS s
), number (i, h) AS (
    SELECT i, hashint8extended(i, 0) FROM (SELECT generate_series(1, 1200000) AS i) AS s OFFSET 0 -- h once per row
), texts (notes) AS (VALUES (ARRAY[
    'leave at the door',
    'handle with care, this side up',
    'ask for "the red box"',
    E'ring twice,\nthen wait',
    E'first floor\r\nleft door',
    'für Jörg, Straße 5 – bitte klingeln',
    '東京都千代田区 1-1',
    'glass 🥂, do not stack',
    '=SUM(A1:A9) was on the slip',
    ' two spaces  inside and one before',
    E'tab\tseparated; semicolon; \\backslash',
    ''
]))
SELECT i,
       streams.names[width_bucket(h & 4095, streams.starts)],
       (ARRAY['letter', 'parcel', 'crate', 'pallet', 'tube', 'envelope', 'box', 'sack'])[1 + (h >> 12 & 7)] || ' ' || i,
       (2000 + (h >> 15 & 2047) * (h >> 26 & 1023))::numeric / 100,
       (h >> 36 & 15) = 0,
       to_timestamp(1704067200 + i * 50 + (h >> 40 & 31)),
       CASE WHEN (h >> 45 & 3) = 0 THEN texts.notes[1 + (h >> 47 & 1023) % 12] END
FROM number, streams, texts;

ALTER TABLE package ADD PRIMARY KEY (id);
CREATE INDEX package_stream_id ON package (stream, id);

CREATE TABLE reading (
    id       bigint           NOT NULL,
    station  text             NOT NULL,
    taken_at timestamptz      NOT NULL,
    value    double precision,
    details  jsonb            NOT NULL
);
COMMENT ON TABLE  reading       IS 'Temperatures, every ten minutes for thirty days.';
COMMENT ON COLUMN reading.value IS 'Degrees Celsius; NULL when the sensor did not answer.';

-- Ten degrees, up and down by the hour of the day, more to the south, and a
-- little of chance: whole hundredths, so that no rounding depends on a machine.
INSERT INTO reading
SELECT i,
       'ST-' || to_char(1 + i % 12, 'FM00'),
       to_timestamp(1717200000 + i / 12 * 600),
       CASE WHEN h & 255 > 0 THEN (1000 + 60 * (i % 12) - 4 * abs(i / 12 % 144 - 84) * 2 + (h >> 8 & 127)) / 100.0 END,
       jsonb_build_object('battery', 100 - (i / 12) % 61, 'sensor', 'T' || 1 + i % 3)
FROM generate_series(0, 51839) AS i, LATERAL hashint8extended(i, 1) AS h;

ALTER TABLE reading ADD PRIMARY KEY (id);
CREATE INDEX reading_station_taken_at ON reading (station, taken_at);

-- Written by the onsuccess and onerror of the packages endpoint.
CREATE TABLE export_log (
    job_id     text        NOT NULL,
    row_count  bigint,
    result_url text,
    error      text,
    written_at timestamptz NOT NULL DEFAULT now()
);

COMMIT;

ANALYZE package, reading;
