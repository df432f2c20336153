package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// attempt saves a template and runs it. What cannot be understood is refused at one or the
// other.
func (o *owner) attempt(name, template, arguments string) answer {
	o.t.Helper()
	a := o.post("/namedQueries", map[string]any{"name": name, "template": template})
	if a.code == http.StatusBadRequest {
		return a
	}
	a.wantCode(o.t, http.StatusCreated)
	return o.run(strings.TrimSuffix(name+"/"+arguments, "/"))
}

// templateFixture is a customer with spaces 1 to 10, the third of which is called 10.
// It returns batches with assets b10, b20 and b30.
func templateFixture(t *testing.T, s *service) (o *owner, batches []any) {
	o = s.newOwner(t)
	for i := 1; i <= 10; i++ {
		o.space(map[bool]string{true: "10", false: fmt.Sprint("s", i)}[i == 3])
	}
	o.stored(3, "in-3")
	o.stored(5, "in-5")
	o.stored(10, "in-10")
	for i, key := range []string{"x", "y", "z"} { // in the order of n2, z y x
		o.stored(1, key, "string1 = 'string-1'", "number1 = 40", fmt.Sprintf("number2 = %d", 3-i), "string3 = 'odd'")
	}
	o.stored(1, "other", "string1 = 'string-1'", "number1 = 41", "string2 = '1'")
	o.stored(10, "deep", "string1 = 'string-1'", "number1 = 40", "string2 = 'foo/bar'")
	o.stored(2, "m1", "manifests = '{foo-bar,foo}'")
	o.stored(2, "m2", "manifests = '{bar,baz}'")
	for _, n := range []int{10, 20, 30} {
		id := o.past(past{count: 1, completed: 1, finished: "now()", rows: []string{}})
		key := fmt.Sprint("b", n)
		o.stored(4, key, "string1 = 'string-1'", "number1 = 40", "manifests = '{foo}'", fmt.Sprintf("number2 = %d", -n))
		o.record(id, "4/"+key, "completed")
		batches = append(batches, id)
	}
	return o, batches
}

func TestNamedQueryTemplates(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	fixture, b := templateFixture(t, s)
	n := 0
	with := func(t *testing.T) (*owner, string) {
		o := *fixture
		o.t, o.s = t, s.in(t)
		n++
		return &o, fmt.Sprint("q", n)
	}
	// faulty and selects check a template with arguments; a blank is between the two.
	faulty := func(t *testing.T, reason string, cases ...[2]string) {
		t.Helper()
		for _, c := range cases {
			o, name := with(t)
			a := o.attempt(name, c[0], c[1])
			if a.code != http.StatusBadRequest || !strings.Contains(a.body, reason) {
				t.Errorf("%s with %q: answered %d %s; want 400 with %q", c[0], c[1], a.code, clip(a.body), reason)
			}
		}
	}
	// selects wants the keys in this order; with a star before them, in any.
	selects := func(t *testing.T, template, arguments string, want ...string) {
		t.Helper()
		o, name := with(t)
		a := o.attempt(name, template, arguments).wantCode(t, http.StatusOK)
		if len(want) > 0 && want[0] == "*" {
			o.wantIDs(strings.TrimSuffix(name+"/"+arguments, "/"), want[1:]...)
			return
		}
		ids := []string{}
		for _, k := range want {
			ids = append(ids, fmt.Sprintf("%d/%s", o.id, k))
		}
		if d := cmp.Diff(ids, decode[[]string](t, a)); d != "" {
			t.Errorf("%s with %q (-want +got):\n%s", template, arguments, d)
		}
	}
	list := func(batches ...any) string {
		return strings.ReplaceAll(strings.Trim(fmt.Sprint(batches...), "[]"), " ", ",")
	}

	t.Run("P-139 NoTemplate", func(t *testing.T) {
		o, _ := with(t)
		for _, template := range []any{nil, "", " "} {
			o.post("/namedQueries", map[string]any{"name": "none", "template": template}).wantHydra(t, http.StatusBadRequest, "A template is required")
		}
	})
	t.Run("P-140 NoArguments", func(t *testing.T) {
		faulty(t, "Named query must have at least 1 argument", [2]string{"s1=p1&space=p2", ""})
	})
	t.Run("P-142 NoParameter", func(t *testing.T) {
		faulty(t, "Could not parse template element parameter", [2]string{"space=p1x", "1"}, [2]string{"space=param", "1"}, [2]string{"space=p1&s1=pa2&#=1", ""})
	})
	t.Run("P-143 NoNumber", func(t *testing.T) {
		faulty(t, "not-an-int", [2]string{"n1=p1", "not-an-int"}, [2]string{"n1=p1&#=not-an-int", ""}, [2]string{"batch=p1", "not-an-int"}, [2]string{"batch=p1&#=not-an-int", ""})
		faulty(t, "1|2|3", [2]string{"batch=p1", "1%7C2%7C3"})
		faulty(t, "", [2]string{"n1=p1", "99999999999999999999"}, [2]string{"batch=p1", "99999999999999999999"}, [2]string{"space=p1", "4294967297"}, [2]string{"n1=p1", "1.5"})
	})
	t.Run("P-144 Space", func(t *testing.T) {
		selects(t, "space=p1&s2=foo%2Fbar", "10") // a literal is as it stands
		selects(t, "space=p1&s2=foo/bar", "10", "10/deep")
		selects(t, "space=5", "", "5/in-5")
		selects(t, "space=p1&s2=foo/bar&#=10", "", "10/deep")
	})
	t.Run("P-145 AppendedBatch", func(t *testing.T) { selects(t, fmt.Sprintf("batch=p1&#=%d", b[0]), "", "4/b10") })
	t.Run("P-146 AppendedManifest", func(t *testing.T) { selects(t, "manifest=p1&#=foo-bar", "", "2/m1") })
	t.Run("P-147 SpaceByName", func(t *testing.T) { selects(t, "spacename=p1", "10", "3/in-3") })
	t.Run("P-148 Order", func(t *testing.T) {
		selects(t, "canvas=n2&s1=p1&n1=p2&space=p3&#=1", "string-1/40", "1/z", "1/y", "1/x")
	})
	t.Run("P-149 MoreArguments", func(t *testing.T) {
		selects(t, "sequence=n1&canvas=n2&s1=p1&n1=p2&space=p3&#=1", "string-1/40/10/100", "10/deep")
	})
	t.Run("P-151 BatchesAndManifests", func(t *testing.T) {
		const template = "canvas=n2&s1=p1&n1=p2&batch=p3&manifest=p4&space=p5&#="
		selects(t, template+"4", "string-1/40/"+list(b...)+"/foo,bar", "4/b30", "4/b20", "4/b10")
		selects(t, template+"1", "string-1/40/"+list(b...)+"/foo,bar")
	})
	t.Run("P-152 ListsInOneArgument", func(t *testing.T) {
		selects(t, "batch=p1", list(b[0], b[2]), "*", "4/b10", "4/b30")
		selects(t, "batch=p1", ","+list(b[0], b[0], b[2])+",,", "*", "4/b10", "4/b30")
		selects(t, "batch=p1&space=p2", list(b...)+"/4", "*", "4/b10", "4/b20", "4/b30")
		selects(t, "manifest=p1", "foo,bar", "*", "2/m1", "2/m2", "4/b10", "4/b20", "4/b30")
	})
	t.Run("P-153 OtherUsesOfATemplate", func(t *testing.T) {
		selects(t, "redactedmessage=you cannot view&canvas=n2&s1=p1&n1=p2&space=p3&#=1", "string-1/40", "1/z", "1/y", "1/x")
	})
	t.Run("P-154 AppendedBehindMore", func(t *testing.T) {
		selects(t, "s1=p1&n1=p2&space=p3&s2=p5&#=1", "string-1/41/1/100", "1/other")
	})
	t.Run("P-155 PassedOver", func(t *testing.T) {
		selects(t, "unknown=s1&&word&canvas=n2&=10&s1=p1&n1=p2&space=p3&#=1", "string-1/40", "1/z", "1/y", "1/x")
	})
	t.Run("P-156 NamesOfFiles", func(t *testing.T) {
		selects(t, "coverpage=https://{s3}&objectname={s3}_{n1}.pdf&n1=p1&s3=p2&#=odd", "40", "*", "1/x", "1/y", "1/z")
	})
	t.Run("P-157 OrderByTwo", func(t *testing.T) {
		o, _ := with(t)
		for i, tags := range [][2]string{{"2", "a"}, {"1", "a"}, {"1", "b"}, {"2", "b"}} {
			o.stored(6, fmt.Sprint(i), "number2 = "+tags[0], "string1 = '"+tags[1]+"'")
		}
		selects(t, "space=6&assetOrder=n2;s1 desc", "", "6/2", "6/1", "6/3", "6/0")
		selects(t, "space=6&assetOrder=n2+desc;s1+asc", "", "6/0", "6/3", "6/1", "6/2")
	})
	t.Run("P-160 RequiredAndOptional", func(t *testing.T) {
		// Without the batch it would be all of them.
		faulty(t, "batch", [2]string{"s1=p1&batch=p2", "string-1"}, [2]string{"s1=p1&batch=p2", "string-1/,"}, [2]string{"s1=p1&batch=p2", "string-1/,,,"},
			[2]string{"s1=p1&batch=p2", "string-1/"}, [2]string{"batch=p1", ","})
		selects(t, "space=p1&s1=p2", "2", "*", "2/m1", "2/m2")
	})
	t.Run("P-162 LiteralsThatBeginWithP", func(t *testing.T) {
		faulty(t, "s1=paris", [2]string{"s1=paris", ""})
		o, _ := with(t)
		o.stored(7, "paris", "string1 = 'paris'")
		o.stored(7, "p1", "string1 = 'p1'")
		selects(t, `s1="paris"`, "", "7/paris")
		selects(t, `s1="p1"`, "x", "7/p1")
		selects(t, "s1=p1", "p1", "7/p1")
		selects(t, `s1="paris"&coverpage=https://x?a=b`, "", "7/paris")
	})
}
