package endpoint

import (
	"encoding/base64"
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bytesOf(values ...string) [][]byte {
	var list [][]byte
	for _, v := range values {
		list = append(list, []byte(v))
	}
	return list
}

// What is inside a cursor, since clients keep cursors over restarts and updates.
func TestCursorText(t *testing.T) {
	r := mustAsk(t, compile(t, "packages"), "/stream/AB-01/package?_sort=-mass&_sort=label")
	cursor := r.Cursor([][]byte{[]byte("12.50"), nil, []byte("42")})
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(text), `["413d493570622547","12.50",null,"42"]`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNext(t *testing.T) {
	e := compile(t, "packages")
	r := mustAsk(t, e, "/stream/AB-01/package?label=b&label=a&_sort=mass&_limit=5&_offset=10&_view=compact&_count=exact&_format=json")
	next, ok := r.Next([][]byte{nil, []byte("42")})
	if !ok {
		t.Fatal("no next page")
	}
	want := url.Values{
		"label": {"a", "b"}, "_sort": {"mass"}, "_limit": {"5"}, "_view": {"compact"},
		"_after": {r.Cursor([][]byte{nil, []byte("42")})},
	}
	if diff := cmp.Diff(want, next); diff != "" {
		t.Error(diff)
	}
	// The page after that one has the same order, and its own place.
	after := mustAsk(t, e, "/stream/AB-01/package?"+next.Encode())
	if got := after.Cursor(bytesOf("1", "43")); got == next.Get(paramAfter) || after.OrderTerms() != 2 {
		t.Errorf("%d terms, %s", after.OrderTerms(), got)
	}
	if next, _ := after.Next(bytesOf("1", "43")); len(next[paramAfter]) != 1 {
		t.Errorf("two cursors: %v", next)
	}
}

// Orders that are the same take each other's cursors; others do not.
func TestCursorBelongsToAnOrder(t *testing.T) {
	e := compile(t, "packages")
	const path = "/stream/AB-01/package?"
	cursor := func(query string, values ...string) string {
		return "&_after=" + mustAsk(t, e, path+query).Cursor(bytesOf(values...))
	}
	for _, c := range []struct {
		name, from, to string
		values         []string
		ok             bool
	}{
		{"the same", "_sort=mass", "_sort=mass", []string{"1", "7"}, true},
		{"the tie-break said", "_sort=mass&_sort=id", "_sort=mass", []string{"1", "7"}, true},
		{"the key said", "_sort=id", "", []string{"7"}, true},
		{"what follows the key", "_sort=id&_sort=mass", "", []string{"7"}, true},
		{"other filters, views and limits", "_sort=mass&label=a&_view=compact&_limit=3", "_sort=mass&_limit=4", []string{"1", "7"}, true},
		{"another direction", "_sort=mass", "_sort=-mass", []string{"1", "7"}, false},
		{"another column", "_sort=mass", "_sort=label", []string{"1", "7"}, false},
		{"another tie-break", "_sort=mass", "_sort=mass&_sort=-id", []string{"1", "7"}, false},
		{"fewer terms", "_sort=mass", "", []string{"1", "7"}, false},
		{"more terms", "", "_sort=mass", []string{"7"}, false},
	} {
		_, err := ask(t, e, path+c.to+cursor(c.from, c.values...))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "_after: is a cursor of another endpoint or order, or was changed; leave _after out") {
			t.Errorf("%s: %v", c.name, err)
		}
	}

	// An endpoint that was changed gives other rows; so does another one.
	other, problems := one(t, "name: x\npath: /stream/{stream}/package\nquery: SELECT {stream}\nkey: id", described["packages"])
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, err := ask(t, other, path+cursor("", "7")); err == nil {
		t.Error("another endpoint takes the cursor")
	}
}

// A cursor that was written otherwise is the same request; one that was changed
// is none.
func TestCursorIsCanonical(t *testing.T) {
	e := compile(t, "packages")
	const path = "/stream/AB-01/package?_sort=label&_after="
	cursor := mustAsk(t, e, "/stream/AB-01/package?_sort=label").Cursor(bytesOf("é<", "7"))
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	want := mustAsk(t, e, path+cursor)
	if got := want.Values().Get(paramAfter); got != cursor {
		t.Errorf("%s becomes %s", cursor, got)
	}
	for _, spelling := range []string{
		base64.URLEncoding.EncodeToString(append(text, ' ')),
		encode(strings.ReplaceAll(string(text), ",", " ,\n")),
		encode(strings.ReplaceAll(string(text), "é<", `\u00e9\u003c`)),
		encode(string(text) + "\n"),
	} {
		got := mustAsk(t, e, path+url.QueryEscape(spelling))
		if got.Key() != want.Key() || got.Canonical() != want.Canonical() || !cmp.Equal(got.Page(), want.Page()) {
			t.Errorf("%s is another request: %s", spelling, got.Canonical())
		}
	}
	for _, changed := range []string{
		encode(strings.ReplaceAll(string(text), `"7"`, `"8"`)),
		encode(strings.ReplaceAll(string(text), `"7"`, `null`)),
		encode(strings.ReplaceAll(string(text), `"7"`, `7`)),
		encode(strings.ReplaceAll(string(text), `"7"`, `"7","7"`)),
		encode(strings.ReplaceAll(string(text), `"7"`, `"7\u0000"`)),
		encode(strings.ReplaceAll(string(text), "é<", "\xff")),
		encode(`{}`), encode(`[]`), encode(`[null]`), encode(`[null,null,null]`), encode(`null`), encode(`"x"`),
		encode(string(text) + "[]"), cursor[1:], cursor + "A", cursor[:10] + "!" + cursor[10:], strings.ToLower(cursor), "7",
	} {
		if r, err := ask(t, e, path+url.QueryEscape(changed)); err == nil || !strings.HasPrefix(err.Error(), "_after: is ") {
			t.Errorf("%s is taken: %v, %v", changed, r, err)
		}
	}
}

// Where there is no cursor, there is none that leads astray.
func TestNoCursor(t *testing.T) {
	e := compile(t, "packages")
	r := mustAsk(t, e, "/stream/AB-01/package?_sort=label")
	for name, last := range map[string][][]byte{
		"a text that is not UTF-8": bytesOf("\xff", "7"),
		"a text with a NUL":        bytesOf("\x00", "7"),
		"a text of any length":     bytesOf(strings.Repeat("x", mostCursorBytes), "7"),
		"a key that is NULL":       {[]byte("x"), nil},
	} {
		if got := r.Cursor(last); got != "" {
			t.Errorf("%s: %.50s", name, got)
		}
		if _, ok := r.Next(last); ok {
			t.Errorf("%s: a next page", name)
		}
	}
	// The longest one is taken, though other values may not be as long.
	value := strings.Repeat("x", mostCursorBytes*3/4-40)
	if _, err := ask(t, e, "/stream/AB-01/package?_sort=label&_after="+r.Cursor(bytesOf(value, "7"))); err != nil {
		t.Error(err)
	}
	_, problems := e.Parse(Input{Vars: map[string]string{"stream": "AB-01"}, Params: url.Values{paramAfter: {strings.Repeat("x", mostCursorBytes+1)}}})
	if want := "_after: is longer than 65536 bytes"; problems.Error() != want {
		t.Errorf("got %v, want %s", problems, want)
	}
}

// The values of a sensitive column in a cursor are kept as secret as filters.
func TestSensitiveCursor(t *testing.T) {
	e := compile(t, "samples")
	const id = "123e4567-e89b-12d3-a456-426614174000"
	order := "/lab/a/run/5/samples?_sort=secret"
	cursor := mustAsk(t, e, order).Cursor(bytesOf("hunter2", id))
	r := mustAsk(t, e, order+"&_after="+cursor)
	if !r.Sensitive() {
		t.Error("the request is not sensitive")
	}
	for what, text := range map[string]string{"key": r.Key(), "file name": r.FileName("csv"), "log": r.Redacted()} {
		if strings.Contains(text, cursor[20:40]) {
			t.Errorf("the %s shows it: %s", what, text)
		}
	}
	if other := mustAsk(t, e, order+"&_after="+mustAsk(t, e, order).Cursor(bytesOf("hunter3", id))); other.Key() == r.Key() {
		t.Error("two secrets share a key")
	}
	if mustAsk(t, e, order).Sensitive() {
		t.Error("an order alone is a secret")
	}
	if r := mustAsk(t, e, `/lab/a/run/5/samples?_sort=label&_after=["x","`+id+`"]`); r.Sensitive() || !strings.Contains(r.Redacted(), "_after=Wy") {
		t.Errorf("a secret where there is none: %s", r.Redacted())
	}
}

// A cursor has as many values as there are terms.
func TestCursorNeedsEveryTerm(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a value is missing, and nobody noticed")
		}
	}()
	mustAsk(t, compile(t, "packages"), "/stream/AB-01/package?_sort=label").Cursor(bytesOf("7"))
}

// Links to other pages and formats repeat what the answer is to be like.
func TestControlInLinks(t *testing.T) {
	e := compile(t, "packages")
	const all = "_bom=true&_count=estimated&_delimiter=semicolon&_format=csv&_safe=true"
	r := mustAsk(t, e, "/stream/AB-01/package?"+all+"&_wait=5&_fresh=true&_job=x&label=a")
	if got := r.Control.Values().Encode(); got != all {
		t.Errorf("got %s, want %s", got, all)
	}
	if again := mustAsk(t, e, "/stream/AB-01/package?"+all); again.Control.Values().Encode() != all {
		t.Errorf("%+v", again.Control)
	}
	if got := r.Canonical(); got != "label=a" {
		t.Errorf("canonical: %s", got)
	}
	if text, err := json.Marshal(r.Control.Delimiter); err != nil || string(text) != "59" {
		t.Errorf("delimiter %s", text)
	}
}
