package storetest

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"slashbatch/cache"
)

// testPing: a store that works says so, and leaves no trace of being asked.
func testPing(t *testing.T, s cache.Store) {
	if err := s.Ping(t.Context()); err != nil {
		t.Fatalf("Ping: %v", err)
	}
	if got := names(t, s, ""); len(got) > 0 {
		t.Errorf("Ping left %q", got)
	}
}

// testSignURL: anybody can fetch the URL, with nothing but the URL, and gets
// the headers that were asked for; a changed URL is refused. A backend opts out
// by answering ErrUnsupported.
func testSignURL(t *testing.T, s cache.Store) {
	const name, disposition = "dir/a%2Fb+c.csv.gz", `attachment; filename="Maerz 100%.csv.gz"; filename*=UTF-8''M%C3%A4rz%20100%25.csv.gz`
	put(t, s, name, []byte("not really gzip"))
	signed, err := s.SignURL(t.Context(), name, cache.SignOptions{
		TTL:                time.Minute,
		ContentType:        "text/csv; charset=utf-8",
		ContentDisposition: disposition,
	})
	if errors.Is(err, cache.ErrUnsupported) {
		t.Skip("this backend has no signed URLs")
	}
	if err != nil {
		t.Fatalf("SignURL: %v", err)
	}

	resp, body := fetch(t, signed)
	if resp.StatusCode != http.StatusOK || body != "not really gzip" {
		t.Fatalf("GET = %s: %s", resp.Status, body)
	}
	if got := resp.Header.Get("Content-Disposition"); got != disposition {
		t.Errorf("Content-Disposition = %s, want %s", got, disposition)
	}
	if got := resp.Header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
		t.Errorf("Content-Type = %s", got)
	}
	if got := resp.Header.Get("Content-Encoding"); got != "" {
		t.Errorf("Content-Encoding = %s, want none", got)
	}

	put(t, s, "dir/secret", []byte("secret"))
	changed, err := url.Parse(signed)
	if err != nil {
		t.Fatal(err)
	}
	changed.RawPath, changed.Path = "", changed.Path[:len(changed.Path)-len(name)]+"dir/secret"
	if resp, body := fetch(t, changed.String()); resp.StatusCode < 400 || body == "secret" {
		t.Errorf("the signature of one object opened another: %s: %s", resp.Status, body)
	}
	changed.RawQuery = ""
	if resp, body := fetch(t, changed.String()); resp.StatusCode < 400 || body == "secret" {
		t.Errorf("an object can be had without a signature: %s: %s", resp.Status, body)
	}

	long, err := s.SignURL(t.Context(), name, cache.SignOptions{TTL: 24 * time.Hour, ContentEncoding: "gzip"})
	if err != nil {
		t.Fatalf("SignURL for a day: %v", err)
	}
	if u, err := url.Parse(long); err != nil {
		t.Error(err)
	} else if seconds, err := strconv.Atoi(u.Query().Get("X-Amz-Expires")); err == nil && seconds != int(cache.MaxSignTTL.Seconds()) {
		t.Errorf("a URL for a day lives %d s, want %v", seconds, cache.MaxSignTTL)
	}
	resp, _ = fetch(t, long)
	if got := resp.Header.Get("Content-Encoding"); got != "gzip" {
		t.Errorf("Content-Encoding = %s, want gzip", got)
	}
	for _, ttl := range []time.Duration{0, -time.Second} {
		if _, err := s.SignURL(t.Context(), name, cache.SignOptions{TTL: ttl}); err == nil {
			t.Errorf("SignURL with a TTL of %v succeeded", ttl)
		}
	}
}

// fetch gets a URL as a stranger does, and takes the body as it is sent.
func fetch(t *testing.T, target string) (*http.Response, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}
	resp, err := client.Get(target)
	if err != nil {
		t.Fatal("fetching the signed URL failed") // The error would show the URL.
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("reading the body: %v", err)
	}
	return resp, string(body)
}
