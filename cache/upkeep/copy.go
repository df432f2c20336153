package upkeep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"slashbatch/cache"
)

// CopyOptions tune a copy. The zero value is good.
type CopyOptions struct {
	// Parallel is how many files travel at a time. Defaults to 8.
	Parallel int
	// SkipMissing marks a file that is gone from the source as missing, and goes on.
	SkipMissing bool
	// Tries is how often a file is tried before it is given up (default 5), and
	// Pause what is waited after the first (default 200 ms), twice as long after each.
	Tries int
	Pause time.Duration
	// Progress is told how far it is, from several goroutines, one at a time.
	Progress func(Progress)
}

// Progress is how far something is. Totals may grow; what is done does so only, and
// stays within them.
type Progress struct {
	Files, OfFiles int
	Bytes, OfBytes int64
}

// Failure is a file that could not be dealt with.
type Failure struct {
	Object string `json:"object"`
	Reason string `json:"reason"`
}

// CopyReport is what a copy has done.
type CopyReport struct {
	// Copied files, and their bytes. Missing were gone from the source, and are marked so
	// now. Gone were evicted or replaced while they were copied.
	Copied, Missing, Gone int
	Bytes                 int64
	// Failed is how many files could not be copied; Failures are the first of them.
	Failed   int
	Failures []Failure
}

// Limits of a copy.
const (
	// keptFailures are named in the report.
	keptFailures = 1000
	// hopeless is after how many failures in a row the rest is not tried.
	hopeless = 100
)

// ErrHopeless: nothing could be copied any more.
var ErrHopeless = errors.New("nothing can be copied any more, the rest was not tried")

// Copy copies all files that are in the source and not in the target, while both are in
// use. Killed at any point and started again it goes on where it was. Files
// that come meanwhile are copied as well; those that go are left out. The source stays as
// it is, but for files that are marked as missing, where that is asked for.
//
// Every file is compared with the catalogue while it is read from the source, and once
// more after it was written to the target; only then it counts.
//
// cache.ErrBusy: another process copies from this store. *MarkerError: one of the stores
// is not what it should be. Files that could not be copied are in the report, and are
// no error.
func Copy(ctx context.Context, l CopyLedger, source, target Store, o CopyOptions) (CopyReport, error) {
	c := &copier{ledger: l, source: source, target: target, CopyOptions: o}
	c.defaults()
	for _, check := range []func() error{
		func() error { return ours(ctx, l, source) },
		func() error { return ours(ctx, l, target) },
		func() error { return target.Ping(ctx) },
	} {
		if err := check(); err != nil {
			return c.report, err
		}
	}
	release, err := l.LockCopy(ctx, source.ID)
	if err != nil {
		return c.report, err
	}
	defer release()
	id, err := l.NoteCopy(ctx, source.ID, target.ID)
	if err != nil {
		return c.report, err
	}
	if c.progress.OfFiles, c.progress.OfBytes, err = l.LeftToCopy(ctx, source.ID, target.ID); err != nil {
		return c.report, err
	}
	c.step(0, 0)
	// The last look finds what came while the others were copied.
	for copied := -1; copied != c.report.Copied; {
		copied = c.report.Copied
		c.report.Failed, c.report.Failures = 0, nil // those that failed are tried again
		if err := c.pass(ctx); err != nil {
			return c.report, err
		}
	}
	// What was given up, or replaced meanwhile; the target may not be in use yet.
	if _, err := Remove(ctx, l, target); err != nil {
		return c.report, err
	}
	if c.report.Failed > 0 {
		return c.report, nil
	}
	return c.report, l.EndCopy(ctx, id)
}

// copier is one copy that goes on.
type copier struct {
	CopyOptions
	ledger         CopyLedger
	source, target Store

	mu       sync.Mutex
	report   CopyReport
	progress Progress
	inARow   int   // failures without a success between them
	fatal    error // why the rest is not tried
}

func (c *copier) defaults() {
	if c.Parallel <= 0 {
		c.Parallel = 8
	}
	if c.Tries <= 0 {
		c.Tries = 5
	}
	if c.Pause <= 0 {
		c.Pause = 200 * time.Millisecond
	}
}

// pass copies what is left, once.
func (c *copier) pass(caller context.Context) error {
	ctx, stop := context.WithCancelCause(caller)
	defer stop(nil)
	files := make(chan cache.Located)
	var working sync.WaitGroup
	for range c.Parallel {
		working.Go(func() {
			for f := range files {
				if c.one(ctx, f); c.hopeless() != nil {
					stop(c.hopeless())
				}
			}
		})
	}
	err := c.feed(ctx, files)
	close(files)
	working.Wait()
	if fatal := c.hopeless(); fatal != nil {
		return fatal
	}
	if err == nil {
		err = context.Cause(caller) // the last files may have been left where they were
	}
	return err
}

// feed hands out the files that are left, in the order of their numbers.
func (c *copier) feed(ctx context.Context, files chan<- cache.Located) error {
	for after := int64(0); ; {
		list, err := c.ledger.ToCopy(ctx, c.source.ID, c.target.ID, after, page)
		if err != nil || len(list) == 0 {
			return err
		}
		for _, f := range list {
			select {
			case files <- f:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			after = f.Variant
		}
	}
}

func (c *copier) hopeless() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fatal
}

// one copies a file, and writes down what came of it.
func (c *copier) one(ctx context.Context, f cache.Located) {
	became, err := c.insist(ctx, f)
	if err != nil && ctx.Err() != nil {
		return // another run goes on with it
	}
	c.mu.Lock()
	c.inARow++
	if err == nil {
		c.inARow = 0
	}
	switch {
	case err != nil:
		if c.report.Failed++; len(c.report.Failures) < keptFailures {
			c.report.Failures = append(c.report.Failures, Failure{f.Object, err.Error()})
		}
		if _, wrong := errors.AsType[*MarkerError](err); wrong {
			c.fatal = err
		} else if c.inARow >= hopeless && c.fatal == nil {
			c.fatal = fmt.Errorf("%w, after %d failures in a row; the last: %w", ErrHopeless, c.inARow, err)
		}
	case became == copied:
		c.report.Copied++
		c.report.Bytes += f.Stored
	case became == missing:
		c.report.Missing++
	default:
		c.report.Gone++
	}
	c.mu.Unlock()
	if err == nil {
		c.step(1, f.Stored)
	}
}

// step tells how far it is.
func (c *copier) step(files int, bytes int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := &c.progress
	p.Files, p.Bytes = p.Files+files, p.Bytes+bytes
	p.OfFiles, p.OfBytes = max(p.OfFiles, p.Files), max(p.OfBytes, p.Bytes)
	if c.Progress != nil {
		c.Progress(*p)
	}
}
