// Package cache owns two contracts: the Store, where the files of results live
// (s3store, filestore), and the Catalog, the record of which results exist
// (catalog, in PostgreSQL). The suite of the first is cache/storetest.
package cache

import (
	"context"
	"errors"
	"io"
	"iter"
	"time"
)

// Store holds objects: immutable byte strings under names.
//
// An object appears under its name all at once, when its writer's Commit
// returns, or never. A reader sees all of it or gets ErrNotFound. Objects are
// durable once Commit has returned.
//
// Names are relative slash-separated paths of at most 512 bytes, made of
// [A-Za-z0-9._~%=+@-] and /; no segment is empty, "." or "..", or longer than
// 255 bytes, which is what file systems hold. A "%2F" in a name is three bytes
// like any other. Every method refuses any other name with ErrName before
// touching anything. No name may be the folder of another: whoever stores "a"
// does not store "a/b", which some stores cannot hold side by side.
//
// Errors: ErrNotFound and ErrName are answers. Every other error means that
// the store could not do it or could not be asked; a caller may try again.
// Methods are safe for concurrent use; one Writer is for one goroutine.
type Store interface {
	// Create begins an object. Nothing is visible until Commit. The context
	// governs all writes up to Commit or Abort; when it ends, the object is
	// aborted.
	Create(ctx context.Context, name string, o ObjectOptions) (Writer, error)

	// Open returns length bytes from offset on, fewer if the object ends before;
	// a negative length means up to the end. An offset at or past the end yields
	// no bytes, a negative one is an error. The Object describes the whole object,
	// whatever the range. ErrNotFound comes from Open, never from a later Read.
	// The reader ends with an error, not io.EOF, when the store delivers fewer
	// bytes than it announced. The context governs the reading too.
	Open(ctx context.Context, name string, offset, length int64) (io.ReadCloser, Object, error)

	// Stat describes an object.
	Stat(ctx context.Context, name string) (Object, error)

	// Delete removes an object. Deleting what is not there succeeds.
	Delete(ctx context.Context, name string) error

	// List yields the objects whose names begin with prefix, in byte order of
	// their names, a page at a time. A prefix is any string: "" lists everything,
	// and one that no name can begin with matches nothing. Whatever else lies in
	// the backend under names that are not valid is left out. It stops after
	// yielding an error.
	List(ctx context.Context, prefix string) iter.Seq2[Object, error]

	// SignURL returns a URL by which anybody may GET the object until it
	// expires, without going through this process. ErrUnsupported where the
	// backend has no such thing. Never log the URL.
	SignURL(ctx context.Context, name string, o SignOptions) (string, error)

	// Ping reports whether the store can be written to.
	Ping(ctx context.Context) error

	// Backend names the kind for people: "s3", "file".
	Backend() string
}

// Writer writes one object. Exactly one of Commit and Abort ends it; further
// calls of Abort do nothing, so it can be deferred.
type Writer interface {
	io.Writer
	// Commit makes the object visible, replacing one of the same name. When
	// its answer is lost the writer finds out what happened: an error from
	// Commit means the object was not replaced as far as anybody can tell, and its
	// caller may delete the name. An error ends the writer as Abort does.
	Commit(ctx context.Context) (Object, error)
	// Abort discards everything written. It works with a context that has ended.
	Abort() error
}

// ObjectOptions describe an object at its creation.
type ObjectOptions struct {
	// ContentType as served by stores that serve; Content-Encoding is never set.
	ContentType string
}

// SignOptions choose what a signed URL answers.
type SignOptions struct {
	// TTL is positive; more than MaxSignTTL is taken as MaxSignTTL.
	TTL time.Duration
	// The response headers the store shall send.
	ContentType, ContentEncoding, ContentDisposition string
}

// Object describes a stored object.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Answers of a Store.
var (
	ErrNotFound    = errors.New("cache: not found")
	ErrName        = errors.New("cache: not a valid object name")
	ErrUnsupported = errors.New("cache: not supported by this store")
)

// ErrToken is the Catalog's answer to a token that is not the alias's.
var ErrToken = errors.New("cache: another token")

// ErrUnavailable is wrapped by errors that mean the backend could not be asked.
var ErrUnavailable = errors.New("cache: backend unavailable")

// MaxSignTTL bounds the life of signed URLs.
const MaxSignTTL = 15 * time.Minute

// ValidName reports whether name may name an object; see Store.
func ValidName(name string) bool {
	if name == "" || len(name) > 512 {
		return false
	}
	start := 0
	for i := 0; i <= len(name); i++ {
		if i < len(name) && name[i] != '/' {
			if !nameByte(name[i]) {
				return false
			}
			continue
		}
		if segment := name[start:i]; segment == "" || segment == "." || segment == ".." || len(segment) > 255 {
			return false
		}
		start = i + 1
	}
	return true
}

func nameByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	switch c {
	case '.', '_', '~', '%', '=', '+', '@', '-':
		return true
	}
	return false
}
