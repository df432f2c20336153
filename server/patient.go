package server

import (
	"net/http"
	"time"
)

// writePatience is how long one write to a client may take. A client that stops
// reading would else hold a connection of a database, or of the store, for as
// long as it likes.
const writePatience = 30 * time.Second

// patientWriter gives each write to a client its own deadline.
type patientWriter struct {
	http.ResponseWriter
	connection *http.ResponseController
}

func patient(w http.ResponseWriter) *patientWriter {
	return &patientWriter{w, http.NewResponseController(w)}
}

func (w *patientWriter) Write(b []byte) (int, error) {
	_ = w.connection.SetWriteDeadline(time.Now().Add(writePatience)) // a test's writer has none
	n, err := w.ResponseWriter.Write(b)
	_ = w.connection.SetWriteDeadline(time.Time{}) // the connection may serve more requests
	return n, err
}
