package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestQueueURLs(t *testing.T) {
	for url, want := range map[string]string{
		"redis://h":        "",
		"rediss://h:1/0":   "",
		"redis://h:6379/x": "queue.url: expected the number of a Redis database as the path, such as /5",
		"redis:///5":       "queue.url: expected redis://host:6379/5",
		"redis+sentinel://a:1,b:2/5?master_name=m": "",
		"rediss+sentinel://u:p@a/5?master_name=m":  "",
		"redis+sentinel://a:1,b:2/5":               "queue.url: sentinels watch several servers: ?master_name=… is the name of this one",
		"redis+sentinel:///5?master_name=m":        "queue.url: expected redis+sentinel://host:26379,host:26379/5?master_name=…",
		"postgres:":                                "",
		"postgres://u:p@h/d":                       "",
		"postgresql:///d":                          "",
		"postgres://":                              `queue.url: expected "postgres:" alone, for the catalogue's database, or postgres://user:password@host:5432/database`,
		"postgres:d":                               `queue.url: expected "postgres:" alone, for the catalogue's database, or postgres://user:password@host:5432/database`,
		"memory:":                                  "",
		"memory:x":                                 `queue.url: "memory:" stands alone: the queue lives in this process`,
		"amqp://h":                                 `queue.url: expected a URL that begins with redis, rediss, redis+sentinel, rediss+sentinel, postgres, postgresql or memory, not with "amqp:"`,
	} {
		_, problems := load("f", []byte(minimal+"queue: {url: \""+url+"\"}\n"), nil)
		got := strings.TrimPrefix(problems.Error(), "f: ")
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", url, diff)
		}
	}
	for url, want := range map[string]string{"postgres:": "queue.replicas: only Redis has replicas to wait for", "redis+sentinel://a?master_name=m": ""} {
		_, problems := load("f", []byte(minimal+"queue: {url: \""+url+"\", replicas: 1}\n"), nil)
		if got := strings.TrimPrefix(problems.Error(), "f: "); got != want {
			t.Errorf("replicas on %s: %q", url, got)
		}
	}
}

func TestQueueDatabase(t *testing.T) {
	for url, want := range map[URL]URL{"postgres:": "postgres:///c", "postgres:///q": "postgres:///q", "redis://h": "", "memory:": ""} {
		if got, ok := (Queue{URL: url}).Database("postgres:///c"); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", url.Reveal(), got.Reveal(), ok)
		}
	}
}
