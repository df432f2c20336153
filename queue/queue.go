// Package queue owns the contract of slashbatch's job queue: who is next, who
// holds what, and what can never happen. Backends (redisqueue, pgqueue, memqueue)
// live in their own packages and all run the suite in queue/queuetest.
//
// # What a queue is
//
// A job is one run to be done. It stands in the list of the user who asked for
// it, in one of two lanes; each user has one list per lane. A worker claims a
// job under a random claim id of its own choosing, proves that it is alive by
// beating, and ends the claim by finishing, failing or releasing.
//
//	            Enqueue                Claim                 Finish
//	(nothing) ──────────▶ pending ──────────────▶ running ──────────▶ done
//	                         │  ◀── Release, Fail (retry), ──┤ Fail ──▶ failed
//	                         │      lease ran out (Sweep)    │
//	                         └────────── Cancel ─────────────┴───────▶ cancelled
//
// done, failed and cancelled are final: nothing leaves them.
//
// # Guarantees every backend gives
//
// Durability. A job for which Enqueue returned is never lost: not by the death
// of any process at any instant, nor by a lost notification or connection.
// What survives a restart of the backend itself is the backend's own
// documented durability (PostgreSQL: everything; Redis: its AOF; memory: nothing).
//
// Repeatability. Every operation may be sent again after an answer was lost.
// The caller chooses job ids and claim ids, so Enqueue with a known job id and
// Claim with a known claim id return what the first call did and count once;
// Finish, Fail, Release and Seal repeated by the same claim succeed again. A claim
// id yields at most one job, ever: it is remembered for one lease after its
// claim ended, and a Claim with it then returns nothing.
//
// Fencing. At most one claim of a job is current. Beat, Seal, Finish, Fail and
// Release under any other claim change nothing and return *LostError.
//
// Leases. A claim not beaten for one lease may be recovered by Sweep, which
// gives the job back to the head of its list. A beat that comes later than
// that still succeeds as long as nobody has recovered the job. An outage of the
// backend or of all workers restarts nothing: see Sweep.
//
// Order. Within a list jobs are claimed first in, first out; a job given back
// goes to the head. Between lists: users with work stand in a line kept by a
// counter of the backend. A user's list joins at the end when a job arrives
// while it has neither pending nor running jobs, and goes to the end whenever
// one of its jobs starts, and whenever one of its runs is over for good: done,
// failed, or cancelled and giving up its place. A job given back, and one
// cancelled while pending, do not move it. Claimed is the head job of the user
// with the fewest running jobs, among equals the one furthest ahead in line. A
// user at its running cap is passed over. A user whose head job is for a
// source that is at capacity waits with it, and others pass. A cancelled job
// counts as running here until it gives up its place. While the queue is paused
// nothing is claimed; everything else goes on.
//
// Retries. A failed run that is to be tried again may have to wait. Meanwhile its
// job is pending but stands outside its list: it counts against the queued cap
// and not as running, and lets later jobs pass. The first Sweep after its time
// has come puts it at the head of the list. Until then its list keeps its place
// in line, also when it holds nothing else.
//
// Sharing. Whoever enqueues the key of an active job, or joins it, waits for it;
// joining never counts against a cap, and what was joined counts only in the list
// in which it stands. A waiter who asks for a pending job of somebody else's list
// takes it over when it would be reached sooner at the end of the waiter's own
// list in that lane: when that list has fewer jobs pending (waiting for a retry, too)
// and running together than the job's present list has running and standing before
// the job. It then
// leaves the one list as a cancelled job does, and arrives in the other as a new
// one does; caps are not asked. The comparison is made each time a waiter asks,
// except for a job that waits for a retry.
// When the owner of the list in which a pending job stands leaves while others
// wait, it goes in the same way to the end of the list of the waiter with the
// fewest pending and running jobs in that lane; among equals the one furthest
// ahead in line, among those without any work the one who joined first. One that
// waits for a retry still does so, for that list. A running job counts for, and is
// given back to, the list it was claimed from, whoever leaves.
//
// Estimates. The queue learns how long the jobs of a class take: a moving average
// of the time from claim to Finish of measured runs (see Learn), which takes the
// place of the submitted estimate of every later job of that class.
//
// Clock. Every time in a Job is the backend's, never a caller's.
//
// Cost. No operation grows with the number of pending or finished jobs or of
// idle users; Snapshot and Stats may grow with the number of lists that have work,
// Leave with the number of the job's waiters. Only taking a job out of the middle
// of a list (Cancel, Leave, a take-over) may cost a backend something for each
// job between it and the nearer end.
//
// # Errors
//
// ErrNotFound, *FullError, *LostError and ErrSealed are answers. Every other
// error means that the backend could not be asked and wraps ErrUnavailable;
// whether the operation happened is then unknown, and repeating it is safe.
package queue

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Lane separates kinds of work that must not hold each other up. Every user
// has one list per lane, and workers have slots per lane.
type Lane string

// The lanes.
const (
	LaneSQL    Lane = "sql"
	LaneExport Lane = "export"
)

// Lanes lists every lane.
var Lanes = []Lane{LaneSQL, LaneExport}

// State is where a job stands. See the diagram in the package comment.
type State string

// The states of a job.
const (
	Pending   State = "pending"
	Running   State = "running"
	Done      State = "done"
	Failed    State = "failed"
	Cancelled State = "cancelled"
)

// Final reports whether nothing leaves this state.
func (s State) Final() bool { return s == Done || s == Failed || s == Cancelled }

// Submission is a job to be queued.
type Submission struct {
	// ID is the job's id, a random (version 4) UUID chosen by the caller; it
	// makes a repeated Enqueue harmless.
	ID string
	// Key is the request key. At most one job per key is active at a time.
	// Empty: the job is its own and never shared.
	Key string
	// After is the id of the job last seen for Key; empty when none was. A new
	// job is made only if that is still the key's last job and it has ended.
	// A key without an entry (expired, or never seen) matches any After.
	After string
	// User owns the list the job goes into, and is its first waiter. Any
	// non-empty string; backends encode it.
	User string
	Lane Lane
	// Kind tells people what it is: "export", "variant", "sql".
	Kind string
	// Source is the data source whose fleet-wide capacity the job needs; see
	// SetCapacities. May be empty.
	Source string
	// Class names the jobs that take about as long, such as those of an
	// endpoint: a few names, not one for each job. Empty: nothing is learned.
	Class string
	// Estimate is how long one run is thought to take as long as nothing has been
	// learned about its Class; feeds ETAs. Whole milliseconds.
	Estimate time.Duration
	// RunningCap is how many jobs of this user may run at once in this lane (at
	// least 1). The value of the newest submission or take-over holds for the list.
	RunningCap int
	// QueuedCap is how many jobs may be pending in this list, those that wait for
	// a retry included; checked atomically with the push. 0 means no cap.
	QueuedCap int
	// Retry is how many further attempts a failed run may have.
	Retry int
	// Definition is an opaque document for the worker. The queue returns the very bytes.
	Definition []byte
}

// Enqueued is the answer to Enqueue.
type Enqueued struct {
	// Job is the new job, or the one that stands for the key already.
	Job Job
	// Created is true when this submission made the job, also when the call
	// was a repetition of the one that did.
	Created bool
}

// Job is what the queue knows of a job, without its definition.
type Job struct {
	ID  string
	Key string
	// User owns the list in which the job stands, or from which it was claimed:
	// who submitted it, until a waiter takes it over.
	User string
	Lane Lane
	Kind string
	// Source, Class and Retry as submitted.
	Source, Class string
	Retry         int
	// Estimate was learned, or submitted; it does not change any more.
	Estimate time.Duration
	State    State
	// Order grows with every submission: of two jobs the later submitted one
	// has the larger Order. It never repeats.
	Order int64

	// Submitted is always set; Started is the start of the present claim, or of the last
	// one of an ended job, and zero while pending; Ended is set in final states.
	// Millisecond resolution.
	Submitted, Started, Ended time.Time

	// Attempt counts claims, for people. Crashes counts leases that ran out,
	// Failures runs that ended in an error. A release counts in neither.
	Attempt, Crashes, Failures int
	// Sealed: the holder is publishing; cancel is refused.
	Sealed bool

	Progress Progress
	// Steps is the opaque steps document last sent with a beat; nil when none was.
	Steps []byte
	// Outcome is the opaque document of Finish or Fail; nil when none.
	Outcome []byte
	// Error is the reason of a failed job, or of the last attempt that failed.
	Error string

	// Standing is set for pending jobs only.
	Standing Standing
}

// Progress is what a running job has done so far.
type Progress struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Total is the number of rows expected, 0 when unknown.
	Total int64 `json:"total,omitempty"`
}

// Standing is the place of a pending job: enough, with a Snapshot, to tell its
// position and ETA.
type Standing struct {
	// Line identifies the list within a Snapshot of the same time.
	Line uint32
	// Index is the number of jobs before it in its own list.
	Index int
	// Ahead is the sum of the estimates of those jobs.
	Ahead time.Duration
	// Running is how many jobs of the list run now; Place its place in line.
	Running int
	Place   int64
	// NotBefore is set for a job that waits for a retry: it comes back to the head
	// of its list then. Its Index and Ahead are 0.
	NotBefore time.Time
}

// ClaimRequest asks for the next job of a lane.
type ClaimRequest struct {
	// ClaimID is random, chosen by the caller, new for every claim; repeated
	// only to repeat the very same call.
	ClaimID string
	// Worker is the id of the asking worker, for people.
	Worker string
	Lane   Lane
}

// Claimed is a job together with everything a worker needs to run it.
type Claimed struct {
	Job        Job
	Definition []byte
}

// Holder names a claim on a job.
type Holder struct {
	Job   string
	Claim string
}

// Worker announces a live worker process and how many slots it has per lane.
type Worker struct {
	ID    string
	Slots map[Lane]int
}

// Beat extends one claim's lease and may report on it.
type Beat struct {
	Holder
	Progress Progress
	// Steps replaces the steps document as a whole; nil leaves it as it is.
	Steps []byte
}

// Success is how a run ended well.
type Success struct {
	// Outcome is an opaque document to be kept with the job; nil for none.
	Outcome []byte
	// Measured: the claim did the whole work, so its time is worth learning.
	Measured bool
}

// Failure is how a run ended in an error.
type Failure struct {
	Reason string
	// Retry asks for another attempt, if the submission's Retry allows for it;
	// not sooner than After from now, in whole milliseconds.
	Retry bool
	After time.Duration
	// Outcome is an opaque document to be kept with the job; nil for none.
	Outcome []byte
}

// Left says what became of a job that a waiter no longer waits for.
type Left string

// What Leave and Cancel come to.
const (
	// StillWanted: others wait for it, it goes on.
	StillWanted Left = "wanted"
	// Removed: it was pending; now it is cancelled and out of its list.
	Removed Left = "removed"
	// Stopping: it was running; it is cancelled and its worker will stop. Its
	// place under cap and capacity is taken until the worker says so or the
	// lease ends.
	Stopping Left = "stopping"
	// TooLate: it is being published (sealed) or had ended before.
	TooLate Left = "late"
)

// Event tells that something happened. Events are hints: they may be lost, and
// a Resync says that some were.
type Event struct {
	Kind EventKind
	// User is set for Wake: there is a job to claim in one of this user's lists.
	User string
	// Job and State are set for Changed: the job came to this state, or into
	// another list.
	Job   string
	State State
}

// EventKind tells events apart.
type EventKind int

// The kinds of events.
const (
	Wake EventKind = iota + 1
	Changed
	// Resync: the subscription was interrupted or overran; look again at
	// whatever you follow. Also the first event of every subscription.
	Resync
)

// Swept counts what one Sweep did.
type Swept struct {
	// Recovered jobs went back to their lists, Failed ones had crashed too often.
	Recovered, Failed int
	// Extended: leases were only pushed forward, since nobody had swept lately.
	Extended bool
}

// Settings hold for a queue as a whole; every process of a fleet must use the same.
type Settings struct {
	// Lease is how long a claim lives without a beat. Defaults to 30s.
	Lease time.Duration
	// Crashes is how many leases of one job may run out; the one that reaches
	// it fails the job. Defaults to 3.
	Crashes int
	// Retention is how long a job in a final state, and its key's entry, are
	// kept. At least a minute in production. Defaults to 48h.
	Retention time.Duration
}

// WithDefaults fills in what is zero.
func (s Settings) WithDefaults() Settings {
	if s.Lease == 0 {
		s.Lease = 30 * time.Second
	}
	if s.Crashes == 0 {
		s.Crashes = 3
	}
	if s.Retention == 0 {
		s.Retention = 48 * time.Hour
	}
	return s
}

// Queue is the contract. All methods are safe for concurrent use by any number
// of goroutines, and any number of processes where the backend is shared.
type Queue interface {
	// Enqueue queues a job or returns the one that stands for its key, in one
	// atomic step:
	//
	//   - a job with this ID exists: that one, Created true;
	//   - the key's last job is active: that one, and User waits for it as after Join;
	//   - the key's last job has ended and is not After: that (newer) one;
	//   - the list holds QueuedCap pending jobs: *FullError, nothing changed;
	//   - else a new pending job at the end of the user's list; a Wake is sent.
	//
	// Joining a job does not count against a cap.
	Enqueue(ctx context.Context, s Submission) (Enqueued, error)

	// Join makes user a waiter of a job that is pending or running, who may take it
	// over (see Sharing); for a final one it changes nothing. runningCap is as in
	// Submission, for the user's list should the job come there. Returns the job.
	// ErrNotFound when there is none.
	Join(ctx context.Context, id, user string, runningCap int) (Job, error)

	// Waits reports whether user waits for the job (or did until it ended).
	// False for unknown jobs.
	Waits(ctx context.Context, id, user string) (bool, error)

	// Leave takes user off the job's waiters and cancels the job when nobody
	// waits any more. A user who is not a waiter gets ErrNotFound, as for an
	// unknown job. With TooLate the user stays a waiter; so does the last one,
	// whose leaving cancelled the job: it remains theirs to look at, and a
	// repeated Leave finds it ended, TooLate.
	Leave(ctx context.Context, id, user string) (Left, Job, error)

	// Cancel ends the job for everybody. ErrNotFound when unknown. The job's
	// state, and with it its key, are free at once; see Stopping for what a running one still
	// holds. A sealed or final job is left alone: TooLate.
	Cancel(ctx context.Context, id string) (Left, Job, error)

	// Claim takes the next job of a lane, or returns nil when no list may start
	// one or the queue is paused. The lease begins; Attempt counts up; Sealed, Progress and Error of an earlier
	// claim are cleared; Steps stay.
	Claim(ctx context.Context, r ClaimRequest) (*Claimed, error)

	// Beat registers a live worker for one lease, and extends the lease of each of its
	// claims. The answers stand in the order of the beats: nil, or *LostError
	// for a claim that is no longer current, or whose job was cancelled. A worker without
	// slots (all zero) is taken out of the registry.
	Beat(ctx context.Context, w Worker, beats []Beat) ([]error, error)

	// Seal announces that the holder is about to publish: from here on Cancel
	// and Leave are refused. *LostError when the claim is not current or the
	// job was cancelled.
	Seal(ctx context.Context, h Holder) error

	// Finish ends a running job as done. Repeatable. As after every end of a claim, a
	// Wake follows when a job may start now that the cap of its list or the capacity of
	// its source held up.
	Finish(ctx context.Context, h Holder, s Success) error

	// Fail ends an attempt in error and counts it in Failures. When f asks for a
	// retry and Failures has not passed the submission's Retry, the job is pending
	// again with Error kept, at the head of its list at once or after a while (see
	// Retries); else it is failed. Returns the state it came to. Repeatable.
	Fail(ctx context.Context, h Holder, f Failure) (State, error)

	// Release gives a claim up without an outcome. A running job goes back to
	// the head of its list, counted in no limit. A cancelled one stays cancelled and
	// stops taking its place under cap and capacity: this is how a worker
	// acknowledges a cancel. Repeatable. Sends a Wake either way.
	Release(ctx context.Context, h Holder) error

	// Get returns a job by id, ByKey the last job of a request key; ErrNotFound
	// when there is none (any more). List returns the jobs that user waits for, or
	// waited for until they ended, both lanes, newest first, at most n, of those
	// with Order below before (0: from the newest).
	Get(ctx context.Context, id string) (Job, error)
	ByKey(ctx context.Context, key string) (Job, error)
	List(ctx context.Context, user string, before int64, n int) ([]Job, error)

	// Definition returns the very bytes that were submitted.
	Definition(ctx context.Context, id string) ([]byte, error)

	// Snapshot returns the lists with work, running jobs and live slots, from
	// one moment. Expensive enough to share: see Snapshots.
	Snapshot(ctx context.Context) (*Snapshot, error)

	// Stats counts what is there, for people and alarms; not from one moment.
	Stats(ctx context.Context) (*Stats, error)

	// Subscribe delivers events until ctx ends, then closes the channel. It
	// survives lost connections. A slow reader never blocks the queue: what
	// does not fit is dropped and a Resync follows. One subscription per
	// process is meant.
	Subscribe(ctx context.Context) (<-chan Event, error)

	// SetCapacities sets how many jobs of each source may run at once over the
	// fleet, replacing all earlier settings; a source not named is unlimited.
	// Jobs already running above a lowered capacity go on.
	SetCapacities(ctx context.Context, capacities map[string]int) error

	// SetPaused stops and restarts the claiming of jobs, over the fleet and until it
	// is set again. What runs goes on. A Wake follows a restart when there is
	// something to claim.
	SetPaused(ctx context.Context, paused bool) error

	// Sweep puts jobs whose retry is due at the heads of their lists, with a Wake, and
	// recovers claims whose lease has run out: crashes counts up, then
	// the job goes back to the head of its list, or is failed at the crash limit; a
	// cancelled one just gives up its place. A sweep that finds the last one older than half a lease
	// (nobody was there to sweep, so nobody may have been there to beat) only
	// pushes every lease that would end sooner to one lease from now. It also forgets dead workers, ended claim ids
	// past one lease, and final jobs past retention. Bounded work per call; every worker process
	// calls it about once a second.
	Sweep(ctx context.Context) (Swept, error)

	// Ping reports whether the backend can be asked.
	Ping(ctx context.Context) error

	// Close releases connections. Claims stay as they are.
	Close() error
}

// ErrNotFound: there is no such job, or not any more.
var ErrNotFound = errors.New("queue: no such job")

// ErrUnavailable is wrapped by every error that is not an answer: the backend
// could not be asked or its answer was lost. Try again later.
var ErrUnavailable = errors.New("queue: backend unavailable")

// FullError: the user's list is at its cap.
type FullError struct {
	Queued, Cap int
}

func (e *FullError) Error() string {
	return fmt.Sprintf("queue: %d jobs are waiting, the limit is %d", e.Queued, e.Cap)
}

// LostError: the claim is not the job's current one any more, or the job was
// cancelled. The holder must stop and write nothing.
type LostError struct {
	// State is the job's present state; empty when the job is gone.
	State State
}

func (e *LostError) Error() string {
	if e.State == "" {
		return "queue: claim lost, the job is gone"
	}
	return "queue: claim lost, the job is " + string(e.State)
}
