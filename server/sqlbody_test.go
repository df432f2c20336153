package server

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A body that never arrives, breaks off or is too long ends in an answer, also where
// nobody wants to read it.
func TestBadSQLBodies(t *testing.T) {
	s := New(Options{
		SQLEnabled: true, MaxBodyBytes: 1000, Log: slog.New(slog.DiscardHandler),
		Users: []User{{Name: "alice", SQL: true, PayloadBytes: 500, Keys: []Key{{Digest: sha256.Sum256([]byte("k")), SQL: true}}}},
	})
	s.bodyTimeout = 50 * time.Millisecond
	server := httptest.NewServer(s)
	defer server.Close()
	const post, del, form, json = "POST /api/v2/sql/job", "DELETE /api/v2/sql/job/x", "application/x-www-form-urlencoded", "application/json"
	const never = "Content-Length: 9\r\n\r\n"
	sized := func(body string) string { return fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(body), body) }
	for _, tt := range []struct {
		start, key, mediaType, rest string
		want                        int
	}{
		{post, "guess", form, never, 401},
		{post, "guess", form, "Content-Length: 900000\r\n\r\n", 401},
		{post, "k", form, never, 408},
		{post, "", form, never, 408},
		{post, "", "text/plain", never, 408},
		{post, "", "text/plain", sized("query=a;b"), 403},
		{del, "guess", form, never, 401},
		{del, "", form, never, 408},
		{"GET /api/v2/sql/job", "", form, never, 403},
		{"PUT /api/v2/sql/job", "k", form, never, 405},
		{"POST /api/v2/sql", "k", form, never, 404},
		{post, "k", form, sized(strings.Repeat("x", 1001)), 413},
		{post, "", json, "Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + strings.Repeat("x", 2000), 413},
		{post, "k", json, "Transfer-Encoding: chunked\r\n\r\nno number\r\n", 400},
		{post, "k", "multipart/form-data; boundary=b", sized("--b\r\nContent-Disposition: form-data; name=api_key\r\n\r\nk"), 400},
		{post, "", "multipart/form-data; boundary=b", sized("--b\r\nContent-Disposition: form-data; name=api_key\r\n\r\nk"), 400},
		{post, "", "multipart/form-data", sized("--b\r\nContent-Disposition: form-data; name=api_key\r\n\r\nk"), 400},
		{post, "", json, sized(`{"a":`), 400},
		{post, "", json, sized(`{}`), 403},
	} {
		func() {
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
				t.Fatal(err)
			}
			head := tt.start + " HTTP/1.1\r\nHost: x\r\nContent-Type: " + tt.mediaType + "\r\n"
			if tt.key != "" {
				head += "Authorization: Bearer " + tt.key + "\r\n"
			}
			if _, err := io.WriteString(conn, head+tt.rest); err != nil {
				t.Fatal(err)
			}
			answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Errorf("%.200q: %v, want %d", head+tt.rest, err, tt.want)
				return
			}
			body, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != tt.want || !strings.HasPrefix(string(body), `{"error":["`) {
				t.Errorf("%.200q: answered %d %q, %v, want %d", head+tt.rest, answer.StatusCode, body, err, tt.want)
			}
		}()
	}
}
