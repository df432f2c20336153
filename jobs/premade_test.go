package jobs

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"

	"github.com/klauspost/compress/gzip"
)

// put stores an object as any other tool would.
func (s *site) put(t *testing.T, name string, data []byte) {
	t.Helper()
	w, err := s.store.Store.Create(t.Context(), name, cache.ObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	for line := range strings.SplitAfterSeq(text, "\n") { // a member each, as cat a.gz b.gz makes them
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

// Rows that another tool has put into the store are taken in place of a run, byte for
// byte, and other forms are made of them.
func TestPremade(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	const text = "n,word\n1,one\n2,\"two, or so\"\n"
	for name, data := range map[string][]byte{"a.csv": []byte(text), "b.csv.gz": gzipped(t, text)} {
		key, _, _ := strings.Cut(name, ".")
		s.put(t, "premade/"+name, data)
		r := s.request(key, Post)
		r.Plan.SQL = "SELECT 1/0" // the query does not run
		e := s.ran(t, service, r)
		if got := s.content(t, e.File); got != text || e.File.Rows != 2 || e.File.Bytes != int64(len(text)) {
			t.Errorf("%s: %d rows, %q", name, e.File.Rows, got)
		}
		r.Form = ndjson
		if _, err := service.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := s.content(t, *s.fileOf(t, service, r).File); !strings.Contains(got, `{"n":"2","word":"two, or so"}`) {
			t.Errorf("%s: %s", name, got)
		}
		if _, err := s.store.Stat(t.Context(), "premade/"+name); err != nil {
			t.Errorf("the tool's own file: %v", err)
		}
	}
	if n := s.rowsOf(t, "result"); n != 1 {
		t.Errorf("%d results of the same rows", n)
	}
	// One key that begins like another's is not it.
	r := s.request("a.c", Post)
	if e := s.ran(t, service, r); e.File.Rows != 1 {
		t.Errorf("a.c: %+v", e.File)
	}
}

// A fresh run takes only what was put there after it was asked for.
func TestPremadeAndFresh(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.put(t, "premade/k.csv", []byte("n\n7\n"))
	time.Sleep(5 * time.Millisecond)
	s.start(t)
	service := s.service()
	r := s.request("k", Post)
	r.Plan.Fresh, r.Plan.SQL = true, "SELECT 8 AS n"
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := s.content(t, *s.fileOf(t, service, r).File); got != "n\r\n8\r\n" {
		t.Errorf("%q, want the query's row", got)
	}
}

// A file that is no CSV fails the request, and says where; nothing of it is served.
func TestPremadeWrong(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	for i, tt := range []struct{ data, says string }{
		{"", "header"},
		{"a,b\n1,2\n3\n", "line 3"},
		{"a\n\"x\n", "line 2"},
		{"a\n\xff\n", "line 2"},
		{string(gzipped(t, "a,b\n1,2\n"))[:30], "cannot be read"},
	} {
		key := fmt.Sprint("wrong", i)
		s.put(t, "premade/"+key+".csv", []byte(tt.data))
		if _, err := service.Submit(t.Context(), s.request(key, Post)); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			status, err := service.StatusOfKey(t.Context(), key, false, rows.Form{})
			if err != nil || time.Now().After(end) {
				t.Fatal(status, err)
			}
			if status.Word != WordFailed {
				continue
			}
			if reason := status.Job.Error; !strings.Contains(reason, tt.says) || !strings.Contains(reason, "premade/"+key+".csv") {
				t.Errorf("%q: %s; want it to name the file and %s", tt.data, reason, tt.says)
			}
			break
		}
	}
	if n := s.rowsOf(t, "result"); n != 0 {
		t.Errorf("%d results", n)
	}
}
