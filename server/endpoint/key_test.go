package endpoint

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// keySyntax is what an object store admits in a name, without the slash.
var keySyntax = regexp.MustCompile(`^[A-Za-z0-9._~%=+@-]{1,200}$`)

// Requests that mean the same rows have the same key.
func TestKeyIsTheSame(t *testing.T) {
	e := compile(t, "packages")
	for _, c := range []struct{ name, a, b string }{
		{"order of parameters", "label=a&mass=1", "mass=1&label=a"},
		{"order of values", "label=a&label=b", "label=b&label=a"},
		{"repeated values", "label=a&label=a", "label=a"},
		{"spelling of percent-encoding", "label=%61+b", "label=a%20b"},
		{"spelling of numbers", "mass=1.50&id=007&max-mass=1e3", "mass=1.5&id=%2B7&max-mass=1000"},
		{"spelling of times", "sent_at=2026-01-31T12:00:00%2B01:00", "sent_at=2026-01-31T11:00:00.000Z"},
		{"a plus that became a space", "sent_at=2026-01-31T12:00:00+01:00", "sent_at=2026-01-31T12:00:00%2B01:00"},
		{"empty filters", "label=&min-mass=", ""},
		{"the default view", "_view=default", ""},
		{"no offset", "_offset=0", ""},
		{"format and control", "_format=csv&_wait=5&_fresh=true&_job=x&_count=exact&_delimiter=tab&_bom=true&_safe=true", ""},
		{"a cursor and no offset", `_after=["7"]&_offset=0`, `_after=["7"]`},
		{"a cursor of a limited request goes by the key", `_limit=5&_sort=id&_after=["7"]`, `_limit=5&_after=["7"]`},
		{"sorting after the key", "_sort=id&_sort=mass", "_sort=id"},
		{"ties go by the key", "_sort=mass&_sort=id", "_sort=mass"},
		{"a limit goes by the key", "_limit=5&_sort=id", "_limit=5"},
		{"sorting twice", "_sort=mass&_sort=-mass", "_sort=mass"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := mustAsk(t, e, "/stream/AB-01/package?"+c.a), mustAsk(t, e, "/stream/AB-01/package?"+c.b)
			if a.Key() != b.Key() {
				t.Errorf("%s\n%s", a.Key(), b.Key())
			}
			if a.Canonical() != b.Canonical() {
				t.Errorf("%s\n%s", a.Canonical(), b.Canonical())
			}
		})
	}
}

// Requests that mean other rows have other keys.
func TestKeyDiffers(t *testing.T) {
	e := compile(t, "packages")
	for _, c := range []struct{ name, a, b string }{
		{"structure in a value (_)", "label=b_stream&stream=x", "label=b&stream=stream_x"},
		{"structure in a value (&)", "label=a%26mass%3D1", "label=a&mass=1"},
		{"structure in a value (~)", "label=a~label%3Db", "label=a&label=b"},
		{"structure in a value (@)", "label=a%40b", "label=a"},
		{"an encoded value", "label=%252F", "label=%2F"},
		{"case", "label=a", "label=A"},
		{"space and plus", "label=a%20b", "label=a%2Bb"},
		{"space at the end", "label=a%20", "label=a"},
		{"one value more", "label=a", "label=a&label=b"},
		{"the operator", "min-mass=1", "mineq-mass=1"},
		{"the soft limit asked for is a limit", "_limit=100", ""},
		{"offset", "_offset=1", ""},
		{"view", "_view=compact", ""},
		{"order", "_sort=mass", "_sort=-mass"},
		{"order of sorts", "_sort=mass&_sort=label", "_sort=label&_sort=mass"},
		{"an order without limit is not the database's", "_sort=id", ""},
		{"absence is not emptiness", "exists-label=false", ""},
		{"a cursor", `_after=["7"]`, ""},
		{"cursors", `_after=["7"]`, `_after=["8"]`},
		{"NULL and its name in cursors", `_sort=label&_after=[null,"7"]`, `_sort=label&_after=["NULL","7"]`},
		{"NULL and emptiness in cursors", `_sort=label&_after=[null,"7"]`, `_sort=label&_after=["","7"]`},
		{"the order behind a cursor", `_sort=id&_after=["7"]`, `_after=["7"]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := mustAsk(t, e, "/stream/AB-01/package?"+c.a), mustAsk(t, e, "/stream/AB-01/package?"+c.b)
			if strings.EqualFold(a.Key(), b.Key()) {
				t.Errorf("both %s", a.Key())
			}
		})
	}
	a, b := mustAsk(t, e, "/stream/AB-01/package?"), mustAsk(t, e, "/stream/AB-02/package?")
	if a.Key() == b.Key() {
		t.Errorf("paths share %s", a.Key())
	}
}

// The user is part of the key where rows are a user's own, and only there.
func TestKeyOfUser(t *testing.T) {
	own, shared := compile(t, "samples"), compile(t, "packages")
	key := func(e *Endpoint, vars map[string]string, user string) string {
		r, problems := e.Parse(Input{Vars: vars, User: user})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		return r.Key()
	}
	lab := map[string]string{"lab": "a", "run": "1"}
	if a, b := key(own, lab, "alice"), key(own, lab, "bob"); a == b {
		t.Errorf("alice and bob share %s", a)
	}
	// A path value that looks like a user is none.
	if a, b := key(own, map[string]string{"lab": "a~1~_user=bob@", "run": "1"}, "alice"), key(own, lab, "bob"); a == b {
		t.Errorf("both %s", a)
	}
	stream := map[string]string{"stream": "AB-01"}
	if a, b := key(shared, stream, "alice"), key(shared, stream, ""); a != b {
		t.Errorf("a shared request has two keys: %s, %s", a, b)
	}
	if _, problems := own.Parse(Input{Vars: lab}); len(problems) != 1 {
		t.Errorf("nobody's rows: %v", problems)
	}
}

func TestKeyIsAName(t *testing.T) {
	e := compile(t, "packages")
	keys := map[string]string{}
	for n := range 300 {
		// Lengths around the limit, with encoded bytes at every place of the cut.
		for _, letter := range []string{"x", "é", "/", "~"} {
			query := url.Values{"label": {strings.Repeat(letter, n) + "."}}.Encode()
			key := mustAsk(t, e, "/stream/AB-01/package?"+query).Key()
			if !keySyntax.MatchString(key) {
				t.Fatalf("%s: no name: %s", query, key)
			}
			if was, ok := keys[strings.ToLower(key)]; ok && n > 0 {
				t.Fatalf("%s and %s share %s", was, query, key)
			}
			keys[strings.ToLower(key)] = query
			if i := strings.LastIndexByte(key, '%'); i >= 0 && !regexp.MustCompile(`^%[0-9A-F]{2}`).MatchString(key[i:]) {
				t.Fatalf("an encoded byte is cut: %s", key)
			}
		}
	}
}

// No two structures share a key: all requests made of few awkward pieces.
func TestKeyTellsAwkwardRequestsApart(t *testing.T) {
	e := compile(t, "packages")
	pieces := []string{"a", "A", "_", "=", "&", "%", "%2F", "+", " ", "/", "~", "@", "é", "label", ".", "-", `"`, ","}
	keys := map[string]string{}
	add := func(params url.Values) {
		r, problems := e.Parse(Input{Vars: map[string]string{"stream": "AB-01"}, Params: params})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		key, means := strings.ToLower(r.Key()), meaning(r)
		if was, ok := keys[key]; ok && was != means {
			t.Fatalf("%s:\n%s\n%s", key, was, means)
		}
		keys[key] = means
	}
	for _, a := range pieces {
		add(url.Values{"label": {a}})
		for _, b := range pieces {
			add(url.Values{"label": {a + b}})
			add(url.Values{"label": {a, b}})
			add(url.Values{"label": {a}, "stream": {b}})
			for _, c := range pieces {
				add(url.Values{"label": {a + b, c}})
				add(url.Values{"label": {a}, "stream": {b + c}})
			}
		}
	}
}

func TestSensitiveValuesStayOut(t *testing.T) {
	e := compile(t, "samples")
	r := mustAsk(t, e, "/lab/a/run/5/samples?secret=hunter2&label=x")
	for what, text := range map[string]string{"key": r.Key(), "file name": r.FileName("csv"), "log": r.Redacted()} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("the %s shows it: %s", what, text)
		}
	}
	if got, want := r.Redacted(), "label=x&secret=%2A%2A%2A"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if a, b := r.Key(), mustAsk(t, e, "/lab/a/run/5/samples?secret=hunter3&label=x").Key(); a == b {
		t.Error("two secrets share a key")
	}

	e, problems := one(t, "name: x\npath: /x/{v}/y\nquery: SELECT {v}\nkey: id\npathParameters: {v: {type: int, sensitive: true}}",
		Described{Columns: []Column{{"id", 23, "int4"}}, Params: []uint32{23}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	r, _ = e.Parse(Input{Vars: map[string]string{"v": "4711"}})
	if got := r.RedactedPath(); got != "/x/%2A%2A%2A/y" && got != "/x/***/y" {
		t.Error(got)
	}
	if _, problems := e.Parse(Input{Vars: map[string]string{"v": "hunter2"}}); len(problems) != 1 || strings.Contains(problems.Error(), "hunter2") {
		t.Error(problems)
	}
}

func TestFileName(t *testing.T) {
	e := compile(t, "packages")
	for _, c := range []struct{ request, want string }{
		{"/stream/AB-01/package", "stream_AB-01_package.csv"},
		{"/stream/AB-01/package?min-mass=1000&_view=compact", "stream_AB-01_package_min-mass=1000_view=compact.csv"},
		{"/stream/AB-01/package?mass=2&label=a", "stream_AB-01_package_label=a_mass=2.csv"},
		{"/stream/AB-01/package?_format=json&_wait=3", "stream_AB-01_package.csv"},
		{"/stream/AB-01/package?label=../../etc/passwd%0d%0a%22%3B", "stream_AB-01_package_label=..-..-etc-passwd-.csv"},
		{"/stream/AB-01/package?label=%C3%A9t%C3%A9", "stream_AB-01_package_label=-t-.csv"},
	} {
		got := mustAsk(t, e, c.request).FileName("csv")
		if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.request, got, c.want)
		}
	}
	// A long name is cut, and a digest tells it from others cut at the same place.
	a := mustAsk(t, e, "/stream/AB-01/package?label="+strings.Repeat("x", 200)).FileName("csv")
	b := mustAsk(t, e, "/stream/AB-01/package?label="+strings.Repeat("x", 201)).FileName("csv")
	cut := regexp.MustCompile(`^stream_AB-01_package_label=x{80}-[0-9a-f]{12}\.csv$`)
	if !cut.MatchString(a) || !cut.MatchString(b) || a == b {
		t.Errorf("%s\n%s", a, b)
	}
	if got := mustAsk(t, e, "/stream/AB-01/package").FileName(".csv.gz"); got != "stream_AB-01_package.csv.gz" {
		t.Error(got)
	}
}

func TestPath(t *testing.T) {
	e, problems := one(t, "name: x\npath: /x/{v}/y.z\nquery: SELECT {v}::text\nkey: id",
		Described{Columns: []Column{{"id", 23, "int4"}}, Params: []uint32{25}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for value, want := range map[string]string{
		"a": "/x/a/y.z", "a/b": "/x/a%2Fb/y.z", "é ?#%": "/x/%C3%A9%20%3F%23%25/y.z", "..": "/x/%2E%2E/y.z", ".": "/x/%2E/y.z", "a..": "/x/a../y.z",
	} {
		r, problems := e.Parse(Input{Vars: map[string]string{"v": value}})
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if got := r.Path(); got != want {
			t.Errorf("%q: got %s, want %s", value, got, want)
		}
	}
}

// meaning writes a request's batch statement so that equal ones are equal text.
func meaning(r *Request) string {
	s := r.Batch()
	parts := []string{strconv.Quote(s.SQL)}
	for _, a := range s.Args {
		parts = append(parts, strconv.Quote(a.Value))
	}
	return strings.Join(parts, " ")
}
