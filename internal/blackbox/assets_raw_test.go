package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rawFixture is a customer with upstream's query, and the assets for it.
func rawFixture(t *testing.T, s *service) *owner {
	o := s.newOwner(t)
	o.space("s")
	for key, columns := range map[string][]string{
		"matching-1": {"number1 = 2"}, "matching-2": {"number1 = 1"}, "matching-nothumbs": {"number1 = 3", "roles = '{secret}'"},
		"not-for-delivery": {"number1 = 4", "not_for_delivery = true"},
	} {
		o.stored(1, key, append(columns, "string1 = 'my-ref'")...)
	}
	o.stored(1, "no-match", "string1 = 'other-ref'")
	o.named("test-raw-named-query", "assetOrdering=n1&s1=p1&space=p2")
	return o
}

func TestRawResource(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := rawFixture(t, s)
	// ask sends the request with the customer's number and with its name.
	ask := func(t *testing.T, path string, check func(answer)) {
		for _, customer := range []string{fmt.Sprint(o.id), o.name} {
			check(s.in(t).get("/raw-resource/"+customer+"/"+path, bearer(o.key)))
		}
	}
	matching := []string{"1/matching-1", "1/matching-2", "1/matching-nothumbs"}
	t.Run("P-177 Preflight", func(t *testing.T) {
		for _, path := range []string{"unknown-nq", "unknown-nq/x", "test-raw-named-query/my-ref/1", "test-raw-named-query/my-ref/batch"} {
			for _, customer := range []string{fmt.Sprint(o.id), o.name} {
				a := s.in(t).do(http.MethodOptions, "/raw-resource/"+customer+"/"+path).wantCode(t, http.StatusOK)
				for _, name := range []string{"Origin", "Methods", "Headers"} {
					if a.header.Get("Access-Control-Allow-"+name) == "" {
						t.Errorf("%s: no Access-Control-Allow-%s", path, name)
					}
				}
			}
		}
	})
	t.Run("P-178 Unknown", func(t *testing.T) {
		ask(t, "unknown-nq/x", func(a answer) { a.wantCode(t, http.StatusNotFound) })
		for _, customer := range []string{"2147483646", "nobody-of-that-name", "-1", "0", "'"} {
			s.in(t).get("/raw-resource/"+url.PathEscape(customer)+"/test-raw-named-query/my-ref", bearer(rootKey)).wantCode(t, http.StatusNotFound)
		}
	})
	t.Run("P-179 ArgumentsMissingAtTheEnd", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		mine.wantIDs("test-raw-named-query/my-ref", matching...)
		mine.wantIDs("test-raw-named-query/my-ref/1", matching...)
		ask(t, "test-raw-named-query/my-ref", func(a answer) {
			a.wantCode(t, http.StatusOK)
			if ids := decode[[]string](t, a); len(ids) != 3 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
				t.Errorf("the assets are %q as %s", ids, a.header.Get("Content-Type"))
			}
		})
	})
	t.Run("P-180 NoArguments", func(t *testing.T) {
		for _, end := range []string{"", "/"} {
			ask(t, "test-raw-named-query"+end, func(a answer) {
				a.wantCode(t, http.StatusBadRequest)
				if !strings.Contains(a.body, "at least 1 argument") {
					t.Errorf("the reason is %s", a.body)
				}
			})
		}
	})
	t.Run("P-181 NoMatch", func(t *testing.T) {
		ask(t, "test-raw-named-query/not-found-ref/1", func(a answer) {
			if a.wantCode(t, http.StatusOK); strings.TrimSpace(a.body) != "[]" {
				t.Errorf("the body is %q", a.body)
			}
		})
	})
	t.Run("P-183 Order", func(t *testing.T) {
		mine := s.newOwner(t)
		mine.space("s")
		mine.stored(1, "third", "number1 = 2", "number2 = 5", "string1 = 'b'", "string2 = 'ref'")
		mine.stored(1, "first", "number1 = 1", "string2 = 'ref'")
		mine.stored(1, "fourth", "number1 = 2", "number2 = 4", "string1 = 'a'", "string2 = 'ref'")
		mine.stored(1, "second", "number1 = 2", "number2 = 5", "string1 = 'a'", "string2 = 'ref'")
		mine.named("ordered", "assetOrder=n1;n2 desc;s1&s2=p1")
		want := []string{}
		for _, key := range []string{"first", "second", "third", "fourth"} {
			want = append(want, fmt.Sprintf("%d/1/%s", mine.id, key))
		}
		if d := cmp.Diff(want, decode[[]string](t, mine.run("ordered/ref").wantCode(t, http.StatusOK))); d != "" {
			t.Errorf("-want +got:\n%s", d)
		}
		// So are a page of it, and the other forms.
		if d := cmp.Diff(want[1:3], decode[[]string](t, mine.run("ordered/ref?_limit=2&_offset=1").wantCode(t, http.StatusOK))); d != "" {
			t.Errorf("a page (-want +got):\n%s", d)
		}
		last := 0
		for _, key := range []string{"first", "second", "third", "fourth"} {
			body := mine.run("ordered/ref?_view=full&_format=csv").wantCode(t, http.StatusOK).body
			if at := strings.Index(body, key); at <= last {
				t.Errorf("%s is at %d of the full view:\n%s", key, at, body)
			} else {
				last = at
			}
		}
	})
	t.Run("ArgumentsWithSlashes", func(t *testing.T) {
		mine := s.newOwner(t)
		mine.stored(mine.space("s"), "a", "string1 = 'shelf/7'")
		mine.named("q", "s1=p1&space=p2")
		for _, argument := range []string{"shelf%2F7", "shelf%2f7", "/shelf%2F7//1/"} {
			mine.wantIDs("q/"+argument, "1/a")
		}
	})
	t.Run("Twin", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		a := mine.run("test-raw-named-query/my-ref/batch?_wait=30").wantCode(t, http.StatusOK)
		for _, key := range matching {
			if !strings.Contains(a.body, fmt.Sprintf("%d/%s", o.id, key)) {
				t.Errorf("%s is not in the file\n%s", key, a.body)
			}
		}
		if strings.Contains(a.body, "not-for-delivery") || strings.Contains(a.body, "no-match") {
			t.Errorf("the file is\n%s", a.body)
		}
		// An argument that is the word has one more behind it.
		mine.wantIDs("test-raw-named-query/batch/1")
	})
}

func TestRawResourceSettings(t *testing.T) {
	t.Parallel()
	s := startAssets(t, map[string]any{"namedQueries.emptyIs404": true, "namedQueries.public": true})
	o := rawFixture(t, s)
	t.Run("P-181 NoMatchIs404", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		mine.run("test-raw-named-query/not-found-ref/1").wantCode(t, http.StatusNotFound)
		mine.run("test-raw-named-query/my-ref/1").wantCode(t, http.StatusOK)
	})
	t.Run("P-174 AnothersBatchIs404", func(t *testing.T) {
		id := o.past(past{count: 1})
		other := s.newOwner(t)
		other.named("q", "batch=p1")
		other.run(fmt.Sprint("q/", id)).wantCode(t, http.StatusNotFound)
	})
	t.Run("Public", func(t *testing.T) {
		s.in(t).get(fmt.Sprintf("/raw-resource/%d/test-raw-named-query/my-ref", o.id)).wantCode(t, http.StatusOK)
		s.in(t).get(o.path("/namedQueries")).wantCode(t, http.StatusUnauthorized)
	})
}
