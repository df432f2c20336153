package catalog

import (
	"context"
	"slices"
	"strconv"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// Eviction works in short transactions, each over a bounded number of results:
//
//  1. Candidates are read without locks, the one accessed longest ago first, a page
//     at a time behind a cursor of (accessed, id).
//  2. In one transaction they are locked, skipping what others hold, and looked at
//     again by a statement of its own, which sees what was committed before the lock
//     was had. What still may go is deleted, and its objects are put into removal.
//
// Whoever gives a result a name, or reads it, changes its row first. So they wait for
// the lock and then find no row, or they were first and the second look sees it.
// Locks are taken in the order result, variants and their locations, requests and
// aliases, here as everywhere.
const (
	lookAt = 1000 // candidates in a page
	atOnce = 100  // results or files in a transaction
)

// limit is the end of a statement. PostgreSQL is to know the number when it plans, or it
// prepares for reading a tenth of the table.
func limit(n int) string { return " LIMIT " + strconv.Itoa(n) }

// kept tells whether a name keeps a result p: an alias that lives, a request that is
// pinned or, before it has expired, one that was accessed within $2. Where room is
// made $2 is NULL, and only rows that cannot be read again are kept so.
//
// It is not written with EXISTS: for a page of results PostgreSQL would read all names.
const kept = `coalesce(
	(SELECT true FROM slashbatch.alias a WHERE a.result = p.id AND a.expires > now() LIMIT 1),
	(SELECT true FROM slashbatch.request q WHERE q.result = p.id AND (q.pinned OR q.expires > now()
		AND CASE WHEN $2::interval IS NULL THEN q.unique_rows ELSE q.accessed >= now() - $2::interval END) LIMIT 1),
	false)`

// further tells files that were made of a result's csv, and can be made again, from
// the csv itself. The words are those of the index.
const further = `(v.format <> 'csv' OR v.options <> '')`

// Evict deletes what may go by now, until nothing is left that may: first by age,
// then, while all files together are over the limit, what was accessed longest ago.
// Results without a name go once the grace is over, whatever the rest says.
func (c *Catalog) Evict(ctx context.Context, r cache.Retention) (cache.Freed, error) {
	freed, err := c.evictOldFiles(ctx, r)
	if err != nil {
		return freed, err
	}
	more, err := c.evictOld(ctx, r)
	freed = freed.Add(more)
	if err != nil || r.MaxBytes <= 0 {
		return freed, err
	}
	more, err = c.evictToFit(ctx, r)
	return freed.Add(more), err
}

// idle is how long ago an access must be noted to be that old for certain: they are
// noted to the minute.
func idle(d time.Duration) time.Duration { return d + touchEvery }

// candidate is a result, or a file of it, that may go.
type candidate struct {
	Kind     int // kindFile or kindResult, in the order in which they go
	ID       int64
	Result   int64
	Accessed time.Time
	Bytes    int64 // of a result: of all its files
	Goes     bool
}

const (
	kindFile = iota
	kindResult
)

var oldResults = `
	SELECT 1, p.id, p.id, p.accessed, 0, NOT ` + kept + `
	FROM (SELECT id, accessed FROM slashbatch.result
	      WHERE accessed < now() - $1::interval AND (accessed, id) > ($3, $4)
	      ORDER BY accessed, id` + limit(lookAt) + `) p
	ORDER BY p.accessed, p.id`

// evictOld deletes results that no name keeps: those of which every request has
// expired or was not accessed for long, and those that have none.
func (c *Catalog) evictOld(ctx context.Context, r cache.Retention) (freed cache.Freed, err error) {
	age := idle(r.Results)
	var last candidate
	for {
		page, err := c.candidates(ctx, "look for old results", oldResults, idle(r.Grace), age, last.Accessed, last.ID)
		if err != nil || len(page) == 0 {
			return freed, err
		}
		last = page[len(page)-1]
		more, err := c.deleteAll(ctx, page, idle(r.Grace), &age)
		freed = freed.Add(more)
		if err != nil {
			return freed, err
		}
	}
}

// evictOldFiles deletes further files that were not accessed for long.
func (c *Catalog) evictOldFiles(ctx context.Context, r cache.Retention) (freed cache.Freed, err error) {
	age := idle(max(r.Grace, r.Results))
	var last candidate
	for {
		page, err := c.candidates(ctx, "look for old files", `
			SELECT 0, v.id, v.result, v.accessed, v.stored, true FROM slashbatch.variant v
			WHERE `+further+` AND v.accessed < now() - $1::interval AND (v.accessed, v.id) > ($2, $3)
			ORDER BY v.accessed, v.id `+limit(lookAt), age, last.Accessed, last.ID)
		if err != nil || len(page) == 0 {
			return freed, err
		}
		last = page[len(page)-1]
		more, err := c.deleteAll(ctx, page, age, nil)
		freed = freed.Add(more)
		if err != nil {
			return freed, err
		}
	}
}

// evictToFit deletes files and results, the one accessed longest ago first, until
// all files together are within the limit, or nothing is left that may go.
func (c *Catalog) evictToFit(ctx context.Context, r cache.Retention) (freed cache.Freed, err error) {
	var last candidate
	for {
		var total int64
		if err := c.one(ctx, &total, `SELECT coalesce(sum(stored), 0)::bigint FROM slashbatch.variant`); err != nil {
			return freed, failure("add up the files", err)
		}
		if total <= r.MaxBytes {
			return freed, nil
		}
		page, err := c.candidates(ctx, "look for what was accessed longest ago", `
			SELECT p.kind, p.id, p.result, p.accessed, p.bytes,
			       p.kind = 0 OR NOT `+kept+`
			FROM (
				(SELECT 0 AS kind, v.id, v.result, v.accessed, v.stored AS bytes FROM slashbatch.variant v
				 WHERE `+further+` AND v.accessed < now() - $1::interval AND v.accessed >= $3 AND (v.accessed, 0, v.id) > ($3, $4, $5)
				 ORDER BY v.accessed, v.id `+limit(lookAt)+`)
				UNION ALL
				(SELECT 1, r.id, r.id, r.accessed, (SELECT coalesce(sum(v.stored), 0)::bigint FROM slashbatch.variant v WHERE v.result = r.id)
				 FROM slashbatch.result r
				 WHERE r.accessed < now() - $1::interval AND r.accessed >= $3 AND (r.accessed, 1, r.id) > ($3, $4, $5)
				 ORDER BY r.accessed, r.id `+limit(lookAt)+`)
			) p ORDER BY p.accessed, p.kind, p.id `+limit(lookAt),
			idle(r.Grace), nil, last.Accessed, last.Kind, last.ID)
		if err != nil || len(page) == 0 {
			return freed, err
		}
		page = enough(page, total-r.MaxBytes)
		last = page[len(page)-1]
		more, err := c.deleteAll(ctx, page, idle(r.Grace), nil)
		more.Crowded, more.Aged = more.Aged, 0
		freed = freed.Add(more)
		if err != nil {
			return freed, err
		}
	}
}

// enough is as much of a page as frees so many bytes.
func enough(page []candidate, bytes int64) []candidate {
	taken := map[int64]int64{} // of results, with files that go by themselves
	for i, p := range page {
		switch {
		case !p.Goes:
			continue
		case p.Kind == kindFile:
			taken[p.Result] += p.Bytes
			bytes -= p.Bytes
		default:
			bytes -= p.Bytes - taken[p.Result]
		}
		if bytes <= 0 {
			return page[:i+1]
		}
	}
	return page
}

// deleteAll deletes what may go of a page; age is the $2 of kept.
func (c *Catalog) deleteAll(ctx context.Context, page []candidate, idle time.Duration, age *time.Duration) (freed cache.Freed, err error) {
	var files []candidate
	var results []int64
	for _, p := range page {
		switch {
		case !p.Goes:
		case p.Kind == kindFile:
			files = append(files, p)
		default:
			results = append(results, p.ID)
		}
	}
	for some := range slices.Chunk(files, atOnce) {
		more, err := c.deleteFiles(ctx, some, idle)
		freed = freed.Add(more)
		if err != nil {
			return freed, err
		}
	}
	for some := range slices.Chunk(results, atOnce) {
		more, err := c.deleteResults(ctx, some, idle, age)
		freed = freed.Add(more)
		if err != nil {
			return freed, err
		}
	}
	return freed, nil
}

func (c *Catalog) candidates(ctx context.Context, doing, sql string, args ...any) ([]candidate, error) {
	return list(ctx, c, doing, pgx.RowToStructByPos[candidate], sql, args...)
}

// list reads all rows of a statement.
func list[T any](ctx context.Context, c *Catalog, doing string, to pgx.RowToFunc[T], sql string, args ...any) ([]T, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	rows, err := c.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, failure(doing, err)
	}
	all, err := pgx.CollectRows(rows, to)
	return all, failure(doing, err)
}

// inTx runs a short transaction.
func (c *Catalog) inTx(ctx context.Context, doing string, f func(ctx context.Context, tx pgx.Tx) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return failure(doing, pgx.BeginFunc(ctx, c.pool, func(tx pgx.Tx) error { return f(ctx, tx) }))
}

// ids reads a column of numbers.
func ids(ctx context.Context, tx pgx.Tx, sql string, args ...any) ([]int64, error) {
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}
