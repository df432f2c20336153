package blackbox

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// client follows no redirect and asks for no compression by itself. The
// time-out only keeps a hanging answer from hanging the tests.
var client = &http.Client{
	Transport:     &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16, IdleConnTimeout: 5 * time.Second},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Timeout:       2 * patience,
}

// answer is a response that has been read.
type answer struct {
	code   int
	header http.Header
	body   string
	// length is what Content-Length says, -1 when nothing.
	length int64
}

// header sets a header of a request; without a value it leaves the header out.
func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func form(values string) func(*http.Request) {
	return func(r *http.Request) {
		header("Content-Type", "application/x-www-form-urlencoded")(r)
		content(values)(r)
	}
}

func jsonBody(text string) func(*http.Request) {
	return func(r *http.Request) {
		header("Content-Type", "application/json")(r)
		content(text)(r)
	}
}

func content(text string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
}

func bearer(key string) func(*http.Request) { return header("Authorization", "Bearer "+key) }

// browser is what browsers accept.
var browser = header("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")

func (s *service) get(target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	return s.do(http.MethodGet, target, with...)
}

func (s *service) post(target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	return s.do(http.MethodPost, target, with...)
}

// do sends a request to a path of the service, or to an absolute URL.
func (s *service) do(method, target string, with ...func(*http.Request)) answer {
	s.t.Helper()
	a, err := s.try(method, target, with...)
	if err != nil {
		s.t.Fatal(err)
	}
	return a
}

// try is do for goroutines, and where no answer is a possible answer.
func (s *service) try(method, target string, with ...func(*http.Request)) (answer, error) {
	if strings.HasPrefix(target, "/") {
		target = s.url + target
	}
	r, err := http.NewRequest(method, target, nil)
	if err != nil {
		return answer{}, err
	}
	for _, f := range with {
		f(r)
	}
	response, err := client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, string(body), response.ContentLength}, err
}

// wantCode fails the test unless the answer has this status code.
func (a answer) wantCode(t *testing.T, want int) answer {
	t.Helper()
	if a.code != want {
		t.Fatalf("answered %d, want %d\n%v\n%s", a.code, want, a.header, clip(a.body))
	}
	return a
}

// wantHeader checks one header.
func (a answer) wantHeader(t *testing.T, name, want string) answer {
	t.Helper()
	if got := strings.Join(a.header.Values(name), ", "); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
	return a
}

// location is the redirect's target as path and query, checked to be absolute.
func (a answer) location(t *testing.T) string {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || !u.IsAbs() {
		t.Fatalf("Location %q is not an absolute URL", a.header.Get("Location"))
	}
	return u.RequestURI()
}

// decode reads a JSON body.
func decode[T any](t *testing.T, a answer) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		t.Fatalf("not the JSON expected: %v\n%s", err, clip(a.body))
	}
	return v
}

func clip(s string) string {
	if len(s) > 1000 {
		return s[:1000] + "…"
	}
	return s
}

// status is the status document, with its answer.
type status struct {
	answer answer

	Key             string
	Status          string
	URL             string
	PositionInQueue *int
	ETA             *int64
	Started         int64
	ID              string
	Submitted       int64
	Finished        int64
	Attempt         int
	Rows, Bytes     *int64
	Progress        *float64
	Error           string
	Generated       time.Time
	Expires         time.Time
	SHA256          string
	Links           struct {
		Status, Events, Cancel, Result string
		Formats                        map[string]string
	}
}

// status asks for a status page by its path.
func (s *service) status(target string, with ...func(*http.Request)) status {
	s.t.Helper()
	a := s.get(target, with...)
	if a.code != http.StatusOK && a.code != http.StatusNotFound {
		s.t.Fatalf("status answered %d: %s", a.code, clip(a.body))
	}
	d := decode[status](s.t, a)
	d.answer = a
	return d
}

// await polls a status page until it has the word.
func (s *service) await(word, target string, with ...func(*http.Request)) status {
	s.t.Helper()
	var d status
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if d = s.status(target, with...); d.Status == word {
			return d
		}
		ended := d.Status == "Completed" || d.Status == "Failed" || d.Status == "Cancelled"
		if ended || time.Now().After(deadline) {
			s.t.Fatalf("status is %s (%s), want %s", d.Status, d.Error, word)
		}
	}
}

// split takes "/item?a=b" apart, so that a twin's path can be made of it.
func split(request string) (path, query string) {
	path, query, found := strings.Cut(request, "?")
	if found {
		query = "?" + query
	}
	return path, query
}

// twin and statusOf are the paths of a request's export and of its status.
func twin(request string) string {
	path, query := split(request)
	return path + "/batch" + query
}

func statusOf(request string) string {
	path, query := split(request)
	return path + "/batch/status" + query
}

// export has a request computed and returns its file.
func (s *service) export(request string, with ...func(*http.Request)) answer {
	s.t.Helper()
	s.post(twin(request), with...).wantCode(s.t, http.StatusSeeOther)
	s.await("Completed", statusOf(request), with...)
	return s.get(twin(request), with...).wantCode(s.t, http.StatusOK)
}
