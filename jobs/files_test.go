package jobs

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
	"slashbatch/queue"

	"github.com/klauspost/compress/gzip"
)

var ndjson = rows.Form{Format: rows.FormatNDJSON}

// fileOf asks for a request's file until it is there.
func (s *site) fileOf(t *testing.T, service *Service, r Request) Status {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		status, err := service.StatusOfKey(t.Context(), r.Plan.Key, false, r.Form)
		if err != nil {
			t.Fatal(err)
		}
		if status.Entry != nil {
			return status
		}
		if status.Word == WordUnknown || status.Word == WordFailed || time.Now().After(end) {
			t.Fatalf("status %s of %+v", status.Word, status.Job)
		}
	}
}

// content is a file's, inflated.
func (s *site) content(t *testing.T, f cache.File) string {
	t.Helper()
	body, _, err := s.store.Open(t.Context(), f.Object, 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	var in io.Reader = body
	if f.Gzipped {
		if in, err = gzip.NewReader(body); err != nil {
			t.Fatal(err)
		}
	}
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whoever asks for a file of another form while the run is still to come gets it
// without asking again; however many ask, it is made once.
func TestFileOnceForMany(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.Slots = map[queue.Lane]int{queue.LaneExport: 8}
	servers := []*Service{s.service(), s.service(), s.service()}
	r := s.request("k", Get)
	r.Plan.SQL, r.Form, r.RunningCap = "SELECT n, 'x' || n AS x FROM generate_series(1, 1000) n, (SELECT pg_sleep(0.05)) s", ndjson, 8
	ask := func() {
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				if _, err := servers[i%3].Submit(context.Background(), r); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	ask()
	s.start(t)
	first := s.fileOf(t, servers[0], r)
	ask()
	last := s.fileOf(t, servers[1], r)
	if last.File.Object != first.File.Object || first.File.FileName != "x.ndjson" || first.File.Rows != 1000 || first.File.ContentType != "application/x-ndjson" {
		t.Errorf("first %+v, then %+v", first.File, last.File)
	}
	if text := s.content(t, *first.File); strings.Count(text, "\n") != 1000 || !strings.HasPrefix(text, `{"n":1,"x":"x1"}`+"\n") {
		t.Errorf("%d lines, beginning with %.60s", strings.Count(text, "\n"), text)
	}
	if n := s.store.begun.Load(); n != 2 {
		t.Errorf("%d objects were begun, want the csv and the ndjson", n)
	}
	if n := s.rowsOf(t, "wish"); n != 0 {
		t.Errorf("%d wishes are left", n)
	}
	// Those who ask for the csv are told of that.
	if status, err := servers[0].StatusOfKey(t.Context(), "k", false, rows.Form{}); err != nil || status.File.ContentType != "text/csv" {
		t.Errorf("%+v, %v", status.File, err)
	}
}

// At whatever moment of the run a file is asked for, it comes.
func TestFileAskedAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	for round := range 60 {
		r := s.request(strings.Repeat("k", round+1), Post)
		r.RunningCap = 4
		if _, err := service.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(round) * 300 * time.Microsecond) // from before the claim to after the end
		r.Form = ndjson
		if _, err := service.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		s.fileOf(t, service, r)
	}
}

// A file that has gone from the store is made again from the csv; and if that has gone,
// too, the request is run again, to the same result.
func TestFileGone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	r := s.request("k", Post)
	r.Form = ndjson
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	first := s.fileOf(t, service, r)
	lose := func(files ...cache.File) {
		for _, f := range files {
			if err := s.store.Delete(t.Context(), f.Object); err != nil {
				t.Fatal(err)
			}
			if err := service.Lost(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
	}
	lose(*first.File)
	if status, err := service.StatusOfKey(t.Context(), "k", false, ndjson); err != nil || status.Entry != nil {
		t.Errorf("%+v, %v; want no file", status, err)
	}
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	second := s.fileOf(t, service, r)
	if second.File.Object == first.File.Object || second.File.SHA256 != first.File.SHA256 || second.Entry.File.Object != first.Entry.File.Object {
		t.Errorf("made again: %+v, after %+v", second.File, first.File)
	}
	// Another process, that has not read it, looks before it promises.
	if err := s.store.Delete(t.Context(), second.File.Object); err != nil {
		t.Fatal(err)
	}
	if status, err := s.service().StatusOfKey(t.Context(), "k", false, ndjson); err != nil || status.Entry != nil {
		t.Errorf("%+v, %v; want no file", status, err)
	}
	lose(second.Entry.File)
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	third := s.fileOf(t, service, r)
	if third.Entry.Result != first.Entry.Result || third.Entry.Job == first.Entry.Job || third.File.SHA256 != first.File.SHA256 {
		t.Errorf("run again: %+v, after %+v", third.Entry, first.Entry)
	}
}

// Rows that a form cannot have are refused before anything is queued, and a worker that
// finds that out says so.
func TestFileUnfit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.start(t)
	service := s.service()
	r := s.request("k", Post)
	r.Plan.SQL, r.Form = "SELECT * FROM generate_series(1, 1048576) n", rows.Form{Format: rows.FormatXLSX}
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var status Status
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		var err error
		status, err = service.StatusOfKey(t.Context(), "k", false, r.Form)
		if unfit, ok := errors.AsType[*rows.FormError](err); ok {
			if !strings.Contains(unfit.Reason, "1048576") && !strings.Contains(unfit.Reason, "1,048,576") {
				t.Errorf("%q does not say how many rows there are", unfit.Reason)
			}
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatal(status, err)
		}
	}
	if _, err := service.Submit(t.Context(), r); err == nil {
		t.Error("a sheet of too many rows was taken")
	}
}

// A process that is killed, or hears nothing, between any two steps of publishing a
// file leaves one that the next claim finds, or makes again.
func TestFileFaults(t *testing.T) {
	for op, answer := range map[string]error{
		"seal": queue.ErrUnavailable, "finish": queue.ErrUnavailable, "seal, lost": &queue.LostError{State: queue.Running},
	} {
		t.Run(op, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			service := s.service()
			r := s.request("k", Post)
			if _, err := service.Submit(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			stop, _, ended := s.start(t)
			s.fileOf(t, service, r)
			stop()
			<-ended
			left := 1
			var mu sync.Mutex
			s.queue.fault = func(called string, call func() error) error {
				mu.Lock()
				defer mu.Unlock()
				if !strings.HasPrefix(op, called) || left == 0 {
					return nil
				}
				left--
				return answer
			}
			s.start(t)
			r.Form = ndjson
			if _, err := service.Submit(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			s.fileOf(t, service, r)
			s.published(t, 2)
			mu.Lock()
			defer mu.Unlock()
			if left != 0 {
				t.Errorf("nobody asked the queue to %s", op)
			}
		})
	}
}

// An array of a type that is not PostgreSQL's own is an array in the files made of it.
func TestFileOfOwnArrays(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	if _, err := s.pool.Exec(t.Context(), `CREATE TYPE mood AS ENUM ('sad', 'very glad')`); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	service := s.service()
	r := s.request("k", Post)
	r.Plan.SQL, r.Plan.Arrays, r.Form = `SELECT '{sad,"very glad",NULL}'::mood[] AS moods, 'sad'::mood AS mood`, []string{"moods"}, ndjson
	if _, err := service.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if got := s.content(t, *s.fileOf(t, service, r).File); got != `{"moods":["sad","very glad",null],"mood":"sad"}`+"\n" {
		t.Error(got)
	}
}
