package redisqueue

import (
	"io"
	"net"
	"net/url"
	"sync/atomic"
	"testing"
)

// cutter is a TCP proxy that, once armed, forwards the next request, swallows
// its answer and cuts the connection: failed, but it happened.
type cutter struct {
	listener net.Listener
	target   string
	armed    atomic.Bool
	cuts     atomic.Int32
	opened   atomic.Int32
	answers  atomic.Int32
	muted    atomic.Int32 // this many of the first connections stay open and silent
}

// newCutter returns a proxy in front of the Redis at a URL, and the URL of the proxy.
func newCutter(t *testing.T, target string) (*cutter, string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &cutter{listener: l, target: u.Host}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	u.Host = l.Addr().String()
	return c, u.String()
}

func (c *cutter) serve(conn net.Conn) {
	defer conn.Close()
	number := c.opened.Add(1)
	up, err := net.Dial("tcp", c.target)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { _, _ = io.Copy(up, conn); _ = up.Close() }()
	buffer := make([]byte, 64<<10)
	for {
		n, err := up.Read(buffer)
		c.answers.Add(1)
		if err != nil || c.armed.CompareAndSwap(true, false) {
			if err == nil {
				c.cuts.Add(1)
			}
			return
		}
		if number <= c.muted.Load() {
			continue
		}
		if _, err := conn.Write(buffer[:n]); err != nil {
			return
		}
	}
}
