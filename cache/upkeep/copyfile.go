package upkeep

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"slashbatch/cache"
)

// outcome is what became of a file.
type outcome int

const (
	gone    outcome = iota // nothing was to be done: it has gone, or been replaced, or been copied
	copied                 // it is in the target
	missing                // it is not in the source, and marked so
)

// sideError tells in which store something went wrong.
type sideError struct {
	side string
	err  error
}

func (e *sideError) Error() string { return e.side + ": " + e.err.Error() }
func (e *sideError) Unwrap() error { return e.err }

const (
	inSource = "source"
	inTarget = "target"
)

func at(side string, err error) error {
	if err == nil {
		return nil
	}
	return &sideError{side, err}
}

// insist copies a file, trying again whatever may pass. That the source has no such
// object may pass, too: some services need a moment.
func (c *copier) insist(ctx context.Context, f cache.Located) (outcome, error) {
	for try, pause := 1, c.Pause; ; try, pause = try+1, 2*pause {
		became, err := c.try(ctx, f)
		side, _ := errors.AsType[*sideError](err)
		switch _, damaged := errors.AsType[*DamagedError](err); {
		case err == nil:
			return became, nil
		case damaged && side.side == inSource:
			return gone, err // reading it again shows the same
		case try < c.Tries:
		case c.SkipMissing && side != nil && side.side == inSource && errors.Is(err, cache.ErrNotFound):
			return c.markMissing(ctx, f)
		default:
			return gone, err
		}
		select {
		case <-ctx.Done():
			return gone, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// try copies a file: its row in the target, then its bytes, then a look at those, then
// the row becomes that of a file to be read.
func (c *copier) try(ctx context.Context, f cache.Located) (outcome, error) {
	intended, err := c.ledger.Intend(ctx, f, c.source.ID, c.target.ID)
	if err != nil || !intended {
		return gone, err
	}
	if err := c.carry(ctx, f); err != nil {
		if errors.Is(err, cache.ErrNotFound) && c.left(ctx, f) {
			return gone, c.ledger.GiveUp(ctx, f, c.target.ID)
		}
		return gone, err
	}
	if err := at(inTarget, checkObject(ctx, c.target, f)); err != nil {
		return gone, err
	}
	landed, err := c.ledger.Landed(ctx, f, c.target.ID)
	switch {
	case err != nil:
		return gone, err
	case !landed: // it is listed for removal, too, so that it goes in any case
		return gone, at(inTarget, c.target.Delete(ctx, f.Object))
	}
	return copied, nil
}

// left reports whether a file has been evicted or replaced meanwhile.
func (c *copier) left(ctx context.Context, f cache.Located) bool {
	_, err := c.ledger.Located(ctx, c.source.ID, f.Object)
	return errors.Is(err, cache.ErrNotFound)
}

// carry writes the bytes of a file to the target, if they are what the catalogue has.
func (c *copier) carry(ctx context.Context, f cache.Located) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	body, _, err := c.source.Open(ctx, f.Object, 0, -1)
	if err != nil {
		return at(inSource, err)
	}
	defer func() { _ = body.Close() }() // it was read only
	writer, err := c.target.Create(ctx, f.Object, cache.ObjectOptions{ContentType: f.ContentType})
	if err != nil {
		return at(inTarget, err)
	}
	defer func() { _ = writer.Abort() }() // after Commit it does nothing
	writing := &watchedWriter{Writer: writer}
	if err := checkContent(io.TeeReader(body, writing), f); err != nil {
		if writing.failed != nil {
			return at(inTarget, writing.failed)
		}
		return at(inSource, err)
	}
	o, err := writer.Commit(ctx)
	if err == nil && o.Size != f.Stored {
		err = fmt.Errorf("it took %d bytes of %d", o.Size, f.Stored)
	}
	return at(inTarget, err)
}

// watchedWriter keeps the writer's own error apart from the reader's.
type watchedWriter struct {
	io.Writer
	failed error
}

// Write implements io.Writer.
func (w *watchedWriter) Write(p []byte) (int, error) {
	n, err := w.Writer.Write(p)
	if err != nil {
		w.failed = err
	}
	return n, err
}

// markMissing notes that a file is not in the source, if that is the store it should be.
func (c *copier) markMissing(ctx context.Context, f cache.Located) (outcome, error) {
	if err := ours(ctx, c.ledger, c.source); err != nil {
		return gone, err
	}
	now, err := c.ledger.Clock(ctx)
	if err != nil {
		return gone, err
	}
	if _, err := c.ledger.MarkMissing(ctx, c.source.ID, []string{f.Object}, now); err != nil {
		return gone, err
	}
	return missing, c.ledger.GiveUp(ctx, f, c.target.ID)
}
