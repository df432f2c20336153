package blackbox

import (
	"net/http"
	"strings"
	"testing"
)

// A link is to the rows that were there: it keeps them when the request has others, and when
// they are too old to answer it.
func TestLinkKeepsItsRows(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: map[string]any{"batch.minFresh": "1ms"}})
	file := s.export("/item?_view=id&_sort=id")
	m := s.mint("/item?_view=id&_sort=id")
	execute(t, s.db, "UPDATE slashbatch.request SET expires = now() - interval '1 second'; INSERT INTO item (id, grp) VALUES (9, 'AB')")
	if a := s.get("/item/batch?_view=id&_sort=id&_wait=30").wantCode(t, http.StatusOK); a.body != file.body+"9\r\n" {
		t.Errorf("the request has %q", a.body)
	}
	for word, mediaType := range fileTypes {
		a := s.get(m.path()+"."+word).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", mediaType)
		if _, rows := table(t, word, a.body); len(rows) != 8 {
			t.Errorf("%s: the link has %d rows", word, len(rows))
		}
	}
	if n := s.mint("/item?_view=id&_sort=id"); s.get(n.path()).body != file.body+"9\r\n" {
		t.Error("a new link is to the older rows")
	}
}

// I-06, I-07: the token takes one link away, and nothing else.
func TestDropLink(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: users})
	file := s.export("/item?_sort=id")
	one, two := s.mint("/item?_sort=id"), s.mint("/item?_sort=id&_format=xlsx")
	for name, auth := range map[string]func(*http.Request){
		"nothing": func(*http.Request) {}, "an empty token": header("Authorization", "Bearer "), "a key by Basic": basic("alice", aliceKey), "no scheme": header("Authorization", one.Token),
	} {
		a := s.do(http.MethodDelete, one.path(), auth).wantCode(t, http.StatusUnauthorized)
		if !strings.HasPrefix(a.header.Get("WWW-Authenticate"), "Bearer") {
			t.Errorf("%s: WWW-Authenticate %q", name, a.header.Get("WWW-Authenticate"))
		}
	}
	// a wrong token is told at once, and changes nothing: not that of another link, nor
	// a key, nor the name itself, nor what the catalogue has.
	digests := query(t, s.db, "SELECT encode(token, 'hex'), encode(token, 'base64'), name FROM slashbatch.alias")
	for _, token := range []string{two.Token, aliceKey, one.path()[len("/results/"):], one.Token + "x", strings.ToLower(one.Token), digests[0][0], digests[1][0], digests[0][1]} {
		s.drop(one.path(), token).wantCode(t, http.StatusForbidden)
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		s.do(method, one.path(), bearer(one.Token)).wantCode(t, http.StatusOK) // a GET takes nothing away
	}
	// I-07: the token is nowhere but with who minted.
	for _, row := range query(t, s.db, "SELECT a::text FROM slashbatch.alias a") {
		if strings.Contains(row[0], one.Token) {
			t.Error("the catalogue has the token")
		}
	}
	a := s.drop(one.URL[len(s.url):], one.Token).wantCode(t, http.StatusNoContent)
	if a.body != "" {
		t.Errorf("body %q", a.body)
	}
	gone := s.get(one.path()).wantCode(t, http.StatusNotFound).wantHeader(t, "Cache-Control", "no-store")
	// a second time is a success, as for what never was; who shows nothing is not told.
	s.drop(one.path(), one.Token).wantCode(t, http.StatusNoContent)
	s.drop(one.path(), "any").wantCode(t, http.StatusNoContent)
	s.drop("/results/aaaaaaaaaaaaaaaaaaaaaaaaaa", "any").wantCode(t, http.StatusNoContent)
	s.do(http.MethodDelete, one.path()).wantCode(t, http.StatusUnauthorized)
	// R-035, I-06: the other link and the result live.
	s.get(two.path()).wantCode(t, http.StatusOK)
	if again := s.get("/item/batch?_sort=id").wantCode(t, http.StatusOK); again.body != file.body {
		t.Error("the result is another one")
	}
	// I-24: the expired and the unknown are answered alike.
	execute(t, s.db, "UPDATE slashbatch.alias SET expires = now() - interval '1 second' WHERE name = '"+two.path()[len("/results/"):]+"'")
	for _, path := range []string{two.path(), "/results/aaaaaaaaaaaaaaaaaaaaaaaaaa", "/results/no", "/results/%00", "/results/%2e%2e", "/results/" + strings.Repeat("a", 500)} {
		for _, target := range []string{path, path + ".csv", path + ".parquet"} {
			other := s.get(target).wantCode(t, http.StatusNotFound).wantHeader(t, "Cache-Control", "no-store")
			if decode[problem](t, other).Detail != decode[problem](t, gone).Detail {
				t.Errorf("%s: %s", target, other.body)
			}
			s.do(http.MethodHead, target).wantCode(t, http.StatusNotFound)
		}
	}
	if told := s.log.String(); strings.Contains(told, one.Token) || strings.Contains(told, one.path()[len("/results/"):]) {
		t.Error("the log tells the link or its token")
	}
}

// A link to a file that the store has lost is a link to nothing; of a file that is made from
// another it is made again.
func TestLinkToALostFile(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/item?_sort=id")
	m := s.mint("/item?_sort=id")
	first := s.get(m.path()+".ndjson").wantCode(t, http.StatusOK)
	removeStored(t, s, ".ndjson.gz")
	if again := s.get(m.path()+".ndjson").wantCode(t, http.StatusOK); again.body != first.body {
		t.Error("made again, it is another file")
	}
	removeStored(t, s, "")
	s.get(m.path()).wantCode(t, http.StatusNotFound)
	s.do(http.MethodHead, m.path()).wantCode(t, http.StatusNotFound)
	// Read again, the same rows are the same result: the link leads there once more.
	s.export("/item?_sort=id")
	s.get(m.path()).wantCode(t, http.StatusOK)
}
