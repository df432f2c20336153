package server

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"

	"slashbatch/cache"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/server/endpoint"
)

// status tells how an export stands: JSON, or a page for browsers. Looking
// never queues anything.
func (s *Server) status(spec *endpoint.Spec) handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		a, err := s.understandTwin(w, r, spec)
		if err != nil {
			return err
		}
		status, mine, err := s.statusOf(r.Context(), a)
		if err != nil {
			return err
		}
		return s.writeStatus(w, r, a, status, mine)
	}
}

// statusOf is the status of the run that _job names, if it is one of this
// request, else of the request. mine tells whether the caller may see the
// job's id: by showing it, or as a waiter known by key.
func (s *Server) statusOf(ctx context.Context, a ask) (status jobs.Status, mine bool, err error) {
	shown := a.Control.Job
	if shown != "" {
		status, err := s.Jobs.StatusOfJob(ctx, shown)
		switch {
		case err != nil && !errors.Is(err, queue.ErrNotFound):
			return jobs.Status{}, false, err
		case err == nil && status.Key == a.Key() && status.Entry != nil && a.converted():
			return s.statusOfFile(ctx, a, *status.Entry)
		case err == nil && status.Key == a.Key() && status.Word != jobs.WordUnknown:
			return status, true, nil
		}
	}
	status, err = s.Jobs.StatusOf(ctx, s.lookup(a, a.Control.Fresh, a.form()))
	switch {
	case err != nil || status.Job == nil:
		return status, false, err
	case status.Job.ID == shown: // the job that makes the file
		return status, true, nil
	case !a.caller.known():
		return status, false, nil
	}
	mine, err = s.Jobs.Waits(ctx, status.Job.ID, a.caller.list)
	return status, mine, err
}

// statusOfFile is the status of a file of a result, to somebody who has shown the id of the
// run. Who waited for that may see the file's job if they wait for that, too.
func (s *Server) statusOfFile(ctx context.Context, a ask, e cache.Entry) (status jobs.Status, mine bool, err error) {
	status, err = s.Jobs.SubmitFile(ctx, e, jobs.FileRequest{Form: a.form(), Method: jobs.Look})
	if err != nil || status.Job == nil {
		return status, false, err
	}
	waiter, err := s.waiter(ctx, a, status.Job.ID)
	return status, waiter != "", err
}

// converted reports whether the file that is asked for is made from the one that the run writes.
func (a ask) converted() bool { return jobs.FormName(a.form()) != cache.FormCSV }

// statusDocument is the status as JSON; see the API's description of each member.
type statusDocument struct {
	Key             string    `json:"key"`
	Status          jobs.Word `json:"status"`
	URL             string    `json:"url,omitempty"`
	PositionInQueue *int      `json:"positionInQueue,omitempty"`
	ETA             *int64    `json:"eta,omitempty"`
	Started         int64     `json:"started,omitempty"`
	ID              string    `json:"id,omitempty"`
	Submitted       int64     `json:"submitted,omitempty"`
	Finished        int64     `json:"finished,omitempty"`
	Attempt         int       `json:"attempt,omitempty"`
	Rows            *int64    `json:"rows,omitempty"`
	Bytes           *int64    `json:"bytes,omitempty"`
	Progress        *float64  `json:"progress,omitempty"`
	Error           string    `json:"error,omitempty"`
	Generated       string    `json:"generated,omitempty"`
	Expires         string    `json:"expires,omitempty"`
	SHA256          string    `json:"sha256,omitempty"`
	Links           links     `json:"links"`
}

// links lead on. A member appears when there is something behind it.
type links struct {
	Status string `json:"status"`
	Result string `json:"result,omitempty"`
	Cancel string `json:"cancel,omitempty"`
	// Formats are the same rows in the other formats, each by its word.
	Formats map[string]string `json:"formats,omitempty"`
}

func (s *Server) document(a ask, status jobs.Status, mine bool) statusDocument {
	d := statusDocument{Key: a.Key(), Status: status.Word, PositionInQueue: status.Position, Progress: status.Progress}
	d.Links.Status = s.statusURL(a, a.Control.Job)
	if status.ETA != nil {
		ms := status.ETA.Milliseconds()
		d.ETA = &ms
	}
	if job := status.Job; job != nil {
		d.Started, d.Submitted, d.Finished = millis(job.Started), millis(job.Submitted), millis(job.Ended)
		d.Attempt = job.Attempt
		if job.State == queue.Failed {
			d.Error = job.Error
		}
		if job.State == queue.Running {
			d.Rows = &job.Progress.Rows
			if job.Kind != jobs.KindVariant { // whose bytes nobody counts before its end
				d.Bytes = &job.Progress.Bytes
			}
		}
		if mine {
			d.ID = job.ID
			if !job.State.Final() {
				d.Links.Cancel = a.base + a.Path() + s.BatchPath + query(withJob(a, job.ID))
			}
		}
	}
	if e := status.Entry; e != nil {
		d.URL = s.twinURL(a)
		d.Links.Result = d.URL
		d.Links.Formats = s.otherFormats(a)
		f := status.File
		d.Rows, d.Bytes, d.SHA256 = &f.Rows, &f.Bytes, f.SHA256
		d.Generated = e.Generated.UTC().Format(time.RFC3339Nano)
		if !e.Pinned {
			d.Expires = e.Expires.UTC().Format(time.RFC3339)
		}
		done := 1.0
		d.Progress = &done
	}
	return d
}

// otherFormats are the URLs of the request's rows in the formats that were not asked for.
func (s *Server) otherFormats(a ask) map[string]string {
	urls := map[string]string{}
	for _, f := range offeredFiles(a.Endpoint.Spec) {
		if f != a.file() {
			urls[f.word] = s.twinURL(a.as(f))
		}
	}
	return urls
}

func withJob(a ask, id string) map[string][]string {
	values := a.fileValues()
	values.Set("_job", id)
	return values
}

// millis is Unix time in ms; 0, which is left out, for no time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// writeStatus writes the document or the page. Its ETag leaves the ETA out, so
// that a poller gets 304 while nothing but time has passed.
func (s *Server) writeStatus(w http.ResponseWriter, r *http.Request, a ask, status jobs.Status, mine bool) error {
	d := s.document(a, status, mine)
	header := w.Header()
	header.Add("Vary", "Accept")
	header.Add("Vary", "Authorization") // id and cancel depend on who asks
	header.Set("Cache-Control", "private, no-cache")
	if !status.Word.Final() {
		header.Set("Retry-After", strconv.Itoa(int(retryAfter(status).Seconds())))
	}
	html := wantsHTML(r)
	tag := statusTag(d)
	if !html { // a page shows the time that is left, and must not stand still
		header.Set("ETag", tag)
	}
	code := http.StatusOK
	if status.Word == jobs.WordUnknown {
		code = http.StatusNotFound
		header.Del("ETag")
	} else if !html && etagMatches(r, tag) && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	if html {
		s.page(w, code, "status.html", s.statusView(a, d, status))
		return nil
	}
	return writeJSON(w, r, code, d)
}

func statusTag(d statusDocument) string {
	d.ETA = nil
	text, _ := json.Marshal(d) // strings and numbers only
	sum := sha256.Sum256(text)
	return `W/"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`
}

// retryAfter is when asking again makes sense: by the ETA, between 1 and 30
// seconds, with a jitter so that many pollers do not come at once.
func retryAfter(status jobs.Status) time.Duration {
	d := 5 * time.Second
	if status.ETA != nil {
		d = *status.ETA
	}
	d = min(max(d, time.Second), 25*time.Second)
	return d + time.Duration(rand.Int64N(int64(d)/5+1)) //nolint:gosec // not a secret
}
