package blackbox

import (
	"context"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// schema is the sample table: ordinary rows, and every value that has gone
// wrong in somebody's export.
const schema = `
CREATE TABLE item (
	id int PRIMARY KEY, grp text NOT NULL, label text, mass numeric, size int, ratio float8, ok bool,
	day date, at timestamptz, local timestamp, ref uuid, attrs jsonb, tags text[], raw bytea
);
INSERT INTO item VALUES
	(1, 'AB', 'plain', 12.50, 7, 0.1, true, '2026-01-31', '2026-01-31 13:00:00.5+01', '2026-01-31 12:00:00',
	 '123e4567-e89b-12d3-a456-426614174000', '{"colour": "red", "n": 10, "deep": {"a": 1}}', '{a,b}', '\xdeadbeef'),
	(2, 'AB', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(3, 'AB', '', 0, 0, 0, false, '0044-03-15 BC', '-infinity', 'infinity', NULL, '{}', '{}', ''),
	(4, 'CD', E'a,"b"\r\nc', 12345678901234567890.12345678901234567890, -2147483648, 'NaN', true, '2024-02-29',
	 '1999-12-31 23:59:59.999999+00', '1999-12-31 23:59:59.999999', NULL, '[1, "x", null]', '{"with \"quote\"",NULL,"NULL"}', '\x00'),
	(5, 'CD', '=1+1', 'NaN', 2147483647, 'Infinity', false, 'infinity', '10000-01-01 00:00:00+00', '0001-01-01 00:00:00',
	 NULL, '"text"', '{{1,2},{3,4}}', NULL),
	(6, 'E/F', 'grüße 🚚 ''quoted''', 1, 1, 1e100, true, '2026-02-01', '2026-02-01 00:00:00+00', NULL, NULL, 'null', NULL, NULL),
	(7, 'batch', '\.', 2, 2, 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	(8, 'XY', 'last', 3, 3, 3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE divisor (id int PRIMARY KEY, by int);
INSERT INTO divisor VALUES (1, 1), (2, 0);
CREATE TABLE step_log (id serial, step text, job text, row_count text, message text);`

// specs are the endpoints that every service here has.
const specs = `
name: items
path: /item
query: SELECT id, grp, label, mass, size, ratio, ok, day, at, local, ref, attrs, tags, raw FROM item
key: id
properties:
  mass: {type: numeric, description: grams}
  raw: {sortable: false}
views:
  default: [id, label, mass]
  wide: [id, grp, label, mass, size, ratio, ok, day, at, local, ref, attrs, tags, raw]
  id: [id]
softLimit: 3
hardLimit: 5
maxAge: 30s
batch: {dataSource: batch, estimate: 2000}
---
name: group
path: /group/{grp}/item
query: SELECT id, grp, label, mass FROM item WHERE grp = {grp}
key: id
pathParameters:
  grp: {type: string, pattern: '^[A-Z]{2}$'}
batch: {dataSource: batch, estimate: 2000}
---
name: of-group
path: /of-group/{grp}
query: SELECT id, grp FROM item WHERE grp = {grp}
key: id
---
name: broken
path: /broken
query: SELECT id, 10 / by AS tenth FROM divisor
key: id
batch:
  onerror: "INSERT INTO step_log (step, job, message) VALUES ('onerror', current_setting('batch.job_id'), current_setting('batch.error_message'))"
---
name: logged
path: /logged
query: SELECT id FROM item
key: id
batch:
  onsuccess: "INSERT INTO step_log (step, job, row_count) VALUES ('onsuccess', current_setting('batch.job_id'), current_setting('batch.row_count'))"
---
name: gated
path: /gated
query: SELECT i.id, i.label FROM (SELECT pg_advisory_xact_lock_shared(42) OFFSET 0) AS gate, item AS i
key: id
softLimit: 3
batch: {dataSource: batch, estimate: 60000}
---
name: no-twin
path: /no-twin
query: SELECT id FROM item
key: id
batch: {enabled: false}
---
name: big
path: /big
query: SELECT n AS id, md5(n::text) AS digest FROM generate_series(1, 150000) AS n
key: id
---
name: inside
path: /inside
query: SELECT id FROM item
key: id
access: authenticated
---
name: alices
path: /alices
query: SELECT id FROM item
key: id
access: [alice]
---
name: own
path: /own
query: SELECT 1 AS id, {_user} AS who
key: id
scope: user
`

// execute runs statements on a database.
func execute(t *testing.T, db, sql string) {
	t.Helper()
	conn := connect(t, db)
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}

// query returns the rows of a query as text.
func query(t *testing.T, db, sql string) [][]string {
	t.Helper()
	conn := connect(t, db)
	defer conn.Close(context.Background())
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, row := range results[len(results)-1].Rows {
		var texts []string
		for _, value := range row {
			texts = append(texts, string(value))
		}
		rows = append(rows, texts)
	}
	return rows
}

func connect(t *testing.T, db string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), db)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// shut closes the gate of the endpoint "gated": its query waits until open is called.
func shut(t *testing.T, db string) (open func()) {
	t.Helper()
	conn := connect(t, db)
	if _, err := conn.Exec(t.Context(), "SELECT pg_advisory_lock(42)").ReadAll(); err != nil {
		t.Fatal(err)
	}
	open = sync.OnceFunc(func() { conn.Close(context.Background()) })
	t.Cleanup(open)
	return open
}

// line is a TCP connection to a database that can be cut.
type line struct {
	target string
	mu     sync.Mutex
	isCut  bool
	open   map[net.Conn]bool
}

// newLine returns a line to the database and the URL that leads through it.
func newLine(t *testing.T, db string) (*line, string) {
	t.Helper()
	u, err := url.Parse(db)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &line{target: u.Host, open: map[net.Conn]bool{}}
	t.Cleanup(func() { listener.Close(); l.cut() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	u.Host = listener.Addr().String()
	return l, u.String()
}

func (l *line) carry(near net.Conn) {
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		near.Close()
		return
	}
	l.mu.Lock()
	if l.isCut {
		near.Close()
		far.Close()
	}
	l.open[near], l.open[far] = true, true
	l.mu.Unlock()
	go func() { io.Copy(far, near); far.Close(); near.Close() }()
	io.Copy(near, far)
	near.Close()
	far.Close()
}

// cut ends all connections and lets no new one through until mend.
func (l *line) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = true
	for conn := range l.open {
		conn.Close()
	}
	clear(l.open)
}

func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}
