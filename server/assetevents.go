package server

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"slashbatch/internal/problem"
)

const (
	// eventsEvery is how often the outbox is looked at for a listener, eventsAtOnce how many
	// events it is told before the next look.
	eventsEvery  = time.Second
	eventsAtOnce = 100
	// eventsAlive is how often a listener hears something, so that proxies see a live connection.
	eventsAlive = 15 * time.Second
)

// events tells a customer's finished batches as server-sent events: those behind
// Last-Event-ID, or behind after=, or, without either, from now on. Each is told at least once
// to who goes on behind the last one that it has seen.
func (s *Server) events(w http.ResponseWriter, r *http.Request) error {
	_, customer, err := s.actor(r)
	if err != nil {
		return err
	}
	store := s.Assets.Store
	if _, err := store.CustomerByID(r.Context(), customer); err != nil {
		return err
	}
	last, err := lastEvent(r)
	if err == nil && last < 0 {
		last, err = store.LastEvent(r.Context(), customer)
	}
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	told := time.Now()
	connection := http.NewResponseController(w)
	send := func(text []byte) error {
		_ = connection.SetWriteDeadline(time.Now().Add(writePatience)) // a test's writer has none
		if _, err := w.Write(text); err != nil {
			return err
		}
		told = time.Now()
		return connection.Flush()
	}
	// The id is for who is cut off before the first event: it goes on from here.
	if err := send(fmt.Appendf(nil, "id: %d\nretry: 2000\n\n", last)); err != nil {
		return ignoreWrite(err)
	}
	now := make(chan time.Time)
	close(now)
	tick := time.NewTicker(eventsEvery)
	defer tick.Stop()
	for {
		found, err := store.Events(r.Context(), customer, last, eventsAtOnce)
		if err != nil {
			panic(http.ErrAbortHandler) // the client comes again, and goes on where it was
		}
		var text bytes.Buffer
		for _, e := range found {
			fmt.Fprintf(&text, "id: %d\nevent: batch-completed\ndata: {\"eventId\":%q,%s\n\n", e.ID, e.UUID, bytes.TrimPrefix(e.Body, []byte("{")))
			last = e.ID
		}
		if len(found) == 0 && time.Since(told) >= eventsAlive {
			text.WriteString(": alive\n\n")
		}
		if text.Len() > 0 {
			if err := send(text.Bytes()); err != nil {
				return ignoreWrite(err)
			}
		}
		next := tick.C
		if len(found) == eventsAtOnce {
			next = now
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-s.Closing:
			return nil
		case <-next:
		}
	}
}

// lastEvent is the id that a listener goes on behind, -1 if it does not say.
func lastEvent(r *http.Request) (int64, error) {
	name, text := "Last-Event-ID", r.Header.Get("Last-Event-ID")
	if text == "" {
		name, text = "after", r.URL.Query().Get("after")
	}
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, badParameters(problem.List{{Path: name, Message: "expected the id of an event, or 0 for all"}})
	}
	return n, nil
}
