package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// Elsewhere than on a terminal there is a line now and then, with rate and time left.
func TestProgressLines(t *testing.T) {
	var out, errs bytes.Buffer
	p := newProgress(env{nil, &out, &errs}, "copied", false)
	p.show(amount{1, 100, 1 << 20, 100 << 20})
	if errs.Len() > 0 {
		t.Errorf("at once it says %q", errs.String())
	}
	p.began, p.last = p.began.Add(-time.Minute), p.last.Add(-time.Minute)
	p.show(amount{50, 100, 60 << 20, 90 << 20})
	p.show(amount{51, 100, 61 << 20, 90 << 20})
	p.end()
	got := errs.String()
	if !strings.HasPrefix(got, "copied 50 of 100 files, 60.0 MiB of 90.0 MiB, ") || !strings.HasSuffix(got, "iB/s, about 30s left\n") || out.Len() > 0 {
		t.Errorf("it says %q", got)
	}
}

// On a terminal there is a bar, which may grow, and goes at the end.
func TestProgressBar(t *testing.T) {
	var errs bytes.Buffer
	p := newProgress(env{nil, nil, &errs}, "copied", false)
	p.asBar = true
	p.show(amount{})
	if errs.Len() > 0 {
		t.Errorf("of nothing it draws %q", errs.String())
	}
	p.show(amount{1, 4, 1 << 20, 4 << 20})
	if errs.Len() > 0 {
		t.Errorf("it is drawn more often than anybody can see: %q", errs.String())
	}
	p.last = time.Time{}
	p.show(amount{1, 4, 1 << 20, 4 << 20})
	p.last = time.Time{}
	p.show(amount{4, 8, 4 << 20, 8 << 20})
	p.say(&errs, "found %d", 1)
	p.end()
	for _, want := range []string{"copied 4 of 8 files", "50%", "found 1\n"} {
		if !strings.Contains(errs.String(), want) {
			t.Errorf("it draws no %q: %q", want, errs.String())
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 5 << 29: "2.5 GiB", 1 << 50: "1024.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %s, want %s", n, got, want)
		}
	}
}
