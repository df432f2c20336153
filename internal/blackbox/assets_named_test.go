package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// namedQuery is a named query as it is answered.
type namedQuery struct {
	URL            string `json:"@id"`
	Type           string `json:"@type"`
	Name, Template string
	Global         bool
}

// read reads a named query by its URL.
func (o *owner) read(to string) namedQuery {
	o.t.Helper()
	return decode[namedQuery](o.t, o.s.get(to, bearer(o.key)).wantCode(o.t, http.StatusOK))
}

// globalQuery writes a global named query of the customer into the catalogue, and returns its id.
func (o *owner) globalQuery(name, template string) string {
	o.t.Helper()
	return o.value("INSERT INTO slashbatch.named_query (id, customer, name, global, template) VALUES (gen_random_uuid(), %d, '%s', true, '%s') RETURNING id", o.id, name, template)
}

func TestNamedQueries(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	const unknown = "/namedQueries/00000000-0000-0000-0000-000000000000"
	// change and drop are by URL, as the answers give it.
	change := func(o *owner, to, body string) answer {
		o.t.Helper()
		return o.s.do(http.MethodPut, to, bearer(o.key), jsonBody(body))
	}
	drop := func(o *owner, to string) answer { o.t.Helper(); return o.s.do(http.MethodDelete, to, bearer(o.key)) }

	t.Run("P-128 Get", func(t *testing.T) {
		o := s.newOwner(t)
		to := o.named("mine", "space=p1")
		if q := o.read(to); q.Name != "mine" || q.Template != "space=p1" || q.Global || q.Type != "vocab:NamedQuery" || q.URL != s.url+to {
			t.Errorf("the query is %+v", q)
		}
		o.get(unknown).wantHydra(t, http.StatusNotFound)
		o.get("/namedQueries/x").wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-129 Delete", func(t *testing.T) {
		o := s.newOwner(t)
		to := o.named("mine", "space=p1")
		drop(o, to).wantCode(t, http.StatusNoContent)
		o.s.get(to, bearer(o.key)).wantHydra(t, http.StatusNotFound)
		o.run("mine/1").wantCode(t, http.StatusNotFound)
	})
	t.Run("P-130 OwnAndGlobal", func(t *testing.T) {
		o, other := s.newOwner(t), s.newOwner(t)
		o.named("mine", "space=p1")
		other.named("private", "space=p1")
		name := "global-" + other.name
		other.globalQuery(name, "space=p1")
		t.Cleanup(func() { executeLate(t, s.db, "DELETE FROM slashbatch.named_query WHERE global") })
		got := map[string]bool{}
		list := decode[collection[namedQuery]](t, o.get("/namedQueries").wantCode(t, http.StatusOK))
		for _, q := range list.Member {
			got[q.Name] = q.Global
		}
		if global, ok := got[name]; len(got) != 2 || list.TotalItems != 2 || !ok || !global || got["mine"] {
			t.Errorf("the list is %v, of %d", got, list.TotalItems)
		}
	})
	t.Run("P-131 Create", func(t *testing.T) {
		o := s.newOwner(t)
		o.named("namedQueryTest", "test")
		if got := o.value("SELECT name || ' ' || global || ' ' || template FROM slashbatch.named_query WHERE customer = %d", o.id); got != "namedQueryTest false test" {
			t.Errorf("stored as %q", got)
		}
	})
	t.Run("P-132 GlobalByNonAdmin", func(t *testing.T) {
		o := s.newOwner(t)
		for _, global := range []string{`"true"`, "true"} {
			o.post("/namedQueries", `{"name": "x", "template": "space=p1", "global": `+global+`}`).wantHydra(t, http.StatusForbidden)
		}
		if n := o.value("SELECT count(*) FROM slashbatch.named_query WHERE customer = %d", o.id); n != "0" {
			t.Errorf("%s stored", n)
		}
	})
	t.Run("P-133 Change", func(t *testing.T) {
		o := s.newOwner(t)
		to := o.named("mine", "test")
		change(o, to, `{"template": "test-2"}`).wantCode(t, http.StatusOK)
		if got := o.value("SELECT name || ' ' || template FROM slashbatch.named_query WHERE customer = %d", o.id); got != "mine test-2" {
			t.Errorf("stored as %q", got)
		}
	})
	t.Run("P-134 ChangeUnknown", func(t *testing.T) {
		o := s.newOwner(t)
		o.do(http.MethodPut, unknown, `{"template": "test-2"}`).wantHydra(t, http.StatusNotFound)
	})
	t.Run("P-135 MadeGlobalByNonAdmin", func(t *testing.T) {
		o := s.newOwner(t)
		to := o.named("mine", "test")
		change(o, to, `{"template": "test-3", "global": "true"}`).wantHydra(t, http.StatusForbidden)
		if q := o.read(to); q.Global || q.Template != "test" {
			t.Errorf("the query is %+v", q)
		}
	})
	t.Run("P-136 Checks", func(t *testing.T) {
		o := s.newOwner(t)
		to := o.named("mine", "test")
		for body, reason := range map[string]string{
			`{"@id": "https://example.org/x", "name": "x", "template": "test"}`: "",
			`{"id": "x", "name": "x", "template": "test"}`:                      "",
			`{"customer": 7, "name": "x", "template": "test"}`:                  "",
			`{"template": "test"}`:                                              "A name is required",
			`{"name": "x"}`:                                                     "A template is required",
			`{}`:                                                                "A template is required",
			`[]`:                                                                "",
			`{"name": 7, "template": []}`:                                       "",
			``:                                                                  "",
		} {
			o.post("/namedQueries", body).wantHydra(t, http.StatusBadRequest, reason)
		}
		change(o, to, `{}`).wantHydra(t, http.StatusBadRequest, "A template is required")
		change(o, to, `{"@id": "https://example.org/x", "template": "test"}`).wantHydra(t, http.StatusBadRequest)
	})
	t.Run("P-137 TwiceAndOthers", func(t *testing.T) {
		o, other := s.newOwner(t), s.newOwner(t)
		to := o.named("mine", "test")
		o.post("/namedQueries", `{"name": "mine", "template": "space=1"}`).wantHydra(t, http.StatusConflict)
		change(o, to, `{"name": "yours", "template": "test"}`).wantHydra(t, http.StatusBadRequest, "You cannot change the name of a named query")
		// Another customer's, and a global one of another, are not there to be changed.
		id := to[strings.LastIndex(to, "/")+1:]
		global := o.globalQuery("global-"+o.name, "space=p1")
		t.Cleanup(func() { executeLate(t, s.db, "DELETE FROM slashbatch.named_query WHERE global") })
		for _, id := range []string{id, global} {
			other.do(http.MethodDelete, "/namedQueries/"+id).wantHydra(t, http.StatusNotFound)
			other.do(http.MethodPut, "/namedQueries/"+id, `{"template": "space=2"}`).wantHydra(t, http.StatusNotFound)
		}
		other.get("/namedQueries/"+id).wantHydra(t, http.StatusNotFound)
		other.get("/namedQueries/"+global).wantCode(t, http.StatusOK)
		drop(o, to).wantCode(t, http.StatusNoContent)
		drop(o, to).wantHydra(t, http.StatusNotFound)
		other.named("mine", "test")
	})
	t.Run("P-138 RunWhenChanged", func(t *testing.T) {
		o := s.newOwner(t)
		o.space("s")
		o.ingest(image(1, "a", "string1", "x"), image(1, "b", "string1", "y"))
		to := o.named("report", "s1=x")
		for range 20 {
			o.wantIDs("report", "1/a")
			change(o, to, `{"template": "s1=y"}`).wantCode(t, http.StatusOK)
			o.wantIDs("report", "1/b")
			change(o, to, `{"template": "s1=x"}`).wantCode(t, http.StatusOK)
		}
		// The twin too: the template is part of what an export is of.
		file := o.s.get(fmt.Sprintf("/raw-resource/%d/report/batch?_wait=30", o.id), bearer(o.key)).wantCode(t, http.StatusOK)
		change(o, to, `{"template": "s1=y"}`).wantCode(t, http.StatusOK)
		if again := o.s.get(fmt.Sprintf("/raw-resource/%d/report/batch?_wait=30", o.id), bearer(o.key)).wantCode(t, http.StatusOK); again.body == file.body {
			t.Errorf("the export of the new template is %s", again.body)
		}
	})
}
