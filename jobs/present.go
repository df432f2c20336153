package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"slashbatch/cache"
)

// present remembers which objects were seen in the store a moment ago, so that
// a status costs no request to the store, and yet notices within a minute that
// somebody deleted the file. Downloads do not rely on it: they open the object
// before the first header goes out.
type present struct {
	mu   sync.Mutex
	seen map[string]time.Time
}

const (
	presentFor = time.Minute
	presentMax = 10_000 // objects remembered; beyond that all are looked up again
)

func newPresent() *present { return &present{seen: map[string]time.Time{}} }

// check reports whether the object is in the store. While the store cannot be
// asked, the catalogue is believed.
func (p *present) check(ctx context.Context, store cache.Store, object string) bool {
	p.mu.Lock()
	at, ok := p.seen[object]
	p.mu.Unlock()
	if ok && time.Since(at) < presentFor {
		return true
	}
	_, err := store.Stat(ctx, object)
	if errors.Is(err, cache.ErrNotFound) {
		p.forget(object)
		return false
	}
	if err != nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.seen) >= presentMax {
		clear(p.seen)
	}
	p.seen[object] = time.Now()
	return true
}

func (p *present) forget(object string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.seen, object)
}
