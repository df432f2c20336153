package s3store

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseURL(t *testing.T) {
	tests := []struct {
		url  string
		want target
	}{
		{"s3://bucket", target{bucket: "bucket"}},
		{"s3://bucket/", target{bucket: "bucket"}},
		{"s3://bucket/a/b/", target{bucket: "bucket", prefix: "a/b/"}},
		{"s3://bucket/a%2520b", target{bucket: "bucket", prefix: "a%20b/"}},
		{"s3://bucket?region=eu-central-1", target{bucket: "bucket", region: "eu-central-1"}},
		{
			"s3://bucket/p?region=r&endpoint=http://127.0.0.1:7070&path_style=true",
			target{bucket: "bucket", prefix: "p/", region: "r", endpoint: "http://127.0.0.1:7070", pathStyle: true},
		},
		{"s3://bucket?endpoint=https%3A%2F%2Fs3.example.org%2Fsub&path_style=0", target{bucket: "bucket", endpoint: "https://s3.example.org/sub"}},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		got, err := parseURL(u)
		if err != nil {
			t.Errorf("%s: %v", tt.url, err)
		}
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(target{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.url, diff)
		}
	}
}

func TestParseURLErrors(t *testing.T) {
	tests := []struct{ url, want string }{
		{"file:///x", `the scheme is "file"`},
		{"s3:///prefix", "no bucket"},
		{"s3:bucket", "no bucket"},
		{"s3://localhost:9000/bucket", "option endpoint"},
		{"s3://bucket#x", "fragment"},
		{"s3://bucket/../x", "prefix"},
		{"s3://bucket/a//b", "prefix"},
		{"s3://bucket/a%00", "prefix"},
		{"s3://bucket/" + strings.Repeat("a/", 251) + "a", "at most 500 bytes"},
		{"s3://bucket?regoin=x", `unknown option "regoin" in the URL; there are endpoint, path_style, region`},
		{"s3://bucket?Region=x", `unknown option "Region"`},
		{"s3://bucket?region=a&region=b", "2 times"},
		{"s3://bucket?path_style=maybe", `"maybe"`},
		{"s3://bucket?endpoint=", "not like https://host"},
		{"s3://bucket?endpoint=127.0.0.1:9000", "endpoint"},
		{"s3://bucket?endpoint=ftp://host", "not like https://host"},
		{"s3://bucket?endpoint=http://host/%3Fa=b%26x", "endpoint"},
		{"s3://key:hunter2@bucket", "credentials do not belong"},
		{"s3://bucket?endpoint=http://key:hunter2@host", "credentials do not belong"},
		{"s3://bucket?a=hunter2%zz", "cannot be read"},
		{"s3://bucket?secret=hunter2", "unknown option"},
	}
	for _, tt := range tests {
		u, err := url.Parse(tt.url)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseURL(u)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s = %v, want an error with %q", tt.url, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error shows a secret: %v", tt.url, err)
		}
	}
}
