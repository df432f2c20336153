package blackbox

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"slashbatch/internal/testenv"
)

// hostileValues are values that mean something else wherever they become part of a text: of SQL, a
// pattern, a URL, a template, a list.
var hostileValues = []string{
	`'`, `''`, `"`, `it's`, `x' OR '1'='1`, `'); DROP TABLE slashbatch.asset; --`, `x; SELECT pg_sleep(9)`, `--`, `/* x */`, `$1`, `$$`, `$1$2`, `$tag$x$tag$`,
	`{customer}`, `{_user}`, `{space}`, `%`, `_`, `%s`, `%27`, `\`, `\'`, `E'\x27'`, `a&b`, `a=b`, `a+b`, `a b`, `a;b`, `#`, `?`, `a/b`, `NULL`, `true`, `{a,b}`, `[]`, `*`,
	"grüße", "🚚", "\u202eright to left", "é vs é", "ʼ", "＇", "new\nline", "tab\t", "\x7f", `\u0000`, `p1`, `batch`, "<script>", strings.Repeat("x'", 500),
}

// impossible are values that no text in the database can be.
var impossible = []string{"%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80"}

// wantRows checks that an answer is these ids and no others, or a 400.
func (o *owner) wantRows(what string, a answer, mayRefuse bool, want string) {
	o.t.Helper()
	if mayRefuse && a.code == http.StatusBadRequest {
		return
	}
	if a.code != http.StatusOK {
		o.t.Errorf("%s: answered %d: %s", what, a.code, clip(a.body))
		return
	}
	if got := strings.Join(decode[[]string](o.t, a), " "); got != want {
		o.t.Errorf("%s: the assets are %q, want %q", what, got, want)
	}
}

// Nothing that a client sends is ever part of a statement. Two customers have the same
// assets; each sees its own, and those that have the value.
func TestHostileValues(t *testing.T) {
	testenv.Unraced(t)
	t.Parallel()
	s := startAssets(t)
	o, another := s.newOwner(t), s.newOwner(t)
	var list []member
	for i, v := range hostileValues {
		list = append(list, image(1, fmt.Sprint("a", i), "string1", v, "string2", "mark", "tags", []string{v}, "manifests", []string{v}, "roles", []string{v}))
	}
	list = append(list, image(1, "harmless", "string1", "harmless", "string2", "mark"))
	for _, one := range []*owner{o, another} {
		one.space("s")
		if b := one.ingest(list...); b.Count != len(list) {
			t.Fatalf("stored %d of %d", b.Count, len(list))
		}
	}
	o.named("argument", "s1=p1&s2=p2")
	o.named("manifest", "manifest=p1")
	all := o.batches("/queue/batches").Member[0].ID

	t.Run("Arguments", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		for i, v := range hostileValues {
			want := fmt.Sprintf("%d/1/a%d", o.id, i)
			mine.wantRows(fmt.Sprintf("argument %q", v), mine.run("argument/"+url.PathEscape(v)+"/mark"), false, want)
			if !strings.Contains(v, ",") {
				mine.wantRows(fmt.Sprintf("manifest %q", v), mine.run("manifest/"+url.PathEscape(v)+"/-"), false, want)
			}
			for _, path := range []string{"argument/harmless/" + url.PathEscape(v) + "/-", "argument/mark/" + url.PathEscape(v) + "/-"} {
				mine.wantRows(path, mine.run(path), false, "")
			}
		}
		for _, v := range impossible {
			mine.wantRows(v, mine.run("argument/"+v+"/mark"), true, "")
			mine.wantRows(v, mine.run("manifest/"+v), true, "")
		}
	})
	t.Run("Templates", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		for i, v := range hostileValues {
			for j, template := range []string{`s1="` + v + `"`, "s1=" + v, "s1=p1&s2=mark&#=" + v, "s2=mark&s1=p1&spacename=" + v, "s2=nothing&assetOrder=" + v, "space=" + v, "n1=" + v + "&s1=x", "batch=" + v, v + "=p1&s2=nothing"} {
				name := fmt.Sprintf("t-%d-%d", i, j)
				a := mine.attempt(name, template, "")
				if a.code == http.StatusBadRequest {
					continue
				}
				if a.wantCode(t, http.StatusOK); strings.Contains(a.body, fmt.Sprintf(`"%d/`, another.id)) {
					t.Errorf("%s: another customer's assets: %s", template, clip(a.body))
				}
				// What can be a literal is one.
				plain := !strings.ContainsAny(v, `&="`)
				if want := fmt.Sprintf(`["%d/1/a%d"]`, o.id, i); j == 0 && plain && strings.Join(strings.Fields(a.body), "") != want {
					t.Errorf("%s: the assets are %s, want %s", template, clip(a.body), want)
				}
			}
		}
		for _, body := range []string{`{"name": "a\u0000b", "template": "s1=x"}`, `{"name": "nul", "template": "s1=a\u0000b"}`, `{"name": "x", "template": "s1=\ud800"}`} {
			if a := mine.post("/namedQueries", body); a.code != http.StatusBadRequest && a.code != http.StatusCreated {
				t.Errorf("%s: answered %d: %s", body, a.code, a.body)
			}
		}
	})
	t.Run("Names", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		for _, v := range hostileValues {
			if v == "batch" {
				continue // the path of such a query would be that of a twin
			}
			a := mine.post("/namedQueries", map[string]any{"name": v, "template": "s1=harmless"})
			if a.code == http.StatusBadRequest {
				continue
			}
			a.wantCode(t, http.StatusCreated)
			mine.wantRows(fmt.Sprintf("the query %q", v), mine.run(url.PathEscape(v)), false, fmt.Sprintf("%d/1/harmless", o.id))
		}
	})
	t.Run("Filters", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		for i, v := range hostileValues {
			key := fmt.Sprint("a", i)
			q, err := json.Marshal(map[string]any{"string1": v})
			if err != nil {
				t.Fatal(err)
			}
			for _, list := range []string{at(all, "/assets"), at(all, "/images"), "/spaces/1/images"} {
				mine.wantKeys(list+"?string1="+url.QueryEscape(v), key)
				mine.wantKeys(list+"?q="+url.QueryEscape(string(q)), key)
				if !strings.Contains(v, ",") {
					mine.wantKeys(list+"?manifests="+url.QueryEscape(v), key)
				}
			}
			for _, name := range []string{"orderBy", "orderByDescending", "_sort", "_view", "_format", "_limit", "page", "pageSize", "number1", "q", "status", "min-number1", "_after"} {
				a := mine.get(at(all, "/assets?", name, "=", url.QueryEscape(v)))
				if a.code != http.StatusOK && a.code != http.StatusBadRequest && a.code != http.StatusNotAcceptable {
					t.Errorf("%s=%q: answered %d: %s", name, v, a.code, clip(a.body))
				}
			}
			if a := mine.get(at(all, "/assets?", url.QueryEscape(v), "=x")); a.code != http.StatusOK && a.code != http.StatusBadRequest {
				t.Errorf("the parameter %q: answered %d: %s", v, a.code, clip(a.body))
			}
		}
		for _, v := range impossible {
			if a := mine.get(at(all, "/assets?string1=", v)); a.code != http.StatusBadRequest && (a.code != http.StatusOK || strings.Contains(a.body, `"a0"`)) {
				t.Errorf("string1=%s: answered %d: %s", v, a.code, clip(a.body))
			}
		}
	})
	t.Run("Members", func(t *testing.T) {
		mine := *o
		mine.t, mine.s = t, s.in(t)
		for _, v := range hostileValues {
			a := mine.post("/queue", members(image(1, v)))
			if a.code == http.StatusBadRequest {
				continue
			}
			id := decode[batch](t, a.wantCode(t, http.StatusCreated)).ID
			mine.wantKeys(at(id, "/assets"), v)
			key := url.PathEscape(v)
			if x := mine.asset(1, key); x["id"] != v {
				t.Errorf("asset %q is %v", v, x)
			}
			mine.outcome(id, 1, key, "error", v).wantCode(t, http.StatusOK)
			mine.wantMember(id, v, "error", v)
			mine.do(http.MethodDelete, "/spaces/1/images/"+key).wantCode(t, http.StatusNoContent)
		}
		for _, body := range []string{
			`{"member": [{"space": 1, "id": "nul", "origin": "x", "mediaType": "image/jpeg", "string1": "a\u0000b"}]}`,
			`{"member": [{"space": 1, "id": "nul\u0000", "origin": "x", "mediaType": "image/jpeg"}]}`,
			`{"member": [{"space": 1, "id": "nul", "origin": "x", "mediaType": "image/jpeg", "tags": ["a\u0000b"]}]}`,
		} {
			mine.post("/queue", body).wantHydra(t, http.StatusBadRequest)
		}
	})
	t.Run("NothingIsLost", func(t *testing.T) {
		mine := *another
		mine.t, mine.s = t, s.in(t)
		mine.wantTotal("/spaces/1/images?pageSize=1", len(list), 1)
	})
}
