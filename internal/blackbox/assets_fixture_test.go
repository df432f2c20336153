package blackbox

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"
)

// past is a batch as it was left at some time, written into the catalogue.
type past struct {
	count, completed, errors int
	// finished is an SQL expression; empty is never.
	finished             string
	superseded, priority bool
	// assets is whether there are assets to the records, whose latest batch this is.
	assets bool
	// rows are the members that are recorded, if not those that the counters tell.
	rows []string
}

// past writes a batch and what is recorded of its members, and returns its number.
func (o *owner) past(p past) int64 {
	o.t.Helper()
	if p.finished == "" {
		p.finished = "NULL"
	}
	id, err := strconv.ParseInt(o.value(`INSERT INTO slashbatch.batch (customer, count, completed, errors, finished, superseded, priority)
		VALUES (%d, %d, %d, %d, %s, %t, %t) RETURNING id`, o.id, p.count, p.completed, p.errors, p.finished, p.superseded, p.priority), 10, 64)
	if err != nil {
		o.t.Fatal(err)
	}
	if p.rows == nil {
		p.rows = slices.Concat(slices.Repeat([]string{"completed"}, p.completed), slices.Repeat([]string{"error"}, p.errors),
			slices.Repeat([]string{"waiting"}, max(0, p.count-p.completed-p.errors)))
	}
	for i, status := range p.rows {
		key := fmt.Sprintf("past-%d-%d", id, i)
		o.record(id, "1/"+key, status)
		if p.assets {
			o.stored(1, key, fmt.Sprint("batch = ", id))
		}
	}
	return id
}

// record writes that an asset, named as space/key, was a member of a batch.
func (o *owner) record(id int64, key, status string) {
	o.t.Helper()
	finished, why := "now()", ""
	switch status {
	case "waiting":
		finished = "NULL"
	case "error":
		why = "broken"
	}
	execute(o.t, o.s.db, fmt.Sprintf("INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, error, finished) VALUES (%d, '%d/%s', '%s', '%s', %s)",
		id, o.id, key, status, why, finished))
}

// stored writes an asset into the catalogue, with columns as SQL expressions, "batch = 7".
func (o *owner) stored(space int, key string, columns ...string) {
	o.t.Helper()
	names := []string{"id", "customer", "space", "key", "origin", "media_type"}
	values := []string{
		fmt.Sprintf("'%d/%d/%s'", o.id, space, key), strconv.Itoa(o.id), strconv.Itoa(space), "'" + key + "'",
		"'https://example.org/" + key + "'", "'image/jpeg'",
	}
	for _, column := range columns {
		name, value, _ := strings.Cut(column, " = ")
		names, values = append(names, name), append(values, value)
	}
	execute(o.t, o.s.db, fmt.Sprintf("INSERT INTO slashbatch.asset (%s) VALUES (%s)", strings.Join(names, ", "), strings.Join(values, ", ")))
}

// f1 is upstream's first fixture: its batches 4000 to 4006, in this order.
func (o *owner) f1() []int64 {
	o.t.Helper()
	o.space("space-1")
	var ids []int64
	for _, p := range []past{
		{count: 5, completed: 5, finished: "now()"},
		{count: 5, completed: 5, superseded: true},
		{count: 10, completed: 10},
		{count: 10, completed: 5},
		{count: 8, completed: 2, errors: 2},
		{count: 5, completed: 5, finished: "now() - interval '7 days'"},
		{count: 5, completed: 5, finished: "now() - interval '1 day'"},
	} {
		ids = append(ids, o.past(p))
	}
	return ids
}

// executeLate is execute for clean-up, when the test's context is over.
func executeLate(t *testing.T, db, sql string) {
	t.Helper()
	conn, err := pgconn.Connect(context.Background(), db)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(context.Background(), sql).ReadAll(); err != nil {
		t.Fatal(err)
	}
}
