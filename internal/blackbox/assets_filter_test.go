package blackbox

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// wantKeys checks the ids of a list, in any order.
func (o *owner) wantKeys(path string, want ...string) {
	o.t.Helper()
	got := []string{}
	for _, m := range o.assets(path).Member {
		got = append(got, fmt.Sprint(m["id"]))
	}
	slices.Sort(got)
	if d := cmp.Diff(append([]string{}, want...), got); d != "" {
		o.t.Errorf("%s (-want +got):\n%s", path, d)
	}
}

// Each asset of the fixture differs from "all" in one of the fields; a filter on some of the
// fields leaves those that differ in the others.
func TestAssetFilters(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	fixture := s.newOwner(t)
	for i := 1; i <= 2; i++ {
		fixture.space(fmt.Sprint("s", i))
	}
	id := fixture.past(past{count: 9, rows: []string{}})
	keys := []string{"string1", "string2", "string3", "number1", "number2", "number3", "manifests", "space", "all"}
	for _, other := range keys {
		columns := []string{fmt.Sprint("batch = ", id)}
		for i, column := range []string{"string1 = 's1'", "string2 = 's2'", "string3 = 's3'", "number1 = 1", "number2 = 2", "number3 = 3", "manifests = '{first,second,third}'"} {
			if keys[i] != other {
				columns = append(columns, column)
			}
		}
		space := 1
		if other == "space" {
			space = 2
		}
		fixture.stored(space, other, columns...)
		fixture.record(id, fmt.Sprint(space, "/", other), "waiting")
	}
	// without are the keys of assets that a filter on these fields leaves.
	without := func(filtered ...string) []string {
		rest := slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return slices.Contains(filtered, key) })
		slices.Sort(rest)
		return rest
	}
	wants := func(t *testing.T, query string, keys []string) {
		o := *fixture
		o.t, o.s = t, s.in(t)
		for _, list := range []string{"/images", "/assets"} {
			o.wantKeys(at(id, list, "?", query), keys...)
		}
	}
	q := func(text string) string { return "q=" + url.QueryEscape(text) }

	t.Run("P-235 Query", func(t *testing.T) {
		wants(t, q(`{"string1":"s1","string2":"s2","number3":3,"space":1,"manifests":["first"]}`), without("string1", "string2", "number3", "space", "manifests"))
		wants(t, q(`{"space":99}`), nil)
		wants(t, q(`{"manifests":["first","nowhere"]}`), without("manifests"))
		wants(t, q(`{}`), without())
	})
	t.Run("P-236 QueryOfTwo", func(t *testing.T) {
		wants(t, q(`{"string3":"s3","number1":1}`), without("string3", "number1"))
	})
	t.Run("P-237 Parameters", func(t *testing.T) {
		const all = "string1=s1&string2=s2&string3=s3&number1=1&number2=2&number3=3&manifests=first,second"
		wants(t, all, []string{"all", "space"})
		// Parameters win over the same key of the query.
		wants(t, "string1=s1&"+q(`{"string1":"other","number2":2}`), without("string1", "number2"))
	})
	t.Run("Order", func(t *testing.T) {
		o := *fixture
		o.t, o.s = t, s.in(t)
		for query, first := range map[string]string{"orderBy=id": "all", "orderByDescending=id": "string3", "orderBy=Id&orderByDescending=id": "all"} {
			if c := o.assets(at(id, "/assets?", query)); len(c.Member) != 9 || c.Member[0]["id"] != first {
				t.Errorf("%s begins with %v", query, c.Member[:min(1, len(c.Member))])
			}
		}
		for _, query := range []string{"orderBy=nothing", "orderByDescending=id;drop", "number1=x", "_sort=nothing"} {
			o.get(at(id, "/assets?", query)).wantCode(t, http.StatusBadRequest)
		}
	})
}
