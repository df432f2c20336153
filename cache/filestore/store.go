// Package filestore keeps objects as plain files below one folder, under the
// names they have in the store, so that any other tool can read and add them.
//
// # How an object comes to be
//
// The system calls, in order, for an object named "a/b":
//
//	open(".tmp,/<random>", O_CREAT|O_EXCL)   Create
//	write …                                  Write
//	fsync(file), fstat, close                Commit: the bytes are on disk, and all of them
//	mkdir("a") if it is missing
//	rename(".tmp,/<random>", "a/b")          the object appears, all at once
//	fsync("a"), fsync(".")                   its name is on disk, and so are its folders
//
// A process that dies before the rename leaves a file in ".tmp,", which no
// name can reach (a comma is in no valid name) and Sweep removes. The temporary
// folder is in the same file system as the objects, so the rename is atomic.
// An error before the rename leaves the old object; an error after it, from the
// last fsync, takes the new one away again, because it might not survive.
//
// # What cannot happen
//
// No name leaves the folder: all access goes through an [os.Root], which also
// refuses symbolic links that point outside. Links inside work.
//
// One folder may be shared by many processes and, over a network file system
// with atomic renames, by many machines.
package filestore

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"slashbatch/cache"
)

// tempDir holds what is being written. The comma keeps it out of reach of
// every valid name, the dot out of sight.
const tempDir = ".tmp,"

// Results can be private: others on the machine get no access, and an umask can
// only narrow it further.
const (
	dirMode  = 0o750
	fileMode = 0o640
)

// Store is a cache.Store in a folder.
type Store struct {
	root *os.Root
	dir  string // absolute, as opened; for messages and Ping
}

var _ cache.Store = (*Store)(nil)

// Open opens the store in a folder, which it creates if it is missing.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	if err := mkdirDurably(dir); err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	if err := root.MkdirAll(tempDir, dirMode); err != nil {
		root.Close()
		return nil, fmt.Errorf("file store %s: %w", dir, err)
	}
	return &Store{root: root, dir: dir}, nil
}

// OpenURL opens the store of a URL file:///path. The path is absolute; the URL
// has no host (or "localhost"), no options and no fragment.
func OpenURL(u *url.URL) (*Store, error) {
	switch {
	case u.Scheme != "file":
		return nil, fmt.Errorf("file store: the scheme is %q, not file", u.Scheme)
	case u.Opaque != "" || u.Host != "" && u.Host != "localhost":
		return nil, errors.New("file store: the URL needs three slashes and an absolute path: file:///path")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("file store: the URL takes no user, options or fragment: file:///path")
	case !path.IsAbs(u.Path):
		return nil, errors.New("file store: the URL has no path: file:///path")
	}
	return Open(filepath.FromSlash(u.Path))
}

// Close lets go of the folder. Objects being read or written are not affected
// until they need the folder again.
func (s *Store) Close() error { return s.root.Close() }

// Backend implements cache.Store.
func (s *Store) Backend() string { return "file" }

// Open implements cache.Store. A folder is not an object, so it is not found.
func (s *Store) Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, cache.Object, error) {
	if !cache.ValidName(name) {
		return nil, cache.Object{}, cache.ErrName
	}
	if offset < 0 {
		return nil, cache.Object{}, fmt.Errorf("file store: open %s: negative offset %d", name, offset)
	}
	if err := ctx.Err(); err != nil {
		return nil, cache.Object{}, err
	}
	f, err := s.root.Open(name)
	if err != nil {
		return nil, cache.Object{}, failure("open", name, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, cache.Object{}, failure("open", name, err)
	}
	left := max(info.Size()-offset, 0)
	if length >= 0 {
		left = min(left, length)
	}
	if left > 0 && offset > 0 {
		if _, err := f.Seek(offset, io.SeekStart); err != nil {
			f.Close()
			return nil, cache.Object{}, failure("open", name, err)
		}
	}
	return &reader{ctx: ctx, name: name, file: f, left: left}, object(name, info), nil
}

// Stat implements cache.Store.
func (s *Store) Stat(ctx context.Context, name string) (cache.Object, error) {
	if !cache.ValidName(name) {
		return cache.Object{}, cache.ErrName
	}
	if err := ctx.Err(); err != nil {
		return cache.Object{}, err
	}
	info, err := s.root.Stat(name)
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		return cache.Object{}, failure("stat", name, err)
	}
	return object(name, info), nil
}

// Delete implements cache.Store. Folders that become empty go too. The removal
// is not forced to disk: after a power failure the object may be there again.
func (s *Store) Delete(ctx context.Context, name string) error {
	if _, err := s.Stat(ctx, name); err != nil {
		if errors.Is(err, cache.ErrNotFound) {
			return nil // Never remove a folder, which is not an object.
		}
		return err
	}
	if err := s.root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return failure("delete", name, err)
	}
	// Removing a folder that is not empty fails, and that ends the climb.
	for dir := path.Dir(name); dir != "." && s.root.Remove(dir) == nil; {
		dir = path.Dir(dir)
	}
	return nil
}

// SignURL implements cache.Store: files are served by this process only.
func (s *Store) SignURL(_ context.Context, name string, _ cache.SignOptions) (string, error) {
	if !cache.ValidName(name) {
		return "", cache.ErrName
	}
	return "", cache.ErrUnsupported
}

// createTemp makes a new file in tempDir, and tempDir if somebody took it away.
func (s *Store) createTemp() (*os.File, string, error) {
	temp := path.Join(tempDir, rand.Text())
	f, err := s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if errors.Is(err, fs.ErrNotExist) {
		if err := s.root.MkdirAll(tempDir, dirMode); err != nil {
			return nil, "", err
		}
		f, err = s.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	}
	return f, temp, err
}

func object(name string, info fs.FileInfo) cache.Object {
	return cache.Object{Name: name, Size: info.Size(), Modified: info.ModTime()}
}

// failure turns an error of the file system into one of the store. That a
// folder of the name is a file means, too, that there is no such object.
func failure(op, name string, err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return fmt.Errorf("file store: %s %s: %w", op, name, cache.ErrNotFound)
	}
	return fmt.Errorf("file store: %s %s: %w: %w", op, name, cache.ErrUnavailable, err)
}

// mkdirDurably creates a folder and its missing parents, and syncs the folder
// above each, without which a new folder may be gone after a power failure.
func mkdirDurably(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := mkdirDurably(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.Open(parent)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
