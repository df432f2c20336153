package blackbox

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// minted is what who has a link made is told.
type minted struct {
	answer answer

	URL, Token string
	Expires    time.Time
	Links      struct{ Formats map[string]string }
}

// path is that of the link, without its extension.
func (m minted) path() string {
	path := m.URL[strings.Index(m.URL, "/results/"):]
	name, _, _ := strings.Cut(path[len("/results/"):], ".")
	return "/results/" + name
}

// links is the path at which links to a request's result are made.
func links(request string) string {
	path, query := split(request)
	return path + "/batch/links" + query
}

func (s *service) mint(request string, with ...func(*http.Request)) minted {
	s.t.Helper()
	a := s.post(links(request), with...).wantCode(s.t, http.StatusCreated)
	m := decode[minted](s.t, a)
	m.answer = a
	return m
}

func (s *service) drop(path, token string) answer {
	s.t.Helper()
	return s.do(http.MethodDelete, path, bearer(token))
}

// Who may read a request may have a link made to its result, by which everybody reads it.
func TestMintLink(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: users})
	alice := bearer(aliceKey)
	// There has to be a result, and nothing is queued for it.
	p := decode[problem](t, s.post(links("/inside?_sort=id"), alice).wantCode(t, http.StatusConflict))
	if p.StatusURL != s.url+"/inside/batch/status?_sort=id" {
		t.Errorf("statusUrl %q", p.StatusURL)
	}
	if d := s.status("/inside/batch/status?_sort=id", alice); d.Status != "Unknown" {
		t.Fatalf("minting has made it %s", d.Status)
	}
	file := s.export("/inside?_sort=id", alice)
	m := s.mint("/inside?_sort=id", alice)
	m.answer.wantHeader(t, "Location", m.URL).wantHeader(t, "Cache-Control", "no-store")
	if !strings.HasPrefix(m.URL, s.url+"/results/") || !strings.HasSuffix(m.URL, ".csv") || len(m.path()) < len("/results/")+26 || len(m.Token) < 43 {
		t.Errorf("the link is %s", m.answer.body)
	}
	if left := time.Until(m.Expires); left < 167*time.Hour || left > 169*time.Hour {
		t.Errorf("it expires in %v, want batch.retention.results", left)
	}
	for word := range fileTypes {
		if m.Links.Formats[word] != s.url+m.path()+"."+word {
			t.Errorf("links.formats.%s is %q", word, m.Links.Formats[word])
		}
	}

	// Without any key, and with a wrong one.
	a := s.get(m.URL).wantCode(t, http.StatusOK)
	if a.body != file.body {
		t.Errorf("the link leads to %q", a.body)
	}
	s.get(m.URL, bearer("guess")).wantCode(t, http.StatusOK)
	a.wantHeader(t, "Cache-Control", "private, no-cache").wantHeader(t, "Referrer-Policy", "no-referrer").wantHeader(t, "X-Robots-Tag", "noindex")
	a.wantHeader(t, "Content-Disposition", file.header.Get("Content-Disposition")).wantHeader(t, "ETag", file.header.Get("ETag"))
	s.get(m.URL, header("If-None-Match", a.header.Get("ETag"))).wantCode(t, http.StatusNotModified)
	s.get(m.URL, header("Range", "bytes=0-1")).wantCode(t, http.StatusPartialContent)
	if head := s.do(http.MethodHead, m.URL).wantCode(t, http.StatusOK); head.length != int64(len(a.body)) {
		t.Errorf("HEAD tells %d bytes", head.length)
	}
	if bare := s.get(m.path()).wantCode(t, http.StatusOK); bare.body != a.body {
		t.Error("without an extension it is another file")
	}

	// Two links are two, and neither is known by the other.
	n := s.mint("/inside?_sort=id", alice)
	if n.path() == m.path() || n.Token == m.Token {
		t.Error("two links are one")
	}
	// The endpoint is for some, and so is minting.
	s.post(links("/inside?_sort=id")).wantCode(t, http.StatusUnauthorized)
	s.export("/alices", alice)
	s.post(links("/alices"), bearer(bobKey)).wantCode(t, http.StatusForbidden)
	s.get(links("/inside?_sort=id"), alice).wantCode(t, http.StatusMethodNotAllowed).wantHeader(t, "Allow", "POST")
	if told := s.log.String(); strings.Contains(told, m.Token) || strings.Contains(told, strings.TrimPrefix(m.path(), "/results/")) {
		t.Error("the log tells the link or its token")
	}
}

// A link is to the result, in whatever format: what is not made yet is made for who opens it.
func TestLinkInEachFormat(t *testing.T) {
	t.Parallel()
	s := start(t, setup{})
	file := s.export("/item?_sort=id")
	m := s.mint("/item?_sort=id&_format=parquet")
	if m.URL != s.url+m.path()+".parquet" {
		t.Errorf("asked for as parquet it is %s", m.URL)
	}
	// HEAD, and what a page embeds, have nothing made.
	s.do(http.MethodHead, m.URL).wantCode(t, http.StatusNotFound)
	s.get(m.URL, header("Sec-Purpose", "prefetch")).wantCode(t, http.StatusServiceUnavailable)
	if n := stored(t, s, ".parquet"); n != 0 {
		t.Fatalf("%d files were made", n)
	}
	for word, mediaType := range fileTypes {
		a := s.get(m.path()+"."+word).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", mediaType)
		if head, rows := table(t, word, a.body); len(head) != 3 || len(rows) != 8 {
			t.Errorf("%s: %d columns and %d rows", word, len(head), len(rows))
		}
		s.do(http.MethodHead, m.path()+"."+word).wantCode(t, http.StatusOK)
	}
	// With the options of CSV.
	n := s.mint("/item?_sort=id&_delimiter=semicolon&_bom=true")
	if n.URL != s.url+n.path()+".csv?_bom=true&_delimiter=semicolon" || n.Links.Formats["json"] != s.url+n.path()+".json" {
		t.Errorf("%s", n.answer.body)
	}
	want := "\uFEFF" + strings.ReplaceAll(file.body, ",", ";")
	if a := s.get(n.URL).wantCode(t, http.StatusOK); !strings.HasPrefix(a.body, want[:20]) {
		t.Errorf("with options: %q", a.body)
	}
	s.get(m.path()+".csv?utm_source=mail&fbclid=x").wantCode(t, http.StatusOK)
	for target, name := range map[string]string{
		".json?_bom=true": "_bom", ".csv?_delimiter=pipe": "_delimiter", ".csv?_format=json": "_format", "?_wait=soon": "_wait", ".csv?_delimeter=tab": "_delimeter",
	} {
		p := decode[problem](t, s.get(m.path()+target).wantCode(t, http.StatusBadRequest))
		if len(p.Problems) != 1 || p.Problems[0].Name != name {
			t.Errorf("%s: %v", target, p.Problems)
		}
	}
	s.get(m.path()+".txt").wantCode(t, http.StatusNotFound)
}

// A link to a file that is not made in time says so, and leads to it later.
func TestLinkToAFileThatIsMade(t *testing.T) {
	t.Parallel()
	s, open := busy(t, setup{})
	m := s.mint("/item?_sort=id")
	for range 2 {
		a := s.get(m.path()+".xlsx?_wait=0").wantCode(t, http.StatusServiceUnavailable).wantHeader(t, "Cache-Control", "no-store")
		if a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	got := make(chan answer, 1)
	go func() {
		a, err := s.try(http.MethodGet, m.path()+".xlsx")
		if err != nil {
			t.Error(err)
		}
		got <- a
	}()
	open()
	(<-got).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", fileTypes["xlsx"])
	if n := stored(t, s, ".xlsx"); n != 1 {
		t.Errorf("%d files were made", n)
	}
}
