package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"slashbatch/jobs"
)

// hop is how long one request of a _wait is held: shorter than the time-outs
// of the proxies on the way.
const hop = 45 * time.Second

// waitFor holds the request until there is a file, or will not be one, or the hop is over:
// for the run, and then, where the file is made from what that wrote, for the file's job.
func (s *Server) waitFor(ctx context.Context, a ask, status jobs.Status, method jobs.Method) (jobs.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, min(a.Control.Wait, s.MaxWait, hop))
	defer cancel()
	// What the run has read is fresh enough; asked for again, it would be read again.
	a = a.notFresh()
	for !status.Word.Final() {
		now, err := s.follow(ctx, status)
		if err != nil || now.Word != jobs.WordCompleted || !a.converted() {
			return now, err
		}
		now, err = s.find(ctx, a, method)
		if ctx.Err() != nil {
			return status, nil
		}
		if err != nil {
			return jobs.Status{}, err
		}
		status = now
	}
	return status, nil
}

func (a ask) notFresh() ask {
	request := *a.Request
	request.Control.Fresh = false
	a.Request = &request
	return a
}

// follow waits until the job of a status has ended or ctx has, and returns how it stands.
func (s *Server) follow(ctx context.Context, status jobs.Status) (jobs.Status, error) {
	changed, stop := s.Hub.Follow(status.Job.ID)
	defer stop()
	tick := time.NewTicker(time.Second) // events are hints, and may be lost
	defer tick.Stop()
	for {
		now, err := s.Jobs.StatusOfJob(ctx, status.Job.ID)
		switch {
		case ctx.Err() != nil:
			return status, nil
		case err != nil:
			return jobs.Status{}, err
		case now.Word.Final():
			return now, nil
		}
		status = now
		select {
		case <-ctx.Done():
			return status, nil
		case <-changed:
		case <-tick.C:
		}
	}
}

// notYet ends a _wait without a file: on to the next hop, or an error that no
// program takes for rows.
func (s *Server) notYet(w http.ResponseWriter, r *http.Request, a ask, status jobs.Status) error {
	switch status.Word {
	case jobs.WordFailed:
		return &httpError{Status: http.StatusInternalServerError, Detail: "the export failed: " + status.Job.Error, StatusURL: s.statusURL(a, "")}
	case jobs.WordCancelled:
		return &httpError{Status: http.StatusServiceUnavailable, Detail: "the export was cancelled", RetryAfter: unavailableRetry, StatusURL: s.statusURL(a, "")}
	}
	rest := min(a.Control.Wait, s.MaxWait) - hop
	if rest > 0 && r.Context().Err() == nil {
		values := a.fileValues()
		values.Set("_wait", strconv.Itoa(int(rest.Seconds())))
		if a.Control.Fresh && (status.Job == nil || status.Job.Kind != jobs.KindVariant) {
			values.Set("_fresh", "true") // else the next hop gets the older file; once the rows are read, they are fresh
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Location", a.base+a.Path()+s.BatchPath+query(values))
		w.WriteHeader(http.StatusSeeOther)
		return nil
	}
	return &httpError{
		Status: http.StatusServiceUnavailable, RetryAfter: retryAfter(status), StatusURL: s.statusURL(a, ""),
		Detail: "the export is not ready yet; it goes on, and the same request gets the file later",
	}
}
