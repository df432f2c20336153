package cache

import (
	"context"
	"time"
)

// Catalog records which results exist, which request they answer, and where
// their files are. The clock is the catalogue's own.
//
// ErrNotFound is an answer; any other error wraps ErrUnavailable.
type Catalog interface {
	// ByKey returns what answers a request key now, valid or not: the caller
	// looks at Entry.Valid.
	ByKey(ctx context.Context, key string) (Entry, error)

	// ByJob returns the entry that a job has published.
	ByJob(ctx context.Context, job string) (Entry, error)

	// Publish records a result and lets it answer its key, in one transaction.
	// The first claim of a job to publish wins: a later one gets the winner's
	// entry and won == false, and deletes its own object. Of two jobs of one key
	// the later submitted one answers the key, whichever publishes last.
	// Repeating a call that won succeeds again.
	Publish(ctx context.Context, p Publication) (e Entry, won bool, err error)

	// Details returns the columns and blocks of a result's file.
	Details(ctx context.Context, result int64) ([]Column, []Block, error)

	// Touch notes that the key was read, at most once a minute. It never fails a
	// download, so callers only log its error.
	Touch(ctx context.Context, key string) error

	// Forget removes the entry of a key if it still points to this result, so
	// that the next request computes it again. The file is not touched.
	Forget(ctx context.Context, key string, result int64) error

	// Ping reports whether the catalogue can be asked.
	Ping(ctx context.Context) error
}

// Publication is a result ready to be recorded.
type Publication struct {
	Key string
	// Endpoint and User are for people and lists.
	Endpoint, User string
	// Owner is whose result it is: "shared" or a user.
	Owner string
	// Job and Claim made it; Submitted is when the job was, by the queue's clock.
	Job, Claim string
	Submitted  time.Time
	// SpecDigest is the digest of the endpoint's definition it was read with.
	SpecDigest string
	// Generated is when the rows were read (the snapshot's time).
	Generated time.Time
	// MaxAge is how long it answers its key, from Generated on, but at least MinFresh from now on.
	MaxAge, MinFresh time.Duration
	File             File
}

// File is one stored file of a result, and what it holds.
type File struct {
	// Object is the name in the store, Stored its size there.
	Object string `json:"object"`
	Stored int64  `json:"stored"`
	// Rows, Bytes and SHA256 (hex) are of the uncompressed content.
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Columns of the rows. Empty in an Entry: see Catalog.Details.
	Columns []Column `json:"columns"`
	// Blocks are the parts of the object that can be inflated each by itself.
	// Empty in an Entry: a large result has thousands, and only ranges need them.
	Blocks []Block `json:"blocks"`
	// ContentType of the uncompressed content; FileName for its download, without ".gz".
	ContentType string `json:"contentType"`
	FileName    string `json:"fileName"`
}

// Column is one column of a result: its name and PostgreSQL's id of its type.
type Column struct {
	Name string `json:"name"`
	OID  uint32 `json:"oid"`
}

// Block is a part of a gzip file that can be inflated by itself, as raw deflate
// data: where it starts in the object and in the plain content. The first one
// starts after the gzip header.
type Block struct {
	Offset int64 `json:"o"`
	Plain  int64 `json:"p"`
}

// Entry is what answers a request key.
type Entry struct {
	Key    string
	Result int64
	// Job and Claim made the result.
	Job, Claim string
	// Generated is when the rows were read, Published when the entry was made,
	// Expires when it stops answering its key.
	Generated, Published, Expires time.Time
	// Valid: not expired by the catalogue's clock when it was read. Age is the
	// time since Published by the same clock.
	Valid bool
	Age   time.Duration
	File  File
}
