package e2e

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"slashbatch/internal/testenv"
)

// proxy stands between the processes and a service, and breaks the line: cut,
// every connection is reset and new ones are too; stalled, connections stay and
// nothing moves.
type proxy struct {
	listener net.Listener
	target   string

	refused atomic.Int64 // connections ended by refuse

	mu    sync.Mutex
	word  string // see refuse
	down  bool
	flow  chan struct{} // closed while bytes may pass
	conns map[*net.TCPConn]bool
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, flow: make(chan struct{}), conns: map[*net.TCPConn]bool{}}
	close(p.flow)
	go p.accept()
	t.Cleanup(func() {
		listener.Close()
		p.cut()
		p.mend() // whoever waits goes on, and finds its connections closed
	})
	return p
}

func (p *proxy) address() string { return p.listener.Addr().String() }

func (p *proxy) accept() {
	for {
		conn, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(conn.(*net.TCPConn))
	}
}

func (p *proxy) serve(client *net.TCPConn) {
	defer p.drop(client)
	if !p.add(client) {
		return
	}
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	service := conn.(*net.TCPConn)
	defer p.drop(service)
	if !p.add(service) {
		return
	}
	var wg sync.WaitGroup
	pass := func(from, to *net.TCPConn, request bool) {
		_, _ = io.Copy(gated{p, to, request}, from)
		to.CloseWrite()
	}
	wg.Go(func() { pass(client, service, true) })
	wg.Go(func() { pass(service, client, false) })
	wg.Wait()
}

// gated is one direction of a connection; Write waits while the line is stalled.
type gated struct {
	*proxy
	to      net.Conn
	request bool
}

var errRefused = errors.New("refused")

func (g gated) Write(b []byte) (int, error) {
	g.mu.Lock()
	flow, word := g.flow, g.word
	g.mu.Unlock()
	if g.request && word != "" && bytes.Contains(bytes.ToLower(b), []byte(word)) {
		g.refused.Add(1)
		return 0, errRefused
	}
	<-flow
	return g.to.Write(b)
}

// refuse ends every connection on which a client sends this word, from now on.
func (p *proxy) refuse(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.word = word
}

// add keeps a connection, unless the line is cut.
func (p *proxy) add(c *net.TCPConn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
	return !p.down
}

func (p *proxy) drop(c *net.TCPConn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
	_ = c.SetLinger(0)
	_ = c.Close()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = true
	for c := range p.conns {
		_ = c.SetLinger(0) // a reset, so that the other end hears of it at once
		_ = c.Close()
	}
}

func (p *proxy) stall() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flow = make(chan struct{})
}

func (p *proxy) mend() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = false
	select {
	case <-p.flow:
	default:
		close(p.flow)
	}
}

// lines are the proxies of a fleet whose processes reach everything through them.
type lines map[string]*proxy

// behind writes a configuration beside the fleet's own in which every service
// is behind a proxy, and returns its path.
func (f *fleet) behind(t *testing.T, name string) (config string, l lines) {
	t.Helper()
	s3, err := url.Parse(testenv.S3(t))
	if err != nil {
		t.Fatal(err)
	}
	s3Address := strings.TrimPrefix(s3.Query().Get("endpoint"), "http://")
	redisAddress := "no Redis"
	if f.redis != nil {
		redisAddress = f.redis.Options().Addr
	}
	postgres, err := url.Parse(f.database)
	if err != nil {
		t.Fatal(err)
	}
	l = lines{
		"PostgreSQL": newProxy(t, postgres.Host),
		"Redis":      newProxy(t, redisAddress), // which nobody uses when there is none
		"S3":         newProxy(t, s3Address),
	}
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	config = filepath.Join(filepath.Dir(f.config), name)
	replaced := strings.NewReplacer(
		postgres.Host, l["PostgreSQL"].address(),
		redisAddress, l["Redis"].address(),
		s3Address, l["S3"].address(),
		url.QueryEscape(s3Address), l["S3"].address(),
	).Replace(string(text))
	write(t, config, replaced)
	return config, l
}
