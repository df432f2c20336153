package blackbox

import (
	"net/http"
	"testing"
)

// Other sites' pages have no links made in their visitors' names; programs may.
func TestForeignPagesMintNothing(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	s.export("/item")
	for name, foreign := range map[string]func(*http.Request){
		"another origin":   header("Origin", "https://evil.example"),
		"an opaque origin": header("Origin", "null"),
		"another site":     header("Sec-Fetch-Site", "cross-site"),
		"a sibling":        header("Sec-Fetch-Site", "same-site"),
	} {
		if a := s.post("/item/batch/links", foreign, form("")); a.code != http.StatusForbidden {
			t.Errorf("%s: answered %d", name, a.code)
		}
	}
	if n := query(t, s.db, "SELECT count(*) FROM slashbatch.alias")[0][0]; n != "0" {
		t.Errorf("%s links were made", n)
	}
	s.post("/item/batch/links", form("_format=json"), header("Origin", s.url)).wantCode(t, http.StatusCreated)
	s.post("/item/batch/links", header("Sec-Fetch-Site", "same-origin")).wantCode(t, http.StatusCreated)
	s.post("/item/batch/links", jsonBody(`{"_format": "json"}`)).wantCode(t, http.StatusCreated)
}

const linkSpecs = `
name: no-links
path: /no-links
query: SELECT id FROM item
key: id
batch: {links: false}
---
name: own-linked
path: /own-linked
query: SELECT 1 AS id, {_user} AS who
key: id
scope: user
batch: {links: true}
---
name: same
path: /same
query: SELECT id, label FROM item WHERE {_user} <> ''
key: id
scope: user
`

// Where an endpoint gives out no links there are none, which is so for users' own rows.
func TestNoLinks(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{linkSpecs}, settings: users})
	alice := bearer(aliceKey)
	s.export("/no-links", alice)
	s.export("/own", alice)
	s.post("/no-links/batch/links", alice).wantCode(t, http.StatusNotFound)
	s.post("/own/batch/links", alice).wantCode(t, http.StatusNotFound)
	s.post("/own/batch/links", bearer(bobKey)).wantCode(t, http.StatusNotFound)
	s.post("/no-twin/batch/links").wantCode(t, http.StatusNotFound)
	// Unless the endpoint says so: then it is each user's own to pass on.
	s.export("/own-linked", alice)
	s.post("/own-linked/batch/links", bearer(bobKey)).wantCode(t, http.StatusConflict)
	if a := s.get(s.mint("/own-linked", alice).path()).wantCode(t, http.StatusOK); a.body != "id,who\r\n1,alice\r\n" {
		t.Errorf("the link leads to %q", a.body)
	}
}

// I-02: the same rows of two users are two results, which say nothing of each other; the same
// rows of a shared endpoint are one, under whatever name.
func TestResultsOfOwners(t *testing.T) {
	t.Parallel()
	s := start(t, setup{endpoints: []string{linkSpecs}, settings: users})
	alice, bob := bearer(aliceKey), bearer(bobKey)
	const request = "/same?_sort=id"
	mine := s.waited(request, "parquet", alice)
	if d := s.status(statusOf(request)+"&_format=parquet", bob); d.Status != "Unknown" {
		t.Errorf("bob sees %s of alice's file", d.Status)
	}
	for _, word := range []string{"csv", "parquet"} {
		s.do(http.MethodHead, twin(request)+"&_format="+word, bob).wantCode(t, http.StatusNotFound)
	}
	// His rows are read for him, and his file made for him: nothing is there sooner.
	before := stored(t, s, ".csv.gz") + stored(t, s, ".parquet")
	his := s.waited(request, "parquet", bob)
	if after := stored(t, s, ".csv.gz") + stored(t, s, ".parquet"); before != 2 || after != 4 {
		t.Errorf("%d files, then %d; want 2 and 4", before, after)
	}
	if his.header.Get("ETag") == mine.header.Get("ETag") {
		t.Error("their ETags are one")
	}
	if n := query(t, s.db, "SELECT count(*), count(DISTINCT owner), count(DISTINCT digest) FROM slashbatch.result")[0]; n[0] != "2" || n[1] != "2" || n[2] != "2" {
		t.Errorf("results, owners, digests: %v", n)
	}

	s.export("/item?_sort=id&_view=id", alice)
	s.export("/item?_sort=id&_view=id&min-id=0", bob)
	if n := query(t, s.db, "SELECT count(*), count(DISTINCT q.key) FROM slashbatch.request q JOIN slashbatch.result r ON r.id = q.result WHERE r.owner = 'shared' GROUP BY r.id"); len(n) != 1 || n[0][0] != "2" {
		t.Errorf("shared results and their requests: %v", n)
	}
}
