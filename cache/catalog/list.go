package catalog

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
)

// Listed is a result as lists show it.
type Listed struct {
	ID    int64
	Owner string
	Rows  int64
	// Bytes are those of the plain csv; Stored what its files take in one store.
	Bytes, Stored int64
	// Forms are its files: "csv", which comes first, or with options "csv:bom,safe".
	Forms []string
	// Requests is how many keys it answers; Key is the one that came first, Endpoint
	// that one's.
	Requests      int
	Key, Endpoint string
	// Aliases is how many public names it has, those that have expired left out.
	Aliases int
	// Created is when it was published first, Accessed when a file of it was read last,
	// exact to a minute, or a name of it came or went.
	Created, Accessed time.Time
	// Generated is when the rows were read last, Expires until when a name leads to it;
	// zero where there is none.
	Generated, Expires time.Time
	// Pinned: a request has it that does not expire.
	Pinned bool
}

// Filter chooses results of a list.
type Filter struct {
	// Endpoint is one that a request of the result has, Owner the result's; empty: any.
	Endpoint, Owner string
	// After goes on behind a cursor, with older results; Before ends at one, so that it
	// gives the page of newer results next to it. At most one of them is set.
	After, Before Cursor
}

// Page is a part of a list.
type Page struct {
	// Results are newest first, those of one time by id, greatest first.
	Results []Listed
	// Next is After of the page that follows, Prev is Before of the one that this
	// follows; zero where there is none.
	Next, Prev Cursor
}

// MostListed is the most results on one page.
const MostListed = 1000

// List returns a page of at most n results; more than MostListed is taken as that. What
// it costs does not depend on how far down the list it is. Who follows Next to the end
// meets each result that is there all the while exactly once, whatever comes and goes.
func (c *Catalog) List(ctx context.Context, f Filter, n int) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	n = min(max(n, 1), MostListed)
	newer := !f.Before.IsZero()
	from := f.After
	if newer {
		from = f.Before
	}
	results, err := c.listed(ctx, f, newer, from, n+1)
	if err != nil {
		return Page{}, failure("list results", err)
	}
	more := len(results) > n
	page := Page{Results: results[:min(n, len(results))]}
	if newer {
		slices.Reverse(page.Results)
	}
	// Where there is nothing to go on from, the other page begins beside the cursor.
	first, last := Cursor{from.created, max(from.id-1, 0)}, Cursor{from.created, from.id + 1}
	if k := len(page.Results); k > 0 {
		first, last = page.Results[0].cursor(), page.Results[k-1].cursor()
	}
	// One side is known; the other one is asked for, unless the list begins here.
	there, asked := more, false
	if !from.IsZero() {
		other := first
		if newer {
			other = last
		}
		beside, err := c.listed(ctx, f, !newer, other, 1)
		if err != nil {
			return Page{}, failure("list results", err)
		}
		asked = len(beside) > 0
	}
	if newer {
		there, asked = asked, there
	}
	if there {
		page.Next = last
	}
	if asked {
		page.Prev = first
	}
	return page, nil
}

func (l Listed) cursor() Cursor { return Cursor{l.Created, l.ID} }

// The results on one side of a cursor, nearest first. The inner query walks along the
// index of (created, id) from there; all else is looked up for the few that it finds.
const (
	listColumns = `
		SELECT r.id, r.owner, r.rows, r.bytes, v.stored, v.forms, q.requests, coalesce(first.key, ''), coalesce(first.endpoint, ''), a.aliases,
		       r.created, r.accessed, greatest(q.generated, a.generated), greatest(q.expires, a.expires), coalesce(q.pinned, false)
		FROM (SELECT * FROM slashbatch.result r
		      WHERE ($1 = '' OR r.owner = $1)
		        AND ($2 = '' OR EXISTS (SELECT FROM slashbatch.request q WHERE q.result = r.id AND q.endpoint = $2))`
	listDetails = ` LIMIT $5) r
		CROSS JOIN LATERAL (
			SELECT coalesce(sum(stored), 0)::bigint AS stored,
			       coalesce(array_agg(format || CASE options WHEN '' THEN '' ELSE ':' || options END ORDER BY format <> 'csv', format, options), '{}') AS forms
			FROM slashbatch.variant WHERE result = r.id
		) v
		CROSS JOIN LATERAL (
			SELECT count(*) AS requests, max(generated) AS generated, max(expires) AS expires, bool_or(pinned) AS pinned
			FROM slashbatch.request WHERE result = r.id
		) q
		LEFT JOIN LATERAL (
			SELECT key, endpoint FROM slashbatch.request WHERE result = r.id ORDER BY published, key LIMIT 1
		) first ON true
		CROSS JOIN LATERAL (
			SELECT count(*) AS aliases, max(generated) AS generated, max(expires) AS expires
			FROM slashbatch.alias WHERE result = r.id AND expires > now()
		) a`
	listOlder = listColumns + ` AND (r.created, r.id) < ($3, $4) ORDER BY r.created DESC, r.id DESC` + listDetails + ` ORDER BY r.created DESC, r.id DESC`
	listNewer = listColumns + ` AND (r.created, r.id) > ($3, $4) ORDER BY r.created, r.id` + listDetails + ` ORDER BY r.created, r.id`
)

func (c *Catalog) listed(ctx context.Context, f Filter, newer bool, from Cursor, n int) ([]Listed, error) {
	sql, at := listOlder, "infinity" // where a list begins
	if newer {
		sql = listNewer
	}
	if !from.IsZero() {
		at = from.created.UTC().Format(cursorTime)
	}
	rows, err := c.pool.Query(ctx, sql, f.Owner, f.Endpoint, at, from.id, n)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Listed, err error) {
		var generated, expires *time.Time
		err = row.Scan(&l.ID, &l.Owner, &l.Rows, &l.Bytes, &l.Stored, &l.Forms, &l.Requests, &l.Key, &l.Endpoint, &l.Aliases,
			&l.Created, &l.Accessed, &generated, &expires, &l.Pinned)
		l.Generated, l.Expires = value(generated), value(expires)
		return l, err
	})
}

// value is the zero value for NULL.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}
