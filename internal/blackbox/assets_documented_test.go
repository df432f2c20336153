package blackbox

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// What the documentation says beside upstream's cases.

func TestCustomers(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	a := s.get(o.path(""), bearer(rootKey)).wantCode(t, http.StatusOK)
	if strings.Contains(a.body, o.key) || !strings.Contains(a.body, o.name) {
		t.Errorf("the customer is %s", a.body)
	}
	if n := o.value("SELECT count(*) FROM slashbatch.customer c WHERE c::text LIKE '%%%s%%'", o.key); n != "0" {
		t.Error("the key is stored")
	}
	s.post("/customers", bearer(rootKey), jsonBody(`{"name": "`+o.name+`"}`)).wantHydra(t, http.StatusConflict)
	for _, body := range []string{"", "{}", `{"name": ""}`, `{"name": 7}`} {
		s.post("/customers", bearer(rootKey), jsonBody(body)).wantHydra(t, http.StatusBadRequest)
	}
	s.get("/customers/2147483646", bearer(rootKey)).wantHydra(t, http.StatusNotFound)
	if first, second := o.space("maps"), o.space("prints"); first != 1 || second != 2 {
		t.Errorf("the spaces are %d and %d", first, second)
	}
	o.post("/spaces", `{"name": "maps"}`).wantHydra(t, http.StatusConflict)
	o.wantTotal("/spaces", 2, 2)

	// A configured user stands for a customer.
	const key = "the curator's"
	users := append([]any{}, assetSettings()["auth.users"].([]any)...)
	users = append(users, map[string]any{"name": "curator", "customer": o.id, "keys": []any{map[string]any{"sha256": digest(key)}}})
	other := s.newOwner(t)
	second := start(t, setup{db: s.db, settings: map[string]any{"auth.users": users}})
	second.get(o.path("/queue"), bearer(key)).wantCode(t, http.StatusOK)
	second.get(other.path("/queue"), bearer(key)).wantCode(t, http.StatusUnauthorized)
}

func TestAssetsAsCSV(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	post := func(queue, text string) answer {
		t.Helper()
		return s.post(o.path(queue), bearer(o.key), header("Content-Type", "text/csv"), content(text))
	}
	b := decode[batch](t, post("/queue", "id,space,origin,mediaType,string1,number1,tags,manifests\r\n"+
		"a,1,https://example.org/a,image/jpeg,\"x, y\",9007199254740993,\"one,two\",m\r\n,1,https://example.org/b,image/jpeg,,,,\r\n").wantCode(t, http.StatusCreated))
	if b.Count != 2 {
		t.Errorf("count %d, want 2", b.Count)
	}
	x := o.asset(1, "a")
	if x["string1"] != "x, y" || fmt.Sprint(x["tags"]) != "[one two]" || fmt.Sprint(x["manifests"]) != "[m]" {
		t.Errorf("the asset is %v", x)
	}
	if n := o.value("SELECT number1 FROM slashbatch.asset WHERE id = '%d/1/a'", o.id); n != "9007199254740993" {
		t.Errorf("number1 is %s", n)
	}
	for text, reason := range map[string]string{
		"id,space,origin,mediaType\r\n": "Members cannot be empty",
		"":                              "",
		"id,space,origin,mediaType\r\na,x,https://example.org,image/jpeg\r\n":         "space",
		"id,space,origin,mediaType,width\r\na,1,https://example.org,image/jpeg,7\r\n": "width",
		"id,space,origin\r\na,1,https://example.org\r\n":                              "Media type must be specified",
		"id,space,origin,mediaType\r\n\"a,1\r\n":                                      "",
	} {
		a := post("/queue", text)
		if a.wantHydra(t, http.StatusBadRequest); !strings.Contains(a.body, reason) {
			t.Errorf("%q: the reason is %s, want %q in it", text, a.body, reason)
		}
	}
	o.wantBatches("/queue/batches", b.ID)
}

func TestRepeatedPost(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o, other := s.newOwner(t), s.newOwner(t)
	o.space("s")
	other.space("s")
	post := func(o *owner, id string) answer {
		return s.post(o.path("/queue"), bearer(o.key), header("Idempotency-Key", "one"), jsonOf(t, members(image(1, id))))
	}
	first := post(o, "a").wantCode(t, http.StatusCreated)
	o.done(decode[batch](t, first).ID, 1, "a")
	again := post(o, "a").wantCode(t, http.StatusCreated)
	if again.header.Get("Location") != first.header.Get("Location") || decode[batch](t, again).ID != decode[batch](t, first).ID {
		t.Errorf("answered %s, then %s", first.body, again.body)
	}
	post(o, "b").wantHydra(t, http.StatusUnprocessableEntity)
	post(other, "b").wantCode(t, http.StatusCreated)
	o.wantBatches("/queue/batches", decode[batch](t, first).ID)
}

func TestRetryOfFailedMembers(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	old := o.ingest(image(1, "a"), image(1, "b"), image(1, "c")).ID
	o.done(old, 1, "a")
	for _, key := range []string{"b", "c"} {
		o.outcome(old, 1, key, "error", "broken").wantCode(t, http.StatusOK)
	}
	before := o.batch(old)
	b := decode[batch](t, o.post(at(old, "/retry")).wantCode(t, http.StatusCreated))
	if b.ID == old || b.RetryOf != old || b.Count != 2 || b.Completed+b.Errors != 0 {
		t.Errorf("the new batch is %+v", b)
	}
	o.wantKeys(at(b.ID, "/assets"), "b", "c")
	o.done(b.ID, 1, "b", "c")
	o.wantCounts(b.ID, 2, 2, 0, true)
	if after := o.batch(old); after != before {
		t.Errorf("the old one is %+v, was %+v", after, before)
	}
	for _, key := range []string{"b", "c"} {
		o.wantMember(old, key, "error", "broken")
	}
}

// Exports of lists have the members' names as columns, no links, and hold until something
// happens to the batch.
func TestExportsOfLists(t *testing.T) {
	t.Parallel()
	s := startAssets(t, map[string]any{"batch.minFresh": "1ms"})
	o := s.newOwner(t)
	o.space("s")
	id := o.ingest(image(1, "a", "string1", "x"), image(1, "b", "string1", "y")).ID
	o.outcome(id, 1, "b", "error", "no such file").wantCode(t, http.StatusOK)
	file := func(request string) (answer, []map[string]string) {
		t.Helper()
		a := o.get(twin(request)+map[bool]string{true: "&", false: "?"}[strings.Contains(request, "?")]+"_wait=30").wantCode(t, http.StatusOK)
		lines, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var rows []map[string]string
		for _, line := range lines[1:] {
			row := map[string]string{}
			for i, name := range lines[0] {
				row[name] = line[i]
			}
			rows = append(rows, row)
		}
		slices.SortFunc(rows, func(a, b map[string]string) int { return strings.Compare(a["id"], b["id"]) })
		return a, rows
	}
	first, rows := file(at(id, "/assets"))
	if len(rows) != 2 || rows[0]["id"] != "a" || rows[0]["status"] != "waiting" || rows[1]["error"] != "no such file" || rows[1]["string1"] != "y" {
		t.Fatalf("the export is\n%s", first.body)
	}
	if _, link := rows[0]["@id"]; link {
		t.Errorf("the export has links\n%s", first.body)
	}
	if _, rows := file(at(id, "/assets?status=error")); len(rows) != 1 || rows[0]["id"] != "b" {
		t.Errorf("the members in error are %v", rows)
	}
	for request, want := range map[string]int{
		"/spaces": 1, "/spaces/1/images": 2, "/queue/batches": 1, "/queue/active": 1, "/queue/recent": 0, at(id, "/images"): 2, "/spaces/1/images/a/batches": 1, "/namedQueries": 0,
	} {
		if a, rows := file(request); len(rows) != want || !strings.Contains(a.body, ",") {
			t.Errorf("%s: %d rows, want %d\n%s", request, len(rows), want, a.body)
		}
	}
	if again, _ := file(at(id, "/assets")); again.header.Get("ETag") != first.header.Get("ETag") {
		t.Error("it was exported again although nothing has happened")
	}
	o.done(id, 1, "a")
	if a, rows := file(at(id, "/assets")); rows[0]["status"] != "completed" || rows[0]["finished"] == "" {
		t.Errorf("the export after the outcome is\n%s", a.body)
	}
}

func TestPrunedBatchIsTold(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	id, whole := o.ingest(image(1, "a"), image(1, "b")).ID, o.ingest(image(1, "c")).ID
	o.done(id, 1, "a", "b")
	o.named("q", "batch=p1")
	o.wantIDs(fmt.Sprint("q/", id), "1/a", "1/b")
	execute(t, s.db, fmt.Sprintf("DELETE FROM slashbatch.batch_asset WHERE batch_id = %d AND asset_id LIKE '%%/a'; UPDATE slashbatch.batch SET pruned_at = now(), pruned_count = 1, revision = revision + 1 WHERE id = %[1]d", id))
	if b := o.wantCounts(id, 2, 2, 0, true); b.PrunedCount != 1 {
		t.Errorf("the batch is %+v", b)
	}
	if a := o.get(at(id, "/assets")).wantCode(t, http.StatusOK); !strings.Contains(a.body, "prunedAt") || !strings.Contains(a.body, "prunedCount") {
		t.Errorf("the list does not tell: %s", a.body)
	}
	o.run(fmt.Sprint("q/", id)).wantCode(t, http.StatusGone)
	o.run(fmt.Sprintf("q/%d,%d", whole, id)).wantCode(t, http.StatusGone)
	o.wantIDs(fmt.Sprint("q/", whole), "1/c")
	// It is nothing to another customer.
	other := s.newOwner(t)
	other.named("q", "batch=p1")
	other.wantIDs(fmt.Sprint("q/", id))
}
