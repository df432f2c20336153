package catalog

import (
	"context"
	"time"

	"slashbatch/cache"

	"github.com/jackc/pgx/v5"
)

// dropAtOnce is how many names go in a statement.
const dropAtOnce = 1000

// Expire deletes names that lead nowhere any more, of results that stay: aliases
// that have expired, requests that have and were not accessed for long; and once it is
// old what is known of runs whose job answers no request, of wishes whose run never
// came, and of drafts that were never published, or are by now.
func (c *Catalog) Expire(ctx context.Context, r cache.Retention) (freed cache.Freed, err error) {
	var drafts int // nobody need be told: they say nothing any more
	for _, sweep := range []struct {
		doing string
		into  *int
		age   time.Duration
		sql   string // deletes up to dropAtOnce of those that are older than $1
	}{
		{"drop aliases", &freed.Aliases, 0, `
			WITH old AS MATERIALIZED (
				SELECT name FROM slashbatch.alias WHERE expires <= now() - $1::interval
				ORDER BY expires ` + limit(dropAtOnce) + ` FOR UPDATE SKIP LOCKED
			)
			DELETE FROM slashbatch.alias a USING old WHERE a.name = old.name`},
		{"drop requests", &freed.Requests, idle(max(r.Grace, r.Results)), `
			WITH old AS MATERIALIZED (
				SELECT key FROM slashbatch.request WHERE accessed < now() - $1::interval AND expires <= now() AND NOT pinned
				ORDER BY accessed ` + limit(dropAtOnce) + ` FOR UPDATE SKIP LOCKED
			)
			DELETE FROM slashbatch.request q USING old WHERE q.key = old.key`},
		{"drop wishes", &freed.Wishes, max(r.Runs, r.Results), `
			WITH old AS MATERIALIZED (
				SELECT key, format, options, user_name FROM slashbatch.wish WHERE made < now() - $1::interval
				` + limit(dropAtOnce) + ` FOR UPDATE SKIP LOCKED
			)
			DELETE FROM slashbatch.wish w USING old
			WHERE w.key = old.key AND w.format = old.format AND w.options = old.options AND w.user_name = old.user_name`},
		{"drop drafts", &drafts, draftAge, `
			WITH old AS MATERIALIZED (
				SELECT d.store, d.object FROM slashbatch.draft d WHERE d.made < now() - $1::interval
				OR EXISTS (SELECT FROM slashbatch.location l WHERE l.store = d.store AND l.object = d.object)
				` + limit(dropAtOnce) + ` FOR UPDATE OF d SKIP LOCKED
			)
			DELETE FROM slashbatch.draft d USING old WHERE d.store = old.store AND d.object = old.object`},
	} {
		for {
			n, err := c.affected(ctx, sweep.doing, sweep.sql, sweep.age)
			*sweep.into += n
			if err != nil {
				return freed, err
			}
			if n < dropAtOnce { // what others hold, they deal with
				break
			}
		}
	}
	freed.Runs, err = c.dropRuns(ctx, r.Runs)
	return freed, err
}

// dropRuns walks over the old runs behind a cursor: those that answer a request stay,
// and must not be met again and again.
func (c *Catalog) dropRuns(ctx context.Context, age time.Duration) (dropped int, err error) {
	type run struct {
		Job     string
		Created time.Time
		Goes    bool
	}
	var last run
	for {
		page, err := list(ctx, c, "look for old runs", pgx.RowToStructByPos[run], `
			SELECT u.job, u.created, (SELECT true FROM slashbatch.request q WHERE q.key = u.key AND q.job = u.job) IS NULL
			FROM slashbatch.run u
			WHERE u.created < now() - $1::interval AND u.created >= $2 AND (u.created, u.job) > ($2, $3)
			ORDER BY u.created, u.job `+limit(dropAtOnce), age, last.Created, last.Job)
		if err != nil || len(page) == 0 {
			return dropped, err
		}
		last = page[len(page)-1]
		var old []string
		for _, u := range page {
			if u.Goes {
				old = append(old, u.Job)
			}
		}
		n, err := c.affected(ctx, "drop runs", `
			DELETE FROM slashbatch.run u WHERE u.job = ANY ($1)
			AND NOT EXISTS (SELECT FROM slashbatch.request q WHERE q.key = u.key AND q.job = u.job)`, old)
		dropped += n
		if err != nil {
			return dropped, err
		}
	}
}

// affected runs a statement and returns how many rows it was about.
func (c *Catalog) affected(ctx context.Context, doing, sql string, args ...any) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tag, err := c.pool.Exec(ctx, sql, args...)
	return int(tag.RowsAffected()), failure(doing, err)
}
