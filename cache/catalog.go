package cache

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
	"time"
)

// Catalog records which results exist, under which names, since when, and where
// their files are. The clock is the catalogue's own.
//
//	request ─┐                ┌─ variant csv ──── location (store, object)
//	alias  ──┴──▶ result ─────┤
//	                          └─ variant parquet ─ location …
//
// A result is rows: it is known by its owner and content, and stored once however
// many requests come to it. Requests and aliases are its names. A variant is the
// result as one file; "csv" is the one that the run wrote, and lives as long as the
// result. A location says in which store a variant's file is.
//
// A process sees the stores it was opened with: where a file is nowhere in them,
// the entry is not found.
//
// ErrNotFound is an answer; any other error wraps ErrUnavailable.
type Catalog interface {
	// ByKey returns what answers a request key now, valid or not: the caller
	// looks at Entry.Valid, and asks whether Entry.Guard still holds.
	ByKey(ctx context.Context, key string) (Entry, error)

	// ByJob returns the entry that a job has published.
	ByJob(ctx context.Context, job string) (Entry, error)

	// ByAlias returns what a public name leads to. One that has expired is not found.
	ByAlias(ctx context.Context, name string) (Entry, error)

	// Publish records a result and lets it answer its key, in one transaction.
	// The first claim of a job to publish wins: a later one gets the winner's
	// entry. Of two jobs of one key the later submitted one answers the key,
	// whichever publishes last. kept tells whether the object of the publication
	// is the result's file now; if not, because another claim has published or
	// because the same rows are stored already, the caller deletes its object.
	// Repeating a call gives the same answer.
	Publish(ctx context.Context, p Publication) (e Entry, kept bool, err error)

	// Draft notes that an object is written that will be published later, perhaps days
	// later: until then, for 30 days from now, no sweep takes it for an orphan.
	Draft(ctx context.Context, object string) error

	// DropDraft takes that back: the object has been deleted.
	DropDraft(ctx context.Context, object string) error

	// Variant returns a further file of a result.
	Variant(ctx context.Context, result int64, form Form) (File, error)

	// PublishVariant records a further file of a result. The first one is kept;
	// see Publish. ErrNotFound: the result is gone.
	PublishVariant(ctx context.Context, result int64, form Form, file File) (f File, kept bool, err error)

	// Wish notes that a user wants a file of a result that is still to come.
	Wish(ctx context.Context, key string, w Wish) error

	// Wishes returns what was wished of a key.
	Wishes(ctx context.Context, key string) ([]Wish, error)

	// Grant forgets the wishes of a key: jobs have been queued for them, or there is
	// no result to fulfil them.
	Grant(ctx context.Context, key string) error

	// Columns returns the columns of a result.
	Columns(ctx context.Context, result int64) ([]Column, error)

	// Blocks returns the blocks of a file of a result.
	Blocks(ctx context.Context, result int64, form Form) ([]Block, error)

	// Touch notes that an entry's file of a form is being read, or that a URL for
	// it was signed, exact to a minute. After it the file is safe from eviction for
	// the grace. ErrNotFound: it has gone since the entry was looked up.
	Touch(ctx context.Context, e Entry, form Form) error

	// Missing notes that an object is in none of the process' stores, so that
	// what it was the file of is not found any more, until it is published again.
	Missing(ctx context.Context, object string) error

	// Mint gives a result one more name, and makes it as safe from eviction as
	// Touch does. ErrNotFound: the result is gone.
	Mint(ctx context.Context, a Alias) error

	// DropAlias removes a public name, and nothing else. The token is compared in
	// constant time; ErrToken when it is another. Dropping what is not there succeeds.
	DropAlias(ctx context.Context, name string, token [sha256.Size]byte) error

	// Ping reports whether the catalogue can be asked.
	Ping(ctx context.Context) error
}

// Publication is a result ready to be recorded.
type Publication struct {
	Key string
	// Endpoint and User are for people and lists.
	Endpoint, User string
	// Owner is whose result it is: see OwnerShared and OwnerUser.
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
	// Unique: the rows cannot be read again, as those of a SQL job. Before it has
	// expired nothing evicts it to make room.
	Unique bool
	// Pinned: nothing evicts it at all, and it does not expire.
	Pinned bool
	// Guard is what the guard of the request gave when the rows were read; nil where none
	// was asked. It is kept with the entry, for whoever looks it up to compare, so it is
	// better short: of much text a digest.
	Guard *string
	File  File
}

// OwnerShared owns the results that all users may read.
const OwnerShared = "shared"

// OwnerUser is the owner of a user's own results. Equal rows of two owners are two results.
func OwnerUser(name string) string { return "user:" + name }

// OwnerCustomer is the owner of the results over one customer's assets.
func OwnerCustomer(id int) string { return "customer:" + strconv.Itoa(id) }

// ContentDigest is what a result is known by, beside the length of its plain file:
// owner, names and types of the columns, and the SHA-256 (hex) of the plain file.
// Neither compression nor the version of a compressor matters.
func ContentDigest(owner string, columns []Column, sha256hex string) [sha256.Size]byte {
	h := sha256.New()
	// Lengths keep two different lists from reading the same.
	add := func(s string) {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(s)))) // a hash takes everything
		_, _ = h.Write([]byte(s))
	}
	add(owner)
	add(sha256hex)
	for _, c := range columns {
		add(c.Name)
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, c.OID))
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, uint32(c.Mod)))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// Form names one of the files of a result: a format and, in canonical words, its options.
type Form struct {
	Format, Options string
}

// FormCSV is the form that runs write.
var FormCSV = Form{Format: "csv"}

// Wish is a file that somebody waits for, and the list of the queue that its job
// will go into, with the cap on running jobs that holds there.
type Wish struct {
	Form       Form
	User       string
	RunningCap int
}

// File is one stored file of a result.
type File struct {
	// Object is the name in the store, Stored its size there.
	Object string `json:"object"`
	Stored int64  `json:"stored"`
	// Rows it holds. Bytes and SHA256 (hex) are of the file as a reader sees it:
	// without compression when Gzipped.
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// Columns of the rows; only where a result is published: see Catalog.Columns.
	Columns []Column `json:"columns,omitempty"`
	// Gzipped: the object is a gzip file of the content.
	Gzipped bool `json:"gzipped"`
	// Blocks are the parts of the object that can be inflated each by itself.
	// Empty in a File that was looked up: see Catalog.Blocks.
	Blocks []Block `json:"blocks"`
	// ContentType of the uncompressed content; FileName for its download, without ".gz".
	ContentType string `json:"contentType"`
	FileName    string `json:"fileName"`
}

// Column is one column of a result: its name, PostgreSQL's id of its type, and
// the type's modifier (0: none), which has the scale of a numeric. Array tells that
// the type is an array, where the id does not say so: of a type that is not
// PostgreSQL's own.
type Column struct {
	Name  string `json:"name"`
	OID   uint32 `json:"oid"`
	Mod   int32  `json:"mod,omitempty"`
	Array bool   `json:"array,omitempty"`
}

// Block is a part of a gzip file that can be inflated by itself, as raw deflate
// data: where it starts in the object and in the plain content. The first one
// starts after the gzip header.
type Block struct {
	Offset int64 `json:"o"`
	Plain  int64 `json:"p"`
}

// Entry is a name of a result, and what it leads to.
type Entry struct {
	// Key is the request's; empty for an alias.
	Key    string
	Result int64
	// Job and Claim made the entry.
	Job, Claim string
	// Generated is when the rows were read, Published when the entry was made,
	// Expires when it stops answering its name.
	Generated, Published, Expires time.Time
	// Pinned: it does not expire.
	Pinned bool
	// Valid: not expired by the catalogue's clock when it was read. Age is the
	// time since Published by the same clock.
	Valid bool
	Age   time.Duration
	// Guard is the publication's; only ByKey tells it. Where it is not nil the rows may be
	// outdated although the entry is Valid: the catalogue does not ask.
	Guard *string
	// File is the csv.
	File File
}

// Alias is a public name of a result: whoever knows it may read it.
type Alias struct {
	Name   string
	Result int64
	// Token is the SHA-256 of the secret by which the alias can be dropped.
	Token [sha256.Size]byte
	// Owner minted it; for people.
	Owner string
	// FileName of its download, without ".gz".
	FileName string
	// Generated is when the rows were read.
	Generated time.Time
	// TTL is how long it lives.
	TTL time.Duration
}
