package config

import (
	"strings"
	"testing"
)

func TestReadFrom(t *testing.T) {
	c := mustLoad(t, minimal+"cache: {readFrom: [file:./old, \"s3://bucket/p?region=r\"]}\n")
	old := c.Cache.ReadFrom[0].Reveal()
	if !strings.HasPrefix(old, "file:///") || !strings.HasSuffix(old, "/old") || c.Cache.ReadFrom[1] != "s3://bucket/p?region=r" {
		t.Errorf("readFrom is %v", c.Cache.ReadFrom)
	}
	if c := mustLoad(t, minimal, "SLASHBATCH_CACHE_READFROM=s3://a,s3://b"); len(c.Cache.ReadFrom) != 2 {
		t.Errorf("two stores in a variable come to %v", c.Cache.ReadFrom)
	}
	_, problems := load("f", []byte(minimal+"cache: {readFrom: [\"http://u:hunter2@h/\", s3:, \"\"]}\n"), nil)
	for i, want := range []string{
		`cache.readFrom[0]: expected a URL that begins with s3 or file, not with "http:"`,
		`cache.readFrom[1]: expected s3://bucket/prefix`,
		`cache.readFrom[2]: is not a URL`,
	} {
		if i >= len(problems) || !strings.Contains(problems[i].String(), want) {
			t.Errorf("problem %d of %v; want %s", i, problems, want)
		}
	}
	if strings.Contains(problems.Error(), "hunter2") {
		t.Error("a problem repeats a secret")
	}
}
