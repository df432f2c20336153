package blackbox

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// problem is an error as programs read it.
type problem struct {
	Type, Title, Detail string
	Status              int
	Problems            []struct{ Name, Reason string }
	StatusURL           string
	BatchURL            string

	Timestamp, Error, Message, Path string
}

func (p problem) names() []string {
	var names []string
	for _, one := range p.Problems {
		names = append(names, one.Name)
	}
	slices.Sort(names)
	return names
}

func TestProblemDocument(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	for target, code := range map[string]int{
		"/nothing/here": http.StatusNotFound, "/item?size=x": http.StatusBadRequest, "/inside": http.StatusUnauthorized,
		"/item/batch?size=x": http.StatusBadRequest, "/item?_format=x": http.StatusNotAcceptable, "/no-twin/batch": http.StatusNotFound,
	} {
		a := s.get(target).wantCode(t, code).wantHeader(t, "Content-Type", "application/problem+json").wantHeader(t, "Cache-Control", "no-store")
		p := decode[problem](t, a)
		path, _ := split(target)
		if p.Type != "about:blank" || p.Title != http.StatusText(code) || p.Status != code || p.Detail == "" {
			t.Errorf("%s: RFC 9457 members %+v", target, p)
		}
		if _, err := time.Parse(time.RFC3339, p.Timestamp); err != nil || p.Error != http.StatusText(code) || p.Message == "" || p.Path != path {
			t.Errorf("%s: SAPI-NT members %+v", target, p)
		}
		page := s.get(target, browser).wantCode(t, code)
		page.wantHeader(t, "Content-Type", "text/html; charset=utf-8")
		if !strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s: the page has no policy", target)
		}
	}
}

func TestEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true})
	const bad = "size=x&min-mass=y&_limit=-1&_sort=nothing&_view=nothing&unknown=1&at=yesterday&ref=1&raw=1&exists-mass=maybe&_fresh=perhaps&_wait=soon&day=2026-02-30" +
		"&_count=maybe&_delimiter=pipe&_bom=perhaps&_safe=2&_after=x&_offset=-1&mineq-day=soon&exists-nothing=true&ok=maybe"
	want := []string{"_after", "_bom", "_count", "_delimiter", "_fresh", "_limit", "_offset", "_safe", "_sort", "_view", "_wait", "at", "day", "exists-mass", "exists-nothing", "min-mass", "mineq-day", "ok", "raw", "ref", "size", "unknown"}
	for _, a := range []answer{s.get("/item?" + bad), s.get("/item/batch?" + bad), s.post("/item/batch", form(bad))} {
		p := decode[problem](t, a.wantCode(t, http.StatusBadRequest))
		if got := p.names(); !slices.Equal(got, want) {
			t.Errorf("problems with %v\nwant %v", got, want)
		}
		for _, name := range want {
			if !strings.Contains(p.Message, name) {
				t.Errorf("SAPI-NT's message does not name %s: %s", name, p.Message)
			}
		}
		for _, one := range p.Problems {
			if one.Name == "size" && !strings.Contains(one.Reason, "whole number") {
				t.Errorf("size: %q does not say what was expected", one.Reason)
			}
		}
		if !strings.Contains(p.Message, "known: at, attrs, day") {
			t.Errorf("the known parameters are not listed: %s", p.Message)
		}
	}
	// The path's problems are told with the query's.
	p := decode[problem](t, s.post("/group/abc/item/batch?mass=x").wantCode(t, http.StatusBadRequest))
	if got := p.names(); !slices.Equal(got, []string{"grp", "mass"}) {
		t.Errorf("problems with %v", got)
	}
}

// Whatever is sent, the answer is a 4xx that says so, and nothing is queued.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := start(t, setup{idle: true, settings: map[string]any{"server.maxBodyBytes": "64KiB"}})
	deep := strings.Repeat("[", 20_000)
	for _, tt := range []struct {
		name string
		a    answer
		code int
	}{
		{"badly encoded query", s.post("/item/batch?label=%zz"), 400},
		{"semicolon in the query", s.post("/item/batch?label=a;size=1"), 400},
		{"NUL in a value", s.post("/item/batch?label=%00"), 400},
		{"NUL in a name", s.post("/item/batch?%00=1"), 400},
		{"invalid UTF-8 in a value", s.post("/item/batch?label=%ff"), 400},
		{"invalid UTF-8 in a name", s.post("/item/batch?%ff=1"), 400},
		{"huge int", s.post("/item/batch?size=99999999999999999999"), 400},
		{"huge numeric", s.post("/item/batch?mass=1e99999"), 400},
		{"huge limit", s.post("/item/batch?_limit=99999999999999999999"), 400},
		{"too many values", s.post("/item/batch?" + strings.Repeat("size=1&", 100) + "size=x"), 400},
		{"long value", s.post("/item/batch?label=" + strings.Repeat("x", 9000)), 400},
		{"one view twice", s.post("/item/batch?_view=id&_view=wide"), 400},
		{"SQL as a view", s.post("/item/batch?_view=id;drop"), 400},
		{"SQL as a sort", s.post("/item/batch?_sort=id)--"), 400},
		{"badly encoded form", s.post("/item/batch", form("label=%zz")), 400},
		{"NUL in a form", s.post("/item/batch", form("label=%00")), 400},
		{"body of another kind", s.post("/item/batch", header("Content-Type", "text/plain"), content("label=a")), 415},
		{"body without a kind", s.post("/item/batch", content("label=a")), 415},
		{"body too long", s.post("/item/batch", form("label="+strings.Repeat("x", 65<<10))), 413},
		{"no JSON", s.post("/item/batch", jsonBody(`{"label":`)), 400},
		{"JSON list", s.post("/item/batch", jsonBody(`["label"]`)), 400},
		{"JSON null", s.post("/item/batch", jsonBody(`null`)), 400},
		{"JSON with more after it", s.post("/item/batch", jsonBody(`{} {}`)), 400},
		{"JSON object as a value", s.post("/item/batch", jsonBody(`{"label":{"a":1}}`)), 400},
		{"JSON list of lists", s.post("/item/batch", jsonBody(`{"label":[["a"]]}`)), 400},
		{"JSON null as a value", s.post("/item/batch", jsonBody(`{"label":null}`)), 400},
		{"deep JSON", s.post("/item/batch", jsonBody(`{"label":`+deep)), 400},
		{"JSON of a wrong type", s.post("/item/batch", jsonBody(`{"size":"x"}`)), 400},
		{"huge JSON number", s.post("/item/batch", jsonBody(`{"size":1e400}`)), 400},
		{"JSON with one name twice", s.post("/item/batch", jsonBody(`{"label":"a","label":"b"}`)), 400},
		{"JSON with NUL", s.post("/item/batch", jsonBody(`{"label":"\u0000"}`)), 400},
		{"JSON with invalid UTF-8", s.post("/item/batch", jsonBody("{\"label\":\"\xff\"}")), 400},
		{"JSON with half a character", s.post("/item/batch", jsonBody(`{"label":"\ud83d"}`)), 400},
		{"unknown JSON member", s.post("/item/batch", jsonBody(`{"nothing":1}`)), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := decode[problem](t, tt.a.wantCode(t, tt.code))
			if p.Detail == "" {
				t.Error("the answer does not say what is wrong")
			}
		})
	}
	if d := s.status(s.post("/item/batch").location(t)); *d.PositionInQueue != 1 {
		t.Errorf("a good request is in place %d, want 1: nothing bad was queued", *d.PositionInQueue)
	}
	if n := s.log.count(`"level":"ERROR"`); n > 0 {
		t.Errorf("%d errors in the log", n)
	}
}
