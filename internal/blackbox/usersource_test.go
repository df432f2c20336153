package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// ownSchema has rows that each role sees its own of: by row-level security, by a table of
// its own on its search path, and by a grant that one of them lacks.
const ownSchema = `
CREATE TABLE parcel (id int PRIMARY KEY, owner name, label text);
ALTER TABLE parcel ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON parcel USING (owner = current_user);
GRANT SELECT ON parcel TO PUBLIC;
CREATE TABLE secret (id int PRIMARY KEY);
INSERT INTO secret VALUES (1);
`

const ownSpecs = `
name: parcels
path: /parcel
dataSource: user
scope: user
query: SELECT id, label, current_user AS who FROM parcel
key: id
---
name: mine
path: /mine
dataSource: user
scope: user
query: SELECT id FROM mine
key: id
batch: {onsuccess: "INSERT INTO mark (word) VALUES ('made')"}
---
name: secrets
path: /secret
dataSource: user
scope: user
query: SELECT id FROM secret
key: id
`

// newOwn is a service of users with roles of their own.
func newOwn(t *testing.T) site {
	t.Helper()
	w := newWorld(t)
	execute(t, w.db, ownSchema)
	for i, user := range []string{vizzuality, cartodb250} {
		role := w.roles[user]
		execute(t, w.db, fmt.Sprintf(`
			INSERT INTO parcel SELECT 10 * n + %[2]d, '%[1]s', 'of %[3]s' FROM generate_series(1, 3) AS n;
			CREATE SCHEMA %[1]s AUTHORIZATION %[1]s;
			CREATE TABLE %[1]s.mine AS SELECT %[2]d AS id; ALTER TABLE %[1]s.mine OWNER TO %[1]s;`, role, i+1, user))
	}
	// The one whose login describes the queries may read everything.
	execute(t, w.db, "GRANT SELECT ON secret TO "+w.roles[vizzuality])
	return site{start(t, setup{settings: w.settings, db: w.db, endpoints: []string{ownSpecs}}), w}
}

func key(user string) func(*http.Request) { return bearer(masterKeys[user]) }

// Each reads with their own login, by the same endpoint.
func TestUserSource(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	for i, user := range []string{vizzuality, cartodb250} {
		var want strings.Builder
		want.WriteString("id,label,who\r\n")
		for n := 1; n <= 3; n++ {
			fmt.Fprintf(&want, "%d,of %s,%s\r\n", 10*n+i+1, user, s.world.roles[user])
		}
		rows := s.get("/parcel?_format=csv", key(user)).wantCode(t, http.StatusOK)
		if rows.body != want.String() {
			t.Errorf("%s reads %q, want %q", user, rows.body, want.String())
		}
		if file := s.export("/parcel?_sort=id", key(user)); file.body != want.String() {
			t.Errorf("%s exports %q, want %q", user, file.body, want.String())
		}
		if got, want := s.get("/mine?_format=csv", key(user)).body, fmt.Sprintf("id\r\n%d\r\n", i+1); got != want {
			t.Errorf("%s reads %q from the table on the own search path, want %q", user, got, want)
		}
		// A filter, a count and a page do not look further.
		l := s.list("/parcel?_count=exact&_limit=2", key(user))
		if l.Meta.Count == nil || *l.Meta.Count != 3 || len(l.Items) != 2 {
			t.Errorf("%s: count %v", user, l.Meta.Count)
		}
		if rest := s.list(l.Meta.Next, key(user)); len(rest.Items) != 1 || rest.Meta.Next != "" {
			t.Errorf("%s: the next page has %v", user, rest.ids())
		}
		if other := s.list(fmt.Sprintf("/parcel?id=%d", 10+2-i), key(user)); len(other.Items) != 0 {
			t.Errorf("%s reads a row of the other: %v", user, other.ids())
		}
		for _, a := range []answer{rows, s.get("/parcel/batch?_sort=id", key(user))} {
			if !strings.Contains(a.header.Get("Cache-Control"), "private") || !strings.Contains(strings.Join(a.header.Values("Vary"), ","), "Authorization") {
				t.Errorf("Cache-Control %q, Vary %q", a.header.Get("Cache-Control"), a.header.Values("Vary"))
			}
		}
	}
	// The file's steps run as its asker, too.
	s.export("/mine", key(cartodb250))
	s.eventually("the step has run", func() bool { return s.marks() != "" })
	if got := query(t, s.db, "SELECT who, word FROM mark"); len(got) != 1 || got[0][0] != s.world.roles[cartodb250] {
		t.Errorf("marks %v", got)
	}
}

// Nobody gets, sees or learns of another's file.
func TestUserSourceFilesAreOwn(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	mine, other := key(vizzuality), key(cartodb250)
	to := s.post("/parcel/batch", mine).location(t)
	done := s.await("Completed", "/parcel/batch/status", mine)
	d := s.status("/parcel/batch/status", other)
	d.answer.wantCode(t, http.StatusNotFound)
	if d.Status != "Unknown" || d.Key == done.Key || d.ID != "" || d.Rows != nil || strings.Contains(d.answer.body, done.SHA256) {
		t.Errorf("the other is told %s", d.answer.body)
	}
	s.do(http.MethodHead, "/parcel/batch", other).wantCode(t, http.StatusNotFound)
	// Nor by the job's id.
	if d := s.status("/parcel/batch/status?_job="+done.ID, other); d.Status != "Unknown" || d.ID != "" {
		t.Errorf("by its id the other is told %s", d.answer.body)
	}
	s.do(http.MethodDelete, "/parcel/batch?_job="+done.ID, other).wantCode(t, http.StatusNotFound)
	for _, target := range []string{to, "/parcel", "/parcel/batch", "/parcel/batch/status", "/parcel/batch?_job=" + done.ID} {
		s.get(target).wantCode(t, http.StatusUnauthorized)
	}
	theirs := s.get("/parcel/batch?_wait=30", other).wantCode(t, http.StatusOK)
	if own := s.get("/parcel/batch", mine).wantCode(t, http.StatusOK); own.body == theirs.body || own.header.Get("ETag") == theirs.header.Get("ETag") {
		t.Error("both get one file")
	}
	s.get("/parcel/batch", other, header("If-None-Match", s.get("/parcel/batch", mine).header.Get("ETag"))).wantCode(t, http.StatusOK)
}

// What a login may not read is an error and no rows; a user without a login is not let in.
func TestUserSourceRefused(t *testing.T) {
	t.Parallel()
	s := newOwn(t)
	s.get("/secret", key(vizzuality)).wantCode(t, http.StatusOK)
	if a := s.get("/secret", key(cartodb250)); a.code < 400 || strings.Contains(a.body, "items") {
		t.Errorf("without the grant: %d %s", a.code, clip(a.body))
	}
	s.post("/secret/batch", key(cartodb250)).wantCode(t, http.StatusSeeOther)
	if d := s.await("Failed", "/secret/batch/status", key(cartodb250)); d.Error == "" || d.URL != "" {
		t.Errorf("the export says %q, url %q", d.Error, d.URL)
	}
	if s.log.count("export failed", "permission denied") == 0 {
		t.Error("the log does not tell the reason")
	}
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		p := decode[problem](t, s.do(method, "/parcel/batch", key(reader)).wantCode(t, http.StatusForbidden))
		if !strings.Contains(p.Detail, "data source") {
			t.Errorf("%s: %q does not say what is missing", method, p.Detail)
		}
	}
	s.get("/parcel", key(reader)).wantCode(t, http.StatusForbidden).wantHeader(t, "Cache-Control", "no-store")
	if d := s.get("/parcel/batch/status", key(reader)); d.code != http.StatusForbidden && d.code != http.StatusNotFound {
		t.Errorf("the status is answered %d", d.code)
	}
	// No credential and no role of anybody is told.
	if n := s.log.count(s.world.password); n > 0 {
		t.Error("the log has the password")
	}
}
