// Package e2e runs the built program as processes, on real PostgreSQL, Redis
// and S3, and kills some of them.
package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// build returns the path of the program, built once.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "slashbatch-e2e-")
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "slashbatch")
	out, err := exec.Command("go", "build", "-o", program, "slashbatch").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return program, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if program, err := build(); err == nil {
		_ = os.RemoveAll(filepath.Dir(program))
	}
	os.Exit(code)
}

// process is one running slashbatch.
type process struct {
	*exec.Cmd
	name string
	log  *logBuffer
	// address is where it serves; empty for a worker.
	address string
	ended   chan struct{}
}

// start is launch, and waits until the process is ready: all that it needs
// answers, or its worker runs.
func start(t *testing.T, name, config string, args ...string) *process {
	t.Helper()
	p := launch(t, name, config, args...)
	p.ready(t)
	return p
}

// ready waits until a launched process is ready.
func (p *process) ready(t *testing.T) {
	t.Helper()
	eventually(t, 30*time.Second, p.name+" is ready", func() bool {
		select {
		case <-p.ended:
			t.Fatalf("%s ended:\n%s", p.name, p.log.tail(20))
		default:
		}
		if p.address == "" {
			return p.log.count("worker started") > 0
		}
		r, err := http.Get("http://" + p.address + "/readyz")
		if err != nil {
			return false
		}
		r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
}

// launch runs the program until the test ends, and waits for a server to
// listen, whether or not it has reached anything.
func launch(t *testing.T, name, config string, args ...string) *process {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{Cmd: exec.Command(program, append(args, "-c", config)...), name: name, log: newLog(), ended: make(chan struct{})}
	p.Stderr = p.log
	if err := p.Cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = p.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
		if t.Failed() {
			t.Logf("log of %s:\n%s", name, p.log.tail(40))
		}
	})
	if args[0] != "serve" {
		return p
	}
	select {
	case line := <-p.log.wait("listening"):
		p.address = line["address"]
	case <-p.ended:
		t.Fatalf("%s ended at once:\n%s", name, p.log.tail(20))
	case <-time.After(30 * time.Second):
		t.Fatalf("%s does not listen:\n%s", name, p.log.tail(20))
	}
	return p
}

// eventually polls until ok says yes.
func eventually(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); ; {
		if ok() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// logBuffer keeps a process's log and finds lines by their message.
type logBuffer struct {
	mu      sync.Mutex
	buf     bytes.Buffer
	pending []byte
	waiting map[string]chan map[string]string
}

func newLog() *logBuffer { return &logBuffer{waiting: map[string]chan map[string]string{}} }

// wait returns a channel that gets the fields of the first line whose message is msg.
func (l *logBuffer) wait(msg string) <-chan map[string]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan map[string]string, 1)
	l.waiting[msg] = c
	scanner := bufio.NewScanner(bytes.NewReader(l.buf.Bytes()))
	for scanner.Scan() {
		l.line(scanner.Bytes())
	}
	return c
}

// Write implements io.Writer for the process's standard error.
func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf.Write(p)
	l.pending = append(l.pending, p...)
	for {
		i := bytes.IndexByte(l.pending, '\n')
		if i < 0 {
			return len(p), nil
		}
		l.line(l.pending[:i])
		l.pending = l.pending[i+1:]
	}
}

func (l *logBuffer) line(text []byte) {
	var fields map[string]any
	if json.Unmarshal(text, &fields) != nil {
		return
	}
	msg, _ := fields["msg"].(string)
	if c := l.waiting[msg]; c != nil {
		out := map[string]string{}
		for k, v := range fields {
			out[k] = fmt.Sprint(v)
		}
		c <- out
		delete(l.waiting, msg)
	}
}

func (l *logBuffer) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimSpace(l.buf.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (l *logBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}
