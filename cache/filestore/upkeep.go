package filestore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"time"

	"slashbatch/cache"
)

// Ping implements cache.Store. It writes a temporary file, and it fails when
// the path of the store leads to another folder than the one opened, as after
// a volume was mounted over it or taken away.
func (s *Store) Ping(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	opened, err := s.root.Stat(".")
	if err != nil {
		return failure("ping", s.dir, err)
	}
	now, err := os.Stat(s.dir)
	if err != nil {
		return fmt.Errorf("file store: %w: %w", cache.ErrUnavailable, err)
	}
	if !os.SameFile(opened, now) {
		return fmt.Errorf("file store: %w: %s is another folder than the one opened", cache.ErrUnavailable, s.dir)
	}
	f, temp, err := s.createTemp()
	if err != nil {
		return failure("ping", s.dir, err)
	}
	_, err = f.Write([]byte("ping"))
	if err := errors.Join(err, f.Close(), s.root.Remove(temp)); err != nil {
		return failure("ping", s.dir, err)
	}
	return nil
}

// Sweep removes temporary files that were last written to longer than
// olderThan ago, and returns how many. They belong to processes that died; a
// living writer that pauses longer loses its object with an error at Commit.
func (s *Store) Sweep(ctx context.Context, olderThan time.Duration) (int, error) {
	entries, err := fs.ReadDir(s.root.FS(), tempDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, failure("sweep", tempDir, err)
	}
	limit := time.Now().Add(-olderThan)
	removed := 0
	for _, entry := range entries {
		if err := ctx.Err(); err != nil {
			return removed, err
		}
		info, err := entry.Info()
		if err != nil || !info.Mode().IsRegular() || info.ModTime().After(limit) {
			continue // Gone by now, not ours, or young.
		}
		if err := s.root.Remove(path.Join(tempDir, entry.Name())); err == nil {
			removed++
		} else if !errors.Is(err, fs.ErrNotExist) {
			return removed, failure("sweep", tempDir, err)
		}
	}
	return removed, nil
}
