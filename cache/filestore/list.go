package filestore

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"syscall"

	"slashbatch/cache"
)

// List implements cache.Store. It holds the names of one folder per level in
// memory, those that match the prefix, and describes each object when it is
// its turn. Files that vanish meanwhile are left out.
func (s *Store) List(ctx context.Context, prefix string) iter.Seq2[cache.Object, error] {
	return func(yield func(cache.Object, error) bool) {
		// What the prefix says up to its last slash is a folder, or nothing.
		dir := "."
		if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
			dir = prefix[:i]
			if !cache.ValidName(dir) {
				return
			}
		}
		s.walk(ctx, dir, prefix, yield)
	}
}

// walk yields what is below dir and begins with prefix. It reports whether to
// go on.
func (s *Store) walk(ctx context.Context, dir, prefix string, yield func(cache.Object, error) bool) bool {
	if ctx.Err() != nil {
		yield(cache.Object{}, ctx.Err())
		return false
	}
	names, err := s.entries(dir, prefix)
	if err != nil {
		yield(cache.Object{}, unavailable("list", dir, err))
		return false
	}
	for _, name := range names {
		if folder, ok := strings.CutSuffix(name, "/"); ok {
			if !s.walk(ctx, folder, prefix, yield) {
				return false
			}
			continue
		}
		o, err := s.Stat(ctx, name)
		if errors.Is(err, cache.ErrNotFound) {
			continue
		}
		if !yield(o, err) || err != nil {
			return false
		}
	}
	return true
}

// entries returns the names in a folder that begin with prefix or can lead to
// one that does. Folders end with a slash, which puts them where the names
// below them belong in byte order: "a-b" is before "a/b".
func (s *Store) entries(dir, prefix string) ([]string, error) {
	f, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()

	var names []string
	for {
		page, err := f.ReadDir(1000)
		for _, entry := range page {
			name := path.Join(dir, entry.Name())
			if !cache.ValidName(name) {
				continue // Such as tempDir, or what no name reaches.
			}
			if entry.IsDir() {
				name += "/"
			}
			if strings.HasPrefix(name, prefix) || entry.IsDir() && strings.HasPrefix(prefix, name) {
				names = append(names, name)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, syscall.ENOTDIR) {
			break
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // The folder was removed after it was opened.
		}
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(names)
	return names, nil
}
