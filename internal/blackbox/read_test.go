package blackbox

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// ids asks for rows and returns their ids in order: "1 2 3".
func (s *service) ids(request string) string {
	s.t.Helper()
	var ids []string
	for _, item := range items(s.t, s.get(request)) {
		ids = append(ids, fmt.Sprint(item["id"]))
	}
	return strings.Join(ids, " ")
}

func TestReadRows(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for _, tt := range []struct{ name, request, want string }{
		{"soft limit, by key", "/item", "1 2 3"},
		{"path parameter", "/group/AB/item", "1 2 3"},
		{"path parameter without rows", "/group/ZZ/item", ""},
		{"equality", "/item?label=plain", "1"},
		{"text is exact", "/item?label=plai", ""},
		{"a value with everything in it", "/item?label=a,%22b%22%0D%0Ac", "4"},
		{"a value beyond ASCII", "/item?label=gr%C3%BC%C3%9Fe+%F0%9F%9A%9A+'quoted'", "6"},
		{"no SQL in a value", "/item?label='%20OR%20true--", ""},
		{"a backslash", "/item?label=%5C.", "7"},
		{"repeated is or", "/item?label=plain&label=last", "1 8"},
		{"different are and", "/item?label=plain&size=8", ""},
		{"empty is no restriction", "/item?label=&size=7", "1"},
		{"min is strict", "/item?min-size=7&_limit=5", "5"},
		{"mineq", "/item?mineq-size=7&_limit=5", "1 5"},
		{"max is strict", "/item?max-size=0&_limit=5", "4"},
		{"maxeq", "/item?maxeq-size=0&_limit=5", "3 4"},
		{"between", "/item?min-mass=1&maxeq-mass=12.5&_limit=5", "1 7 8"},
		{"numerics are exact", "/item?mass=12345678901234567890.1234567890123456789", "4"},
		{"numerics by value", "/item?mass=1.25e1", "1"},
		{"exists", "/item?exists-mass=false", "2"},
		{"exists true", "/item?exists-ref=true", "1"},
		{"bool", "/item?ok=true", "1 4 6"},
		{"date", "/item?day=2024-02-29", "4"},
		{"time in another zone", "/item?at=2026-01-31T12:00:00.5Z", "1"},
		{"times between", "/item?min-at=2026-01-01&max-at=2026-02-01T00:00:00Z", "1"},
		{"uuid", "/item?ref=123E4567E89B12D3A456426614174000", "1"},
		{"inside json", "/item?attrs.colour=red", "1"},
		{"deep inside json", "/item?attrs.deep.a=1", "1"},
		{"exists inside json", "/item?exists-attrs.n=true", "1"},
		{"other types by their text", "/item?tags={a,b}", "1"},
		{"limit", "/item?_limit=2", "1 2"},
		{"no rows", "/item?_limit=0", ""},
		{"offset", "/item?_limit=2&_offset=5", "6 7"},
		{"hard limit", "/item?_limit=100", "1 2 3 4 5"},
		{"sorted", "/item?_sort=-id&_limit=2", "8 7"},
		{"sorted, ties by key", "/item?_sort=grp&_limit=5", "1 2 3 4 5"},
		{"sorted twice", "/item?_sort=grp&_sort=-id&_limit=4", "3 2 1 5"},
		{"sorted inside json", "/item?_sort=attrs.colour&_limit=1", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := s.ids(tt.request); got != tt.want {
				t.Errorf("%s: rows %q, want %q", tt.request, got, tt.want)
			}
		})
	}
}

const wideCSV = "id,grp,label,mass,size,ratio,ok,day,at,local,ref,attrs,tags,raw\r\n" +
	`1,AB,plain,12.50,7,0.1,true,2026-01-31,2026-01-31T12:00:00.5Z,2026-01-31T12:00:00,123e4567-e89b-12d3-a456-426614174000,` +
	`"{""n"": 10, ""deep"": {""a"": 1}, ""colour"": ""red""}","{a,b}",\xdeadbeef` + "\r\n" +
	"2,AB,,,,,,,,,,,,\r\n" +
	`3,AB,"",0,0,0,false,0044-03-15 BC,-infinity,infinity,,{},{},\x` + "\r\n" +
	"4,CD,\"a,\"\"b\"\"\r\nc\",12345678901234567890.12345678901234567890,-2147483648,NaN,true,2024-02-29," +
	`1999-12-31T23:59:59.999999Z,1999-12-31T23:59:59.999999,,"[1, ""x"", null]","{""with \""quote\"""",NULL,""NULL""}",\x00` + "\r\n" +
	`5,CD,=1+1,NaN,2147483647,Infinity,false,infinity,10000-01-01 00:00:00+00,0001-01-01T00:00:00,,"""text""","{{1,2},{3,4}}",` + "\r\n"

func TestReadCSV(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	const request = "/item?_view=wide&_limit=5"
	byName := s.get(request+"&_format=csv").wantCode(t, http.StatusOK)
	if diff := cmp.Diff(wideCSV, byName.body); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	byAccept := s.get(request, header("Accept", "text/csv")).wantCode(t, http.StatusOK)
	if byAccept.body != byName.body {
		t.Error("_format and Accept give different files")
	}
	// _format wins.
	a := s.get(request+"&_format=csv", header("Accept", "application/json"))
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv; charset=utf-8") {
		t.Errorf("Content-Type %s", a.header.Get("Content-Type"))
	}
	// What it says loads back with COPY.
	execute(t, s.db, "CREATE TABLE copied (LIKE item)")
	conn := connect(t, s.db)
	defer conn.Close(t.Context())
	copySQL := "COPY copied (id,grp,label,mass,size,ratio,ok,day,at,local,ref,attrs,tags,raw) FROM STDIN (FORMAT csv, HEADER)"
	if _, err := conn.CopyFrom(t.Context(), strings.NewReader(s.export("/item?_view=wide").body), copySQL); err != nil {
		t.Fatal(err)
	}
	if left := query(t, s.db, "(TABLE item EXCEPT ALL TABLE copied) UNION ALL (TABLE copied EXCEPT ALL TABLE item)"); len(left) > 0 {
		t.Errorf("rows that did not come back: %v", left)
	}
}

func TestReadJSON(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	a := s.get("/item?_view=wide&_limit=5").wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", "application/json")
	rows := items(t, a)
	want := []map[string]any{
		0: {
			"ok": true, "at": "2026-01-31T12:00:00.5Z", "raw": "3q2+7w==", "tags": []any{"a", "b"},
			"attrs": map[string]any{"n": 10.0, "deep": map[string]any{"a": 1.0}, "colour": "red"},
		},
		1: {"label": nil, "mass": nil, "attrs": nil, "tags": nil},
		2: {"label": "", "day": "0044-03-15 BC", "at": "-infinity", "attrs": map[string]any{}, "tags": []any{}, "raw": ""},
		3: {"label": "a,\"b\"\r\nc", "ratio": "NaN", "tags": []any{`with "quote"`, nil, "NULL"}, "attrs": []any{1.0, "x", nil}},
		4: {"mass": "NaN", "ratio": "Infinity", "attrs": "text"},
	}
	for i, members := range want {
		for name, value := range members {
			if diff := cmp.Diff(value, rows[i][name]); diff != "" {
				t.Errorf("row %d, %s: -want +got:\n%s", i+1, name, diff)
			}
		}
	}
	for _, exact := range []string{`"mass":12.50,`, `"mass":12345678901234567890.12345678901234567890,`} {
		if !strings.Contains(a.body, exact) {
			t.Errorf("the digits of %s were not kept", exact)
		}
	}
}

func TestReadMeta(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	type meta struct {
		ID            string `json:"@id"`
		Limit, Offset int
		Capped        bool
		HasFormat     []string
		Batch         string
	}
	get := func(request string) meta {
		return decode[struct{ Meta meta }](t, s.get(request).wantCode(t, http.StatusOK)).Meta
	}
	at := func(target string) string { return s.url + target }
	want := meta{
		ID: at("/item?_limit=100&_offset=1&label=a&label=b"), Limit: 5, Offset: 1, Capped: true,
		HasFormat: []string{
			at("/item?_format=json&_limit=100&_offset=1&label=a&label=b"), at("/item?_format=csv&_limit=100&_offset=1&label=a&label=b"),
			at("/item?_format=ndjson&_limit=100&_offset=1&label=a&label=b"), at("/item?_format=html&_limit=100&_offset=1&label=a&label=b"),
		},
		Batch: at("/item/batch?_limit=100&_offset=1&label=a&label=b"),
	}
	if diff := cmp.Diff(want, get("/item?label=b&_offset=1&label=a&_limit=100")); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if m := get("/item?_limit=2"); m.Limit != 2 || m.Capped {
		t.Errorf("limit %d, capped %v", m.Limit, m.Capped)
	}
	if m := get("/item"); m.Limit != 3 {
		t.Errorf("limit %d, want the soft limit", m.Limit)
	}
}

func TestReadViews(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for request, want := range map[string]string{
		"/item?":          "id,label,mass",
		"/item?_view=id&": "id",
		"/no-twin?":       "id",
	} {
		head, _, _ := strings.Cut(s.get(request+"_format=csv").body, "\r\n")
		if head != want {
			t.Errorf("%s: columns %s, want %s", request, head, want)
		}
	}
}

func TestReadNegotiation(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	for accept, want := range map[string]string{
		"":                                 "application/json",
		"*/*":                              "application/json",
		"text/csv;q=0.1, application/json": "application/json",
		"application/json;q=0.1, text/csv": "text/csv; charset=utf-8; header=present",
		"text/*":                           "text/csv; charset=utf-8; header=present",
	} {
		if got := s.get("/item", header("Accept", accept)).wantCode(t, http.StatusOK).header.Get("Content-Type"); got != want {
			t.Errorf("Accept %q: %s, want %s", accept, got, want)
		}
	}
	s.get("/item", header("Accept", "application/xml")).wantCode(t, http.StatusNotAcceptable)
	s.get("/item?_format=toml").wantCode(t, http.StatusNotAcceptable)
}

func TestReadCaching(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	a := s.get("/item")
	a.wantHeader(t, "Cache-Control", "max-age=30")
	if vary := strings.Join(a.header.Values("Vary"), ", "); !strings.Contains(vary, "Accept") {
		t.Errorf("Vary: %s", vary)
	}
	tag := a.header.Get("ETag")
	if tag == "" {
		t.Fatal("no ETag")
	}
	if again := s.get("/item", header("If-None-Match", tag)).wantCode(t, http.StatusNotModified); again.body != "" {
		t.Errorf("304 with body %q", again.body)
	}
	execute(t, s.db, "UPDATE item SET label = 'other' WHERE id = 1")
	s.get("/item", header("If-None-Match", tag)).wantCode(t, http.StatusOK)
	head := s.do(http.MethodHead, "/item").wantCode(t, http.StatusOK)
	if head.body != "" || head.length != int64(len(s.get("/item").body)) {
		t.Errorf("HEAD: body %q, length %d", head.body, head.length)
	}
	s.get("/item?nothing=1").wantCode(t, http.StatusBadRequest).wantHeader(t, "Cache-Control", "no-store")
}
