package blackbox

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/testenv"

	"github.com/jackc/pgx/v5"
)

// manyAssets fills a customer with batches of 500 assets each, all finished but the last.
// It returns the numbers of the batches.
func (o *owner) manyAssets(batches int) []int64 {
	o.t.Helper()
	execute(o.t, o.s.db, fmt.Sprintf(`
		INSERT INTO slashbatch.batch (customer, count, completed, finished) SELECT %[1]d, 500, 500, now() FROM generate_series(1, %[2]d);
		CREATE TABLE many AS SELECT row_number() OVER (ORDER BY id) AS n, id FROM slashbatch.batch WHERE customer = %[1]d;
		INSERT INTO slashbatch.asset (id, customer, space, key, origin, media_type, string1, number1, manifests, finished, batch)
			SELECT format('%[1]d/1/a%%s-%%s', n, m), %[1]d, 1, format('a%%s-%%s', n, m), 'https://example.org/' || m, 'image/jpeg', 'shelf ' || m %% 50, n * m, ARRAY['m' || n %% 7], now(), id
			FROM many, generate_series(1, 500) m;
		INSERT INTO slashbatch.batch_asset (batch_id, asset_id, status, finished)
			SELECT batch, id, 'completed', now() FROM slashbatch.asset WHERE customer = %[1]d;
		UPDATE slashbatch.batch SET finished = NULL, completed = 499 WHERE id = (SELECT max(id) FROM many);
		UPDATE slashbatch.batch_asset SET status = 'waiting', finished = NULL WHERE asset_id = (SELECT max(id) FROM slashbatch.asset WHERE batch = (SELECT max(id) FROM many));
		UPDATE slashbatch.asset SET finished = NULL, ingesting = true WHERE id IN (SELECT asset_id FROM slashbatch.batch_asset WHERE status = 'waiting');
		ANALYZE`, o.id, batches))
	return o.query("SELECT id FROM many ORDER BY n").([]int64)
}

// query returns the one column of a query's rows: int64 or text.
func (o *owner) query(sql string) any {
	o.t.Helper()
	conn, err := pgx.Connect(context.Background(), o.s.db)
	if err != nil {
		o.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(context.Background(), sql)
	if err != nil {
		o.t.Fatal(err)
	}
	if rows.FieldDescriptions()[0].DataTypeOID == 20 {
		return collect[int64](o.t, rows)
	}
	return collect[string](o.t, rows)
}

func collect[T any](t *testing.T, rows pgx.Rows) []T {
	t.Helper()
	list, err := pgx.CollectRows(rows, pgx.RowTo[T])
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A named query over three batches among many: a page of it takes about as long as the plain
// SQL, its file has the same rows, and the file is made anew once something has happened in
// one of the batches, while who waited for the first has got that. A million assets in 2,000
// batches when the long tests are asked for.
func TestNamedQueryOverManyAssets(t *testing.T) {
	testenv.Unraced(t)
	t.Parallel()
	batches := 40
	if os.Getenv("SLASHBATCH_TEST_CHAOS") == "full" {
		batches = 2000
	}
	s := startAssets(t, map[string]any{"batch.minFresh": "1s"})
	o := s.newOwner(t)
	o.space("s")
	ids := o.manyAssets(batches)
	last := ids[len(ids)-1]
	named := fmt.Sprintf("%d,%d,%d", ids[2], ids[len(ids)/2], last)
	o.named("report", "batch=p1")
	where := fmt.Sprintf(`FROM slashbatch.asset a WHERE a.customer = %d AND NOT a.not_for_delivery
		AND EXISTS (SELECT FROM slashbatch.batch_asset m WHERE m.asset_id = a.id AND m.batch_id = ANY ('{%s}'))`, o.id, named)

	conn, err := pgx.Connect(t.Context(), s.db)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	var ours, plain []time.Duration
	page := "report/" + named + "?_limit=100"
	for range 30 {
		began := time.Now()
		got := decode[[]string](t, o.run(page).wantCode(t, http.StatusOK))
		ours = append(ours, time.Since(began))
		began = time.Now()
		rows, err := conn.Query(t.Context(), "SELECT a.id "+where+" ORDER BY a.id LIMIT 100", pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatal(err)
		}
		want := collect[string](t, rows)
		plain = append(plain, time.Since(began))
		if !slices.Equal(got, want) || len(want) != 100 {
			t.Fatalf("the page has %d assets, want %d", len(got), len(want))
		}
	}
	slices.Sort(ours)
	slices.Sort(plain)
	testenv.Report(t, "named query over 3 of %d batches of %d assets: a page of 100 takes %v, the plain SQL %v (medians of 30): ratio %.2f",
		batches, batches*500, ours[15].Round(time.Microsecond), plain[15].Round(time.Microsecond), float64(ours[15])/float64(plain[15]))

	twin := "report/" + named + "/batch?_view=full"
	rows := func(file string) (ids []string) {
		for _, line := range strings.Split(strings.TrimSpace(file), "\r\n")[1:] {
			id, _, _ := strings.Cut(line, ",")
			ids = append(ids, id)
		}
		slices.Sort(ids)
		return ids
	}
	first := o.run(twin+"&_wait=30").wantCode(t, http.StatusOK)
	want := o.query("SELECT a.id " + where).([]string)
	slices.Sort(want)
	if got := rows(first.body); !slices.Equal(got, want) || len(want) != 1500 {
		t.Errorf("the file has %d rows, SQL gives %d", len(got), len(want))
	}
	waiting := o.query("SELECT asset_id FROM slashbatch.batch_asset WHERE status = 'waiting'").([]string)[0]
	key := waiting[strings.LastIndexByte(waiting, '/')+1:]
	job := s.status(strings.Replace(o.rawPath(twin), "/batch?", "/batch/status?", 1), bearer(o.key))
	o.outcome(last, 1, key, "error", "the disk is full").wantCode(t, http.StatusOK)
	var second answer
	s.eventually("the query runs again", func() bool {
		second = o.run(twin+"&_wait=30").wantCode(t, http.StatusOK)
		return second.body != first.body
	})
	if !strings.Contains(second.body, "the disk is full") || !slices.Equal(rows(second.body), want) {
		t.Error("the second file is not as the assets are now")
	}
	again := s.status(strings.Replace(o.rawPath(twin), "/batch?", "/batch/status?", 1), bearer(o.key))
	if again.Status != "Completed" || job.Status != "Completed" {
		t.Errorf("the first is %s, the second %s", job.Status, again.Status)
	}
	if a := o.run(twin).wantCode(t, http.StatusOK); a.body != second.body {
		t.Error("nothing has happened since, and it is another file")
	}
}

// rawPath is the path of a named query.
func (o *owner) rawPath(request string) string {
	return fmt.Sprintf("/raw-resource/%d/%s", o.id, request)
}

// Who waits for an export gets it, although something happens in its batches meanwhile.
func TestWaiterGetsTheFirstFile(t *testing.T) {
	t.Parallel()
	s := startAssets(t)
	o := s.newOwner(t)
	o.space("s")
	o.named("report", "batch=p1")
	b := o.ingest(image(1, "a"), image(1, "b"))
	twin := fmt.Sprintf("report/%d/batch?_view=full", b.ID)
	for i, key := range []string{"a", "b"} {
		status := s.post(o.rawPath(twin), bearer(o.key)).wantCode(t, http.StatusSeeOther).location(t)
		o.outcome(b.ID, 1, key, "completed", "").wantCode(t, http.StatusOK)
		done := s.await("Completed", status, bearer(o.key))
		if done.URL == "" {
			t.Fatalf("round %d: %+v", i, done)
		}
		if a := s.get(done.URL, bearer(o.key)).wantCode(t, http.StatusOK); strings.Count(a.body, "\n") != 3 {
			t.Errorf("round %d: the file is\n%s", i, a.body)
		}
	}
}
