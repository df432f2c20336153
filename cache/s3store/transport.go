package s3store

import (
	"context"
	"net"
	"net/http"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// dialTimeout bounds how long a connection may take to be made.
const dialTimeout = 5 * time.Second

// httpClient returns a client that gives up a connection on which nothing moves
// for the given time, and nothing that moves, however slowly. It keeps what the
// configuration says about certificates and proxies.
func httpClient(configured any, stall time.Duration) *http.Client {
	buildable, ok := configured.(*awshttp.BuildableClient)
	if !ok {
		buildable = awshttp.NewBuildableClient()
	}
	transport := buildable.GetTransport()
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &stallConn{Conn: conn, timeout: stall}, nil
	}
	transport.TLSHandshakeTimeout = 10 * time.Second
	transport.ResponseHeaderTimeout = stall
	transport.IdleConnTimeout = 30 * time.Second
	transport.DisableCompression = true // Objects are served as they are stored.
	return &http.Client{
		Transport: transport,
		// A redirect would carry the signature elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// stallConn is a connection whose reads and writes fail when neither has moved
// a byte for the timeout. Each moves the deadline of both: while a long request
// is written, a read for the answer is already waiting.
//
// Time in which nobody reads does not count: the deadline is set anew before
// each call.
type stallConn struct {
	net.Conn
	timeout time.Duration
}

// Read implements io.Reader.
func (c *stallConn) Read(p []byte) (int, error) {
	if err := c.Conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements io.Writer.
func (c *stallConn) Write(p []byte) (int, error) {
	if err := c.Conn.SetDeadline(time.Now().Add(c.timeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
