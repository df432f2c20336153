package server

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"slashbatch/jobs"
	"slashbatch/server/endpoint"
)

// A long _wait goes on in the next hop, with all that the answer depends on.
func TestHops(t *testing.T) {
	specs, problems := endpoint.Decode([]byte("{name: items, path: /item, query: SELECT 1 AS id, key: id}"), "")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	const oidInt4 = 23
	e, problems := endpoint.Compile(specs[0], endpoint.Described{Columns: []endpoint.Column{{Name: "id", OID: oidInt4, TypeName: "integer"}}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	s := &Server{Options: Options{BatchPath: "/batch", MaxWait: 5 * time.Minute}}
	for query, want := range map[string]string{
		"id=1&_wait=100":             "id=1&_wait=55",
		"id=1&_wait=46":              "id=1&_wait=1",
		"id=1&_wait=100&_fresh=true": "id=1&_wait=55&_fresh=true",
		"id=1&_wait=9999":            "id=1&_wait=255",
		"id=1&_wait=45":              "", // the last hop
		"_wait=100&_format=parquet":  "_wait=55&_format=parquet",
		"_wait=100&_format=csv&_delimiter=tab&_bom=true&_safe=true": "_wait=55&_format=csv&_delimiter=tab&_bom=true&_safe=true",
	} {
		params, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		request, problems := e.Parse(endpoint.Input{Params: params})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		w := httptest.NewRecorder()
		err = s.notYet(w, httptest.NewRequest(http.MethodGet, "/item/batch", nil), ask{Request: request, base: "http://host"}, jobs.Status{Word: jobs.WordPending})
		if want == "" {
			if e := toHTTP(err); err == nil || e.Status != http.StatusServiceUnavailable || e.RetryAfter == 0 {
				t.Errorf("%s: %v, want 503 with Retry-After", query, err)
			}
			continue
		}
		values, _ := url.ParseQuery(want)
		if to := w.Header().Get("Location"); w.Code != http.StatusSeeOther || to != "http://host/item/batch?"+values.Encode() {
			t.Errorf("%s: %d to %s, want %s", query, w.Code, to, want)
		}
	}
}
