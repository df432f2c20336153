package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Another customer's key opens nothing of a customer: not by its paths, not by its numbers
// below the other's own paths, not by the ids of its jobs.
func TestAnothersKey(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o, other := s.newOwner(t), s.newOwner(t)
	o.space("secret-space")
	other.space("s")
	id := o.ingest(image(1, "secret-a", "string1", "secret"), image(1, "secret-b", "string1", "secret"), image(1, "secret-c")).ID
	o.outcome(id, 1, "secret-b", "error", "secret").wantCode(t, http.StatusOK)
	query := o.named("secret-query", "s1=p1")
	lists := []string{
		"/spaces", "/spaces/1/images", "/queue/batches", "/queue/active", "/queue/recent", at(id, "/images"), at(id, "/assets"),
		"/spaces/1/images/secret-a/batches", "/namedQueries",
	}
	raw := func(o *owner) string { return fmt.Sprintf("/raw-resource/%d/secret-query/secret", o.id) }
	requests := []string{raw(o), fmt.Sprintf("/raw-resource/%s/secret-query/secret", o.name)}
	for _, list := range lists {
		requests = append(requests, o.path(list))
	}
	// Everything is exported once, so that there are files to be had.
	for _, request := range requests {
		s.export(request, bearer(o.key))
	}
	state := func() string {
		return o.value("SELECT (SELECT string_agg(b::text, ' ' ORDER BY id) FROM slashbatch.batch b WHERE customer = %d) || (SELECT string_agg(a::text, ' ' ORDER BY id) FROM slashbatch.asset a WHERE customer = %[1]d) || (SELECT string_agg(m::text, ' ' ORDER BY asset_id) FROM slashbatch.batch_asset m WHERE batch_id = %[2]d) || (SELECT string_agg(q::text, ' ') FROM slashbatch.named_query q WHERE customer = %[1]d) || (SELECT count(*) FROM slashbatch.space WHERE customer = %[1]d)", o.id, id)
	}
	before := state()

	type route struct{ method, path, body string }
	img := "/spaces/1/images/secret-a"
	routes := []route{
		{"GET", o.path(""), ""},
		{"POST", o.path("/spaces"), `{"name": "x"}`},
		{"POST", o.path("/queue"), `{"member": [{"space": 1, "id": "x", "origin": "x", "mediaType": "image/jpeg"}]}`},
		{"POST", o.path("/queue/priority"), `{"member": [{"space": 1, "id": "x", "origin": "x", "mediaType": "image/jpeg"}]}`},
		{"GET", o.path("/queue"), ""},
		{"GET", o.path("/queue/priority"), ""},
		{"GET", o.path("/queue/work?limit=5"), ""},
		{"GET", o.path("/queue/events"), ""},
		{"GET", o.path(at(id)), ""},
		{"POST", o.path(at(id, "/assets/1/secret-a")), `{"status": "completed"}`},
		{"POST", o.path(at(id, "/outcomes")), `{"member": [{"space": 1, "id": "secret-a", "status": "completed"}]}`},
		{"POST", o.path(at(id, "/test")), ""},
		{"POST", o.path(at(id, "/retry")), ""},
		{"GET", o.path(img), ""},
		{"DELETE", o.path(img), ""},
		{"POST", o.path(img + "/reingest"), ""},
		{"POST", o.path(img + "/outcome"), `{"status": "completed"}`},
		{"POST", o.path("/namedQueries"), `{"name": "x", "template": "s1=p1"}`},
		{"GET", query, ""},
		{"PUT", query, `{"template": "s1=x"}`},
		{"DELETE", query, ""},
		// What is not there is not told either.
		{"GET", o.path("/queue/batches/999999999"), ""},

		{"GET", o.path(at(id, "/assets?nothing=1")), ""},
		{"GET", fmt.Sprintf("/raw-resource/%d/unknown/x", o.id), ""},
	}
	for _, r := range requests {
		routes = append(
			routes, route{"GET", r, ""}, route{"HEAD", r, ""}, route{"GET", twin(r), ""}, route{"HEAD", twin(r), ""}, route{"POST", twin(r), ""}, route{"DELETE", twin(r), ""}, route{"GET", twin(r) + "?_wait=1", ""},
			route{"GET", statusOf(r), ""}, route{"POST", links(r), ""}, route{"POST", r + "/batch/cancel", ""},
			route{"GET", twin(r) + "?_format=ndjson", ""},
		)
	}
	callers := map[string]func(*http.Request){
		"another customer": bearer(other.key), "nobody": func(*http.Request) {}, "an unknown key": bearer("guess"),
		"another's key with the customer's name": basic(o.name, other.key), "the customer's name as a key": bearer(o.name),
	}
	for name, auth := range callers {
		for _, r := range routes {
			// Cancelling by POST is for the service's own pages.
			with := []func(*http.Request){auth, header("Sec-Fetch-Site", "same-origin")}
			if r.body != "" {
				with = append(with, jsonBody(r.body))
			}
			a := s.do(r.method, r.path, with...)
			if a.code != http.StatusUnauthorized || strings.Contains(a.body, "secret-b") {
				t.Errorf("%s at %s %s: answered %d: %s", name, r.method, r.path, a.code, clip(a.body))
			}
		}
	}

	t.Run("BelowItsOwnPaths", func(t *testing.T) {
		mine := *other
		mine.t, mine.s = t, s.in(t)
		for _, r := range routes {
			below := strings.Replace(r.path, o.path(""), other.path(""), 1)
			if below == r.path || !strings.Contains(below, at(id)) && !strings.Contains(below, "secret-a") && !strings.HasPrefix(r.path, query) {
				continue
			}
			with := []func(*http.Request){bearer(other.key), header("Sec-Fetch-Site", "same-origin")}
			if r.body != "" {
				with = append(with, jsonBody(r.body))
			}
			a := mine.s.do(r.method, below, with...)
			if a.code != http.StatusNotFound || strings.Contains(a.body, "secret-b") {
				t.Errorf("%s %s: answered %d: %s", r.method, below, a.code, clip(a.body))
			}
		}
		for _, path := range lists {
			if a := mine.get(path); a.code == http.StatusOK && strings.Contains(a.body, "secret") {
				t.Errorf("%s: %s", path, clip(a.body))
			}
		}
		for _, path := range []string{"secret-query/secret", "secret-query/secret/batch"} {
			mine.run(path).wantCode(t, http.StatusNotFound)
		}
	})
	t.Run("Jobs", func(t *testing.T) {
		made := s.in(t).post(twin(o.path(at(id, "/assets")))+"?string1=secret", bearer(o.key)).wantCode(t, http.StatusSeeOther)
		status := o.path(at(id, "/assets/batch/status?string1=secret"))
		s.in(t).await("Completed", status, bearer(o.key))
		job := decode[struct{ ID string }](t, s.in(t).get(status, bearer(o.key))).ID
		if u, err := url.Parse(made.header.Get("Location")); err == nil && u.Query().Get("_job") != "" {
			job = u.Query().Get("_job")
		}
		if job == "" {
			t.Fatal("the job has no id")
		}
		for name, auth := range callers {
			for _, path := range []string{status + "&_job=" + job, raw(o) + "/batch/status?_job=" + job} {
				s.in(t).get(path, auth).wantCode(t, http.StatusUnauthorized)
			}
			for _, path := range []string{"/jobs/" + job, "/jobs/" + job + "/result", "/jobs/" + job + "/events"} {
				if a := s.in(t).get(path, auth); a.code != http.StatusNotFound && a.code != http.StatusUnauthorized {
					t.Errorf("%s at %s: answered %d: %s", name, path, a.code, clip(a.body))
				}
			}
		}
		// With the other's own request, the job is one that it does not know.
		mine := *other
		mine.t, mine.s = t, s.in(t)
		if a := mine.get("/spaces/batch/status?_job=" + job); a.code == http.StatusOK && strings.Contains(a.body, job) || strings.Contains(a.body, "secret") {
			t.Errorf("answered %d: %s", a.code, clip(a.body))
		}
		if a := s.in(t).get("/jobs", bearer(other.key)); strings.Contains(a.body, job) {
			t.Errorf("it is in the list of jobs: %s", clip(a.body))
		}
	})
	t.Run("OnlyAdmins", func(t *testing.T) {
		for _, auth := range callers {
			a := s.in(t).post("/customers", auth, jsonBody(`{"name": "mallory"}`))
			if a.code != http.StatusUnauthorized && a.code != http.StatusForbidden {
				t.Errorf("answered %d: %s", a.code, a.body)
			}
		}
	})
	if after := state(); after != before {
		t.Errorf("it has been changed:\n%s\n%s", before, after)
	}
	// An admin may, and so may the customer, by Basic, too.
	for _, auth := range []func(*http.Request){bearer(rootKey), bearer(o.key), basic(o.name, o.key)} {
		s.get(o.path(at(id)), auth).wantCode(t, http.StatusOK)
		s.get(raw(o), auth).wantCode(t, http.StatusOK)
		s.get(twin(raw(o)), auth).wantCode(t, http.StatusOK)
	}
	// What was minted for the customer works for whoever is given it, and only that.
	if m := s.mint(raw(o), bearer(o.key)); m.URL == "" {
		t.Error("the link has no URL")
	}
}
