package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"

	"slashbatch/cache"
)

// errEnded answers the use of a writer after its end.
var errEnded = errors.New("file store: the object has been committed or aborted")

// Create implements cache.Store. The folder is not touched before Commit, the
// content type is not kept.
func (s *Store) Create(ctx context.Context, name string, _ cache.ObjectOptions) (cache.Writer, error) {
	if !cache.ValidName(name) {
		return nil, cache.ErrName
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, temp, err := s.createTemp()
	if err != nil {
		return nil, unavailable("create", name, err)
	}
	w := &writer{store: s, ctx: ctx, name: name, temp: temp, file: f}
	w.stop = context.AfterFunc(ctx, func() { _ = w.end(ctx.Err()) })
	return w, nil
}

// writer writes one object. The mutex is for the end of the context, which
// comes from another goroutine than the calls.
type writer struct {
	store *Store
	ctx   context.Context
	stop  func() bool // Cancels the abort at the end of ctx.
	name  string
	temp  string

	mu   sync.Mutex
	file *os.File
	size int64
	err  error // What every further call answers; set once the writer has ended.
}

// Write implements cache.Writer. An error, such as a full disk, ends the writer
// and frees the space it took.
func (w *writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil && w.ctx.Err() != nil {
		_ = w.discard(w.ctx.Err())
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.file.Write(p)
	w.size += int64(n)
	if err != nil {
		_ = w.discard(unavailable("write", w.name, err))
		return n, w.err
	}
	return n, nil
}

// Commit implements cache.Writer.
func (w *writer) Commit(ctx context.Context) (cache.Object, error) {
	w.stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return cache.Object{}, w.err
	}
	info, err := w.publish(ctx)
	if err != nil {
		_ = w.discard(err)
		return cache.Object{}, err
	}
	w.err = errEnded
	return object(w.name, info), nil
}

// Abort implements cache.Writer.
func (w *writer) Abort() error {
	w.stop()
	return w.end(errEnded)
}

func (w *writer) end(reason error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return nil
	}
	return w.discard(reason)
}

// discard removes the temporary file and lets every further call answer reason.
// That the file is gone already, after its rename or a sweep, is fine.
func (w *writer) discard(reason error) error {
	w.err = reason
	w.file.Close() // Its data is not wanted, so neither is its error.
	if err := w.store.root.Remove(w.temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return unavailable("abort", w.name, err)
	}
	return nil
}

// publish makes the temporary file the object, in the order of calls that the
// package comment promises. On its error the old object, if any, is still there,
// or, when the last step failed, none.
func (w *writer) publish(ctx context.Context) (fs.FileInfo, error) {
	for _, ctx := range []context.Context{w.ctx, ctx} {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if err := w.file.Sync(); err != nil {
		return nil, unavailable("sync", w.name, err)
	}
	info, err := w.file.Stat()
	if err != nil {
		return nil, unavailable("commit", w.name, err)
	}
	if info.Size() != w.size {
		return nil, unavailable("commit", w.name, fmt.Errorf("%d bytes were written, the file has %d", w.size, info.Size()))
	}
	if err := w.file.Close(); err != nil {
		return nil, unavailable("commit", w.name, err)
	}
	if err := w.rename(ctx); err != nil {
		return nil, unavailable("commit", w.name, err)
	}
	if err := w.store.syncFolders(w.name); err != nil {
		_ = w.store.root.Remove(w.name)
		return nil, unavailable("commit", w.name, err)
	}
	return info, nil
}

// rename moves the file to its name. A concurrent Delete may remove the folder
// between its creation and the rename, so both are repeated until they meet.
func (w *writer) rename(ctx context.Context) error {
	for {
		if err := w.store.root.MkdirAll(path.Dir(w.name), dirMode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		err := w.store.root.Rename(w.temp, w.name)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, gone := w.store.root.Lstat(w.temp); gone != nil {
			return fmt.Errorf("the temporary file was removed: %w", gone)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// syncFolders forces the names that lead to an object to disk: those of its
// folders too, because another process may have created them a moment ago.
func (s *Store) syncFolders(name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		f, err := s.root.Open(dir)
		switch {
		case err == nil:
			if err := errors.Join(f.Sync(), f.Close()); err != nil {
				return err
			}
		case errors.Is(err, fs.ErrNotExist):
			// The object was deleted meanwhile, and its folder with it.
		default:
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

// unavailable is failure for the writer, to which "no such file" is no answer:
// nobody asked for an object.
func unavailable(op, name string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("file store: %s %s: the disk is full: %w: %w", op, name, cache.ErrUnavailable, err)
	}
	return fmt.Errorf("file store: %s %s: %w: %w", op, name, cache.ErrUnavailable, err)
}
