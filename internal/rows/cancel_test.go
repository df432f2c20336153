package rows

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"
)

// door passes connections on to a server, until it is shut: later ones are taken, and
// nothing comes of them.
func door(t *testing.T, server string) (address string, shut *atomic.Bool) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	shut = new(atomic.Bool)
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = client.Close() })
			if shut.Load() {
				continue
			}
			backend, err := net.Dial("tcp", server)
			if err != nil {
				_ = client.Close()
				continue
			}
			for _, way := range [][2]net.Conn{{client, backend}, {backend, client}} {
				go func() {
					_, _ = io.Copy(way[0], way[1])
					_, _ = way[0].Close(), way[1].Close()
				}()
			}
		}
	}()
	return listener.Addr().String(), shut
}

// A query that nobody waits for any more ends although no cancel request gets through:
// its connection is closed at once.
func TestCancelLost(t *testing.T) {
	p := open(t)
	config := p.watch.Config()
	address, shut := door(t, net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port))))
	source, err := Open("test", "postgres://"+config.User+"@"+address+"/"+config.Database+"?sslmode=disable", SourceOptions{MaxConns: 1, Application: "slashbatch test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	for _, sql := range []string{endless, "SELECT pg_sleep(3600)"} {
		shut.Store(false)
		if err := source.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		shut.Store(true)
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(errBroken) })
		_, err := place{source, p.watch}.export(ctx, Read{Statement: Statement{SQL: sql}}, new(bytes.Buffer))
		if !errors.Is(err, errBroken) {
			t.Errorf("%s: %v", sql, err)
		}
		for end := time.Now().Add(patience); p.active(t) > 0; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s goes on in the database", sql)
			}
		}
	}
}
