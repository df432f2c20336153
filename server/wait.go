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

// waitFor holds the request until the export has ended or the hop is over.
func (s *Server) waitFor(ctx context.Context, a ask, status jobs.Status) (jobs.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, min(a.Control.Wait, s.MaxWait, hop))
	defer cancel()
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
		values := a.Values()
		values.Set("_wait", strconv.Itoa(int(rest.Seconds())))
		if a.Control.Fresh {
			values.Set("_fresh", "true") // else the next hop gets the older file
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
