package server

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// A body that never arrives, breaks off or is too long ends in an answer.
func TestBadBodies(t *testing.T) {
	s := New(Options{MaxBodyBytes: 1000})
	s.bodyTimeout = 50 * time.Millisecond
	server := httptest.NewServer(s.handle(func(w http.ResponseWriter, r *http.Request) error {
		if err := s.addBody(w, r, url.Values{}); err != nil {
			return err
		}
		// The deadline is over, but it is not for what comes after the body.
		select {
		case <-r.Context().Done():
			t.Error("the deadline of the body ended the request")
		case <-time.After(3 * s.bodyTimeout):
		}
		return nil
	}))
	defer server.Close()
	const head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
	for request, want := range map[string]string{
		"Content-Length: 3\r\n\r\na=1":                                          "200",
		"Content-Length: 3\r\n\r\na":                                            "408",
		"Transfer-Encoding: chunked\r\n\r\n3\r\na=1\r\n0\r\n\r\n":               "200",
		"Transfer-Encoding: chunked\r\n\r\nno number\r\n":                       "400",
		"Content-Length: 1001\r\n\r\n" + strings.Repeat("x", 1001):              "413",
		"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("x", 2000): "413",
	} {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, head+request); err != nil {
			t.Fatal(err)
		}
		answer, err := io.ReadAll(conn)
		if !strings.HasPrefix(string(answer), "HTTP/1.1 "+want) {
			t.Errorf("%.60q: error %v, answer %s, want %s", request, err, answer, want)
		}
		conn.Close()
	}
}
