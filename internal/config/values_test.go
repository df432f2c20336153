package config

import (
	"fmt"
	"math"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func TestDuration(t *testing.T) {
	const day = 24 * time.Hour
	for in, want := range map[string]time.Duration{
		"1000": time.Second, "0": 0, "-5": -5 * time.Millisecond, "0x10": 16 * time.Millisecond,
		"90s": 90 * time.Second, "168h": 7 * day, "7d": 7 * day, "1d12h": 36 * time.Hour, "0d": 0, "1.5h": 90 * time.Minute,
		"250ms": 250 * time.Millisecond, "-1s": -time.Second,
	} {
		var d Duration
		if err := yaml.Unmarshal([]byte(in), &d); err != nil || d.Std() != want {
			t.Errorf("%s = %v, %v; want %v", in, d.Std(), err, want)
		}
	}
	for _, in := range []string{
		`""`, `"1000"`, "soon", "1.5", "d", "-1d", "1d-1h", "1d1d", "1.5d", "1w", "true", "[1s]", "{a: b}",
		"9223372036855", "106752d", "106751d24h", "99999999999999999999d", "!!int x",
	} {
		var d Duration
		if err := yaml.Unmarshal([]byte(in), &d); err == nil {
			t.Errorf("%s = %v, want an error", in, d)
		}
	}
}

func TestDurationString(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"0s": 0, "1s": time.Second, "1.5s": 1500 * time.Millisecond, "1m": time.Minute, "10m": 10 * time.Minute,
		"1h": time.Hour, "20h": 20 * time.Hour, "1h30m": 90 * time.Minute, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
		if back, err := ParseDuration(want); err != nil || back.Std() != d {
			t.Errorf("%q reads back as %v, %v", want, back, err)
		}
	}
}

func TestSize(t *testing.T) {
	for in, want := range map[string]Size{
		"0": 0, "1048576": 1 << 20, "-1": -1, "16KiB": 16 << 10, "1 MiB": 1 << 20, "100GiB": 100 << 30, "2TiB": 2 << 40,
		"5kB": 5000, "5KB": 5000, "5MB": 5e6, "5GB": 5e9, "5TB": 5e12, "7B": 7,
	} {
		var s Size
		if err := yaml.Unmarshal([]byte(in), &s); err != nil || s != want {
			t.Errorf("%s = %d, %v; want %d", in, s, err, want)
		}
	}
	for _, in := range []string{`""`, `"1"`, "GiB", "1.5GiB", "-1GiB", "1G", "1gib", "99999999TiB", "9223372036854775808", "1.5", "true", "[1]"} {
		var s Size
		if err := yaml.Unmarshal([]byte(in), &s); err == nil {
			t.Errorf("%s = %v, want an error", in, s)
		}
	}
	for want, s := range map[string]Size{
		"0": 0, "1000": 1000, "1KiB": 1024, "1536KiB": 3 << 19, "100GiB": 100 << 30, "9223372036854775807": math.MaxInt64,
	} {
		if got := s.String(); got != want {
			t.Errorf("%d is written %q, want %q", int64(s), got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"memory:":                            "memory:",
		"postgres://h/d":                     "postgres://h/d",
		"postgres://u:pw@h:5/d?sslmode=off":  "postgres://u:xxxxx@h:5/d?sslmode=off",
		"postgres:///d?user=u&password=pw":   "postgres:///d?user=u&password=xxxxx",
		"postgres:///d?p%61ssword=pw":        "postgres:///d?p%61ssword=xxxxx",
		"redis://:pw@h/5":                    "redis://:xxxxx@h/5",
		"redis+sentinel://h?a_PASSWORD=pw":   "redis+sentinel://h?a_PASSWORD=xxxxx",
		"s3://b/p?region=r&secret_key=pw":    "s3://b/p?region=r&secret_key=xxxxx",
		"s3://b/p?path_style=true":           "s3://b/p?path_style=true",
		"postgres://u:p/w@h/d":               "xxxxx",
		"redis://u:12?pw@h/d":                "xxxxx",
		"redis://u:12#pw@h/d":                "xxxxx",
		"host=h password=pw":                 "xxxxx",
		"u:pw@h/d":                           "xxxxx",
		"postgres://u:p%zz@h/d":              "xxxxx",
		"postgres://u:pw@h/d?password=a;b=c": "postgres://u:xxxxx@h/d?password=xxxxx",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestURLHidesItsPassword(t *testing.T) {
	s := Catalog{URL: "postgres://u:pw@h/d"}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if got, want := fmt.Sprintf(verb, s.URL), "postgres://u:xxxxx@h/d"; got != want && got != `"`+want+`"` {
			t.Errorf("%s prints %s", verb, got)
		}
	}
	if got, want := fmt.Sprintf("%+v", s), "{URL:postgres://u:xxxxx@h/d URLFile: Migrate:false}"; got != want {
		t.Errorf("inside a struct it prints %s", got)
	}
}

func TestNearest(t *testing.T) {
	known := []string{"listen", "adminListen", "publicUrl", "url"}
	for in, want := range map[string]string{
		"lisen": "listen", "lsiten": "listen", "LISTEN": "listen", "public_url": "publicUrl", "uri": "url",
		"retention": "", "x": "", "": "",
	} {
		if got := nearest(in, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", in, got, want)
		}
	}
}
