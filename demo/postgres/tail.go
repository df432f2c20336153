package postgres

import (
	"io"
	"strings"
	"sync"
)

// tail passes on what a program prints and remembers the end of it, for an
// error message.
type tail struct {
	next io.Writer // may be nil

	mu   sync.Mutex
	last []byte
}

// tailSize is about as much as somebody wants to read in an error message.
const tailSize = 2000

func newTail(next io.Writer) *tail { return &tail{next: next} }

// Write never fails: a log that cannot be written must not stop a database.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, p...)
	if extra := len(t.last) - tailSize; extra > 0 {
		t.last = append(t.last[:0], t.last[extra:]...)
	}
	if t.next != nil {
		_, _ = t.next.Write(p)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.last))
}
