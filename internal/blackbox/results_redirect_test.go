package blackbox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"slashbatch/internal/testenv"

	"github.com/google/uuid"
)

// onS3 is a store of this test's own in the bucket.
func onS3(t *testing.T) (cacheURL string) {
	t.Helper()
	u, err := url.Parse(testenv.S3(t))
	if err != nil {
		t.Fatal(err)
	}
	return u.JoinPath("redirect-" + uuid.NewString()).String()
}

// redirected is where a download is sent to; that it is the store, for a while.
func (a answer) redirected(t *testing.T) string {
	t.Helper()
	a.wantCode(t, http.StatusFound).wantHeader(t, "Cache-Control", "no-store").wantHeader(t, "Content-Disposition", "").wantHeader(t, "ETag", "")
	to := a.header.Get("Location")
	u, err := url.Parse(to)
	store, _ := url.Parse(testenv.S3(t))
	if err != nil || u.Scheme+"://"+u.Host != store.Query().Get("endpoint") || u.Query().Get("X-Amz-Signature") == "" || u.Query().Get("X-Amz-Expires") != "120" {
		t.Errorf("redirected to %s", to)
	}
	return to
}

// cache.download: redirect sends who can read the stored bytes as they are to the store, after
// the access check, and nobody else.
func TestRedirect(t *testing.T) {
	t.Parallel()
	s := start(t, setup{settings: with(users, map[string]any{
		"cache.url": onS3(t), "cache.download": "redirect", "cache.linkTTL": "2m",
	})})
	alice := bearer(aliceKey)
	const request = "/inside?_sort=id"
	s.post(twin(request), alice)
	s.await("Completed", statusOf(request), alice)
	// Who does not accept gzip gets the file from here.
	plain := s.get(twin(request), alice).wantCode(t, http.StatusOK)
	if plain.body != allIDs {
		t.Fatalf("the file is %q", plain.body)
	}
	s.get(twin(request), zipped).wantCode(t, http.StatusUnauthorized)
	s.get(twin("/alices?_sort=id"), zipped, bearer(bobKey)).wantCode(t, http.StatusForbidden)

	execute(t, s.db, "UPDATE slashbatch.result SET accessed = now() - interval '1 day'; UPDATE slashbatch.variant SET accessed = now() - interval '1 day'")
	var signed []string
	a := s.get(twin(request), alice, zipped)
	signed = append(signed, a.redirected(t))
	file := s.get(signed[0], zipped).wantCode(t, http.StatusOK)
	file.wantHeader(t, "Content-Type", "text/csv; charset=utf-8").wantHeader(t, "Content-Encoding", "gzip")
	file.wantHeader(t, "Content-Disposition", plain.header.Get("Content-Disposition"))
	if inflated(t, file.body) != plain.body {
		t.Error("the store has another file")
	}
	// The URL was minted, so the file stays for as long as that works.
	if late := query(t, s.db, "SELECT count(*) FROM slashbatch.variant v JOIN slashbatch.result r ON r.id = v.result WHERE least(v.accessed, r.accessed) < now() - interval '1 hour'")[0][0]; late != "0" {
		t.Error("a signed URL was no access")
	}
	if again := s.get(twin(request), alice, zipped).redirected(t); again == "" {
		t.Error("no URL")
	}

	// What is not gzip to be inflated goes to the store for everybody.
	for _, word := range []string{"csv.gz", "ndjson.gz", "parquet", "xlsx"} {
		a := s.get(twin(request)+"&_wait=30&_format="+word, alice)
		to := a.redirected(t)
		signed = append(signed, to)
		file := s.get(to).wantCode(t, http.StatusOK).wantHeader(t, "Content-Type", fileTypes[word]).wantHeader(t, "Content-Encoding", "")
		file.wantHeader(t, "Content-Disposition", `attachment; filename="inside_sort=id.`+word+`"`)
		if _, rows := table(t, word, file.body); len(rows) != 8 {
			t.Errorf("%s: rows %v", word, rows)
		}
		part := s.get(to, header("Range", "bytes=0-3")).wantCode(t, http.StatusPartialContent)
		if part.body != file.body[:4] {
			t.Errorf("%s: a part is %q", word, part.body)
		}
	}
	s.get(twin(request)+"&_wait=30&_format=json", alice).wantCode(t, http.StatusOK)

	// No more than the headers are wanted, or not even those.
	tag := s.do(http.MethodHead, twin(request), alice, zipped).wantCode(t, http.StatusOK).wantHeader(t, "Content-Encoding", "gzip").header.Get("ETag")
	s.get(twin(request), alice, zipped, header("If-None-Match", tag)).wantCode(t, http.StatusNotModified)
	s.get(twin(request), alice, zipped, header("If-None-Match", `"other"`)).redirected(t)
	// The status tells the URL here, which lives longer than any that is signed.
	if d := s.status(statusOf(request), alice); d.URL != s.url+twin(request) {
		t.Errorf("url %s", d.URL)
	}
	// Links are no other way.
	m := s.mint(request, alice)
	signed = append(signed, s.get(m.URL, zipped).wantHeader(t, "Referrer-Policy", "no-referrer").redirected(t))
	s.get(m.URL).wantCode(t, http.StatusOK)

	for _, to := range signed {
		u, _ := url.Parse(to)
		for _, secret := range []string{u.Query().Get("X-Amz-Signature"), "X-Amz-Signature"} {
			if strings.Contains(s.log.String(), secret) {
				t.Errorf("%s is in the log", secret)
			}
		}
	}
}

// A folder has no URLs to send anybody to.
func TestNoRedirectToAFolder(t *testing.T) {
	t.Parallel()
	if told := refusal(t, setup{settings: map[string]any{"cache.download": "redirect"}}); !strings.Contains(told, "cache.download: redirect needs an s3:// store") {
		t.Errorf("the start tells %s", told)
	}
}
