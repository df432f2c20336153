// Package jobs is the life of a job between HTTP and the backends: what a job
// is to do (Plan), how a request becomes one or finds what is there already
// (Service.Submit), what can be said of it (Service.Status…), and the Worker
// that runs it.
//
// # One request, one run
//
// Submit asks, in this order, the queue by key, then the catalogue, and only
// then enqueues, after the job it saw last. Together with the queue's own
// check this leaves no gap in which a second run could slip in:
//
//	                       ┌ active ────────────▶ wait for that job
//	queue by key ──────────┤
//	                       └ none, or ended ─┐
//	                       ┌ valid ──────────┼──▶ serve it
//	catalogue by key ──────┤                 │
//	                       └ none, expired ──┴──▶ enqueue after the job seen
//
// A plan may have a guard: a statement whose value is noted with the rows. Of an entry that is
// older than minFresh it is asked again by whoever finds the entry, server or worker, and where
// it gives something else the entry is none. Whoever waited for a run gets its file all the same.
//
// # Publishing
//
// A worker makes a result visible in this order, each step repeatable:
//
//  1. the object is committed to the store, under a name with the claim in it;
//  2. queue.Seal, fenced by the claim: from here cancel is refused, and a
//     holder that has lost its claim deletes its own object and stops;
//  3. the catalogue's rows, in one statement, unique by job;
//  4. the onsuccess step, if there is one;
//  5. queue.Finish.
//
// A crash before 3 leaves an object nobody knows; one after it leaves a job
// whose next claim finds the rows and goes on with 4.
package jobs
