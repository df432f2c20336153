package cache

import (
	"errors"
	"time"
)

// The types below are shared by whoever keeps the books of stores and files, which
// is the catalogue, and by whoever sweeps, checks and copies by them (cache/upkeep).

// MarkerObject is the object in the root of each store that says whose it is. It
// is never a result.
const MarkerObject = "slashbatch.json"

// Registered is a store that the catalogue knows. Its URL is without credentials.
type Registered struct {
	ID  int64
	URL string
	// Marked: it has borne our marker.
	Marked bool
}

// Retention says what may go, and when.
type Retention struct {
	// Grace is how long after its last access nothing goes.
	Grace time.Duration
	// Results is how long after its last access a name of a result keeps it, as
	// does a further file.
	Results time.Duration
	// Runs is how long is known which job has published what.
	Runs time.Duration
	// MaxBytes is how much all files may take together; 0: no limit.
	MaxBytes int64
}

// Freed counts what a sweep has taken out of the catalogue. The objects are
// removed from their stores afterwards.
type Freed struct {
	// Results that nothing named any more (Collected), whose names had become old
	// (Aged), or that had to make room (Crowded). Files are further files of results.
	Collected, Aged, Crowded, Files int
	// Names that went by themselves, since their result has others; and what was
	// known of runs, and of wishes that nobody will fulfil.
	Aliases, Requests, Runs, Wishes int
	// Bytes that the files take in one store.
	Bytes int64
}

// Results is how many results went.
func (f Freed) Results() int { return f.Collected + f.Aged + f.Crowded }

// Add returns the sum of both.
func (f Freed) Add(g Freed) Freed {
	f.Collected += g.Collected
	f.Aged += g.Aged
	f.Crowded += g.Crowded
	f.Files += g.Files
	f.Aliases += g.Aliases
	f.Requests += g.Requests
	f.Runs += g.Runs
	f.Wishes += g.Wishes
	f.Bytes += g.Bytes
	return f
}

// Removed counts the objects that were taken out of a store, and those that the
// store would not give up, with the last of its reasons.
type Removed struct {
	Objects, Failed int
	Reason          error
}

// Located is a file in a store, as the books have it.
type Located struct {
	Variant int64
	Object  string
	// Live: it is there to be read. Missing: it was, and is not there. Neither: it is
	// being copied.
	Live, Missing bool
	// Verified is when the catalogue last heard of it, by the catalogue's clock.
	Verified time.Time
	// Stored is its size. Bytes and SHA256 (hex) are of its content, inflated when
	// it is Gzipped. ContentType is of the content.
	Stored, Bytes int64
	SHA256        string
	Gzipped       bool
	ContentType   string
}

// Copy is a file in a further store, as the books have it; Stored is its size.
type Copy struct {
	Variant, Store int64
	Object         string
	Stored         int64
}

// Answers of the catalogue to who copies and retires.
var (
	// ErrBusy: another process is at it.
	ErrBusy = errors.New("cache: another process is doing this already")
	// ErrSole: files would be nowhere any more.
	ErrSole = errors.New("cache: there are files that no other store has")
)
