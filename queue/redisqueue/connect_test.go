package redisqueue

import (
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestServerURL(t *testing.T) {
	for _, test := range []struct {
		url, addr, user, password string
		db                        int
		tls                       string // server name
	}{
		{url: "redis://h", addr: "h:6379", db: 5},
		{url: "redis://h:1/", addr: "h:1", db: 5},
		{url: "redis://h:1/0", addr: "h:1"},
		{url: "redis://h?db=3", addr: "h:6379", db: 3},
		{url: "rediss://ann:p%40w@h/7", addr: "h:6379", user: "ann", password: "p@w", db: 7, tls: "h"},
	} {
		o, err := serverOptions(parsed(t, test.url))
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		name := ""
		if o.TLSConfig != nil {
			name = o.TLSConfig.ServerName
		}
		got := []any{o.Addr, o.Username, o.Password, o.DB, name}
		if diff := cmp.Diff([]any{test.addr, test.user, test.password, test.db, test.tls}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.url, diff)
		}
		if !o.ContextTimeoutEnabled {
			t.Errorf("%s: contexts would not end calls", test.url)
		}
	}
}

func TestSentinelURL(t *testing.T) {
	for _, test := range []struct {
		url                                    string
		hosts                                  []string
		user, password, ofSentinel, atSentinel string
		db                                     int
		tls                                    bool
	}{
		{url: "redis+sentinel://h?master_name=m", hosts: []string{"h:26379"}, db: 5},
		{url: "redis+sentinel://h:1,i,j:2/?master_name=m", hosts: []string{"h:1", "i:26379", "j:2"}, db: 5},
		{url: "redis+sentinel://[::1]/?master_name=m&addr=[::2]:1", hosts: []string{"[::1]:26379", "[::2]:1"}, db: 5},
		{url: "redis+sentinel://h/0?master_name=m", hosts: []string{"h:26379"}},
		{url: "redis+sentinel://h?master_name=m&db=2&addr=i:3", hosts: []string{"h:26379", "i:3"}, db: 2},
		{
			url:   "rediss+sentinel://ann:p%40w@h,i:1/7?master_name=m&sentinel_username=s&sentinel_password=q%26%40",
			hosts: []string{"h:26379", "i:1"}, user: "ann", password: "p@w", atSentinel: "s", ofSentinel: "q&@", db: 7, tls: true,
		},
		{url: "redis+sentinel://:pw@h?master_name=m", hosts: []string{"h:26379"}, password: "pw", db: 5},
		{url: "redis+sentinel://h?master_name=m&username=u&password=pw", hosts: []string{"h:26379"}, user: "u", password: "pw", db: 5},
	} {
		o, err := sentinelOptions(parsed(t, test.url))
		if err != nil {
			t.Errorf("%s: %v", test.url, err)
			continue
		}
		got := []any{o.MasterName, o.SentinelAddrs, o.Username, o.Password, o.SentinelUsername, o.SentinelPassword, o.DB, o.TLSConfig != nil}
		want := []any{"m", test.hosts, test.user, test.password, test.atSentinel, test.ofSentinel, test.db, test.tls}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.url, diff)
		}
		if o.TLSConfig != nil && o.TLSConfig.ServerName != "" {
			t.Errorf("%s: every server would have to go by the name %q", test.url, o.TLSConfig.ServerName)
		}
		if !o.ContextTimeoutEnabled {
			t.Errorf("%s: contexts would not end calls", test.url)
		}
	}
}

func TestURLRefused(t *testing.T) {
	for _, test := range []struct{ url, want string }{
		{"postgres://:secret@h", `scheme "postgres"`},
		{"redis://:secret@local host", "not a URL"},
		{"redis://:secret@h/five", `"five"`},
		{"redis://:secret@h?no_such=secret", "no_such"},
		{"redis+sentinel://:secret@h", "master_name"},
		{"redis+sentinel://:secret@h?master_name=", "master_name"},
		{"redis+sentinel://:secret@h,,i?master_name=m", "empty host"},
		{"redis+sentinel://:secret@?master_name=m", "empty host"},
		{"redis+sentinel://:secret@h/mymaster?master_name=m", `"mymaster"`},
		{"redis+sentinel://:secret@h?master_name=m&no_such=secret&sentinel_password=secret", "no_such"},
		{"redis+sentinel://:secret@h?master_name=m&replica_only=true", "replica_only"},
		{"redis+sentinel://:secret@h?master_name=m&route_randomly=true", "route_randomly"},
	} {
		c, err := connect(test.url)
		if err == nil {
			_ = c.Close()
			t.Errorf("%s: accepted", test.url)
			continue
		}
		if text := err.Error(); !strings.Contains(text, test.want) || strings.Contains(text, "secret") {
			t.Errorf("%s: %v, want %q and no secret", test.url, err, test.want)
		}
	}
}

func parsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
