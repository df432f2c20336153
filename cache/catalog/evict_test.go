package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// week keeps names for a week, and nothing from eviction but the last day's access.
var week = cache.Retention{Grace: 24 * time.Hour, Results: 7 * 24 * time.Hour, Runs: 48 * time.Hour}

// change runs a statement on the tables themselves.
func change(t *testing.T, c *Catalog, sql string, args ...any) {
	t.Helper()
	if _, err := c.pool.Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// aged publishes a result of its own, of so many bytes, that was last accessed some time ago.
func aged(t *testing.T, c *Catalog, key string, stored int64, ago time.Duration) cache.Entry {
	t.Helper()
	p := publication("job-"+key, "c", key, submitted)
	p.File.Stored, p.MaxAge = stored, 365*24*time.Hour
	e, _ := publish(t, c, p)
	age(t, c, e.Result, ago)
	return e
}

// age sets when a result, its files and its requests were accessed.
func age(t *testing.T, c *Catalog, result int64, ago time.Duration) {
	t.Helper()
	for _, sql := range []string{
		`UPDATE slashbatch.result SET accessed = now() - $2::interval WHERE id = $1`,
		`UPDATE slashbatch.variant SET accessed = now() - $2::interval WHERE result = $1`,
		`UPDATE slashbatch.request SET accessed = now() - $2::interval WHERE result = $1`,
	} {
		change(t, c, sql, result, ago)
	}
}

func evict(t *testing.T, c *Catalog, r cache.Retention) cache.Freed {
	t.Helper()
	freed, err := c.Evict(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return freed
}

// objects are those that a table of the books has.
func objects(t *testing.T, c *Catalog, table string) []string {
	t.Helper()
	all, err := list(t.Context(), c, "list", pgx.RowTo[string],
		`SELECT object FROM slashbatch.`+table+` ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// I-17: what keeps a result, by age and where room is made.
func TestI17EvictionKeeps(t *testing.T) {
	c, day := open(t), 24*time.Hour
	for _, tt := range []struct {
		name       string
		accessed   time.Duration // so long ago
		change     string        // of the request $1, whose result is $2
		byAge      bool          // it goes with its age
		makingRoom bool          // it goes when room is made
	}{
		{"read a while ago", 2 * day, `SELECT $1::text, $2::bigint`, false, true},
		{"read long ago", 8 * day, `SELECT $1::text, $2::bigint`, true, true},
		{"read within the grace", day / 2, `SELECT $1::text, $2::bigint`, false, false},
		{"read within the grace, and expired", day / 2, `UPDATE slashbatch.request SET expires = now() WHERE key = $1 AND $2 > 0`, false, false},
		{"expired", 2 * day, `UPDATE slashbatch.request SET expires = now() WHERE key = $1 AND $2 > 0`, true, true},
		{"pinned", 30 * day, `UPDATE slashbatch.request SET pinned = true WHERE key = $1 AND $2 > 0`, false, false},
		{"pinned, and expired", 30 * day, `UPDATE slashbatch.request SET pinned = true, expires = now() WHERE key = $1 AND $2 > 0`, false, false},
		{"cannot be read again", 2 * day, `UPDATE slashbatch.request SET unique_rows = true WHERE key = $1 AND $2 > 0`, false, false},
		{"could not be read again, and has expired", 2 * day, `UPDATE slashbatch.request SET unique_rows = true, expires = now() WHERE key = $1 AND $2 > 0`, true, true},
		{"with a living alias", 30 * day, `INSERT INTO slashbatch.alias SELECT $1, $2, decode(repeat('00', 32), 'hex'), '', '', now(), now(), now() + interval '1 minute'`, false, false},
		{"with an alias that has expired", 30 * day, `INSERT INTO slashbatch.alias SELECT $1, $2, decode(repeat('00', 32), 'hex'), '', '', now(), now(), now()`, true, true},
		{"without any name", 2 * day, `DELETE FROM slashbatch.request WHERE key = $1 AND $2 > 0`, true, true},
		{"without any name since a moment ago", 0, `DELETE FROM slashbatch.request WHERE key = $1 AND $2 > 0`, false, false},
		{
			"one of two names was read lately", 8 * day,
			`INSERT INTO slashbatch.request SELECT 'other', result, job, claim, '', '', '', submitted, '', generated, published, expires, now() - interval '2 days'
			 FROM slashbatch.request WHERE key = $1 AND result = $2`,
			false, true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []struct {
				name string
				cache.Retention
				goes bool
			}{
				{"by age", week, tt.byAge},
				{"making room", cache.Retention{Grace: week.Grace, Results: 365 * day, MaxBytes: 1}, tt.makingRoom},
			} {
				change(t, c, `TRUNCATE slashbatch.result, slashbatch.removal CASCADE`)
				e := aged(t, c, "k", 100, tt.accessed)
				change(t, c, tt.change, "k", e.Result)
				freed := evict(t, c, r.Retention)
				if gone := freed.Results() == 1; gone != r.goes || (freed.Bytes == 100) != r.goes {
					t.Errorf("%s: freed %+v; it should go: %t", r.name, freed, r.goes)
				}
				want := []string{}
				if r.goes {
					want = []string{e.File.Object}
				}
				if diff := cmp.Diff(want, objects(t, c, "removal")); diff != "" {
					t.Errorf("%s: to be removed (-want +got):\n%s", r.name, diff)
				}
				if left := count(t, c, "result") + count(t, c, "request") + count(t, c, "alias") + count(t, c, "run") + count(t, c, "location"); r.goes && left > 0 {
					t.Errorf("%s: %d rows are left of it", r.name, left)
				}
			}
		})
	}
}

// I-17, R-104: room is made by what was accessed longest ago, files and results in one
// line, and not more than needed; while new ones come.
func TestI17RoomIsMadeByTheOldest(t *testing.T) {
	c := open(t)
	for i := range 300 { // "000" was read longest ago
		aged(t, c, fmt.Sprintf("%03d", i), 10, time.Duration(1000-i)*time.Hour)
	}
	// A parquet file that was read longest ago, of a result that was read last.
	young, err := c.ByKey(t.Context(), "299")
	if err != nil {
		t.Fatal(err)
	}
	further := cache.File{Object: "results/further", Stored: 25, SHA256: digestOf("p"), ContentType: "application/x"}
	if _, _, err := c.PublishVariant(t.Context(), young.Result, cache.Form{Format: "parquet"}, further); err != nil {
		t.Fatal(err)
	}
	age(t, c, young.Result, 700*time.Hour)
	change(t, c, `UPDATE slashbatch.variant SET accessed = now() - interval '2000 hours' WHERE format = 'parquet'`)

	freed := evict(t, c, cache.Retention{Grace: time.Hour, Results: 9000 * time.Hour, MaxBytes: 3025 - 1020})
	if freed.Files != 1 || freed.Crowded != 100 || freed.Bytes != 1025 {
		t.Errorf("freed %+v; want the file and 100 results, 1025 bytes in all", freed)
	}
	kept := keysOf(t, c)
	if len(kept) != 200 || slices.Min(kept) != "100" {
		t.Errorf("%d are kept, the oldest %s; want 200 from 100 on", len(kept), slices.Min(kept))
	}
	if freed := evict(t, c, cache.Retention{Grace: time.Hour, Results: 9000 * time.Hour, MaxBytes: 3000}); freed != (cache.Freed{}) {
		t.Errorf("with room enough %+v were freed", freed)
	}
	for i := range 20 { // an inflow: each newcomer makes the oldest go
		aged(t, c, fmt.Sprint("new", i), 10, 0)
		evict(t, c, cache.Retention{Grace: time.Hour, Results: 9000 * time.Hour, MaxBytes: 2000})
		if now := slices.Min(keysOf(t, c)); now != fmt.Sprint(101+i) {
			t.Fatalf("after %d newcomers the oldest is %s, want %d", i+1, now, 101+i)
		}
	}
}

// I-18, R-095, R-103: all that may go goes, in one sweep, and exactly that, however many
// share a time and however many there are.
func TestI18ManyOfOneTime(t *testing.T) {
	c := open(t)
	const old, young = 2500, 700
	many(t, c, old, "30 days")
	many(t, c, young, "2 days")
	freed := evict(t, c, week)
	if freed.Aged != old || freed.Bytes != 10*old {
		t.Errorf("freed %+v, want %d", freed, old)
	}
	if left := count(t, c, "result"); left != young {
		t.Errorf("%d results are left, want %d", left, young)
	}
	if n := count(t, c, "removal"); n != old {
		t.Errorf("%d objects are listed, want %d", n, old)
	}
	room := week
	room.MaxBytes = 1
	if freed := evict(t, c, room); freed.Crowded != young || count(t, c, "result") != 0 {
		t.Errorf("making room freed %+v, and left %d", freed, count(t, c, "result"))
	}
}

// many makes results of 10 bytes, each with one valid request, all accessed at the same
// time so long ago.
func many(t *testing.T, c *Catalog, n int, ago string) {
	t.Helper()
	change(t, c, `
		WITH r AS (
			INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns, created, accessed)
			SELECT 'shared', sha256(convert_to($2 || g, 'UTF8')), 10, 1, '[]', now() - $2::interval, now() - $2::interval
			FROM generate_series(1, $1::int) g RETURNING id, accessed
		), v AS (
			INSERT INTO slashbatch.variant (result, format, options, content_type, gzipped, bytes, sha256, stored, blocks, created, accessed)
			SELECT id, 'csv', '', 'text/csv', true, 20, repeat('0', 64), 10, '[]', accessed, accessed FROM r RETURNING id, result
		), l AS (
			INSERT INTO slashbatch.location (variant, store, object, state)
			SELECT v.id, s.id, 'results/' || v.result, 'live' FROM v, slashbatch.store s
		)
		INSERT INTO slashbatch.request (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires, accessed)
		SELECT 'many ' || id, id, 'many ' || id, '', '', '', '', now(), '', now(), now() + interval '1 day', accessed FROM r`, n, ago)
}

// Further files go by their own last access; the csv stays with its result.
func TestFurtherFilesGoByThemselves(t *testing.T) {
	c := open(t)
	e := aged(t, c, "k", 10, 0)
	for format, ago := range map[string]string{"parquet": "8 days", "xlsx": "6 days"} {
		f := cache.File{Object: "results/" + format, Stored: 7, SHA256: digestOf(format), ContentType: "x"}
		if _, _, err := c.PublishVariant(t.Context(), e.Result, cache.Form{Format: format}, f); err != nil {
			t.Fatal(err)
		}
		change(t, c, `UPDATE slashbatch.variant SET accessed = now() - $2::interval WHERE format = $1`, format, ago)
	}
	change(t, c, `UPDATE slashbatch.variant SET accessed = now() - interval '30 days' WHERE format = 'csv'`)
	if freed := evict(t, c, week); freed != (cache.Freed{Files: 1, Bytes: 7}) {
		t.Errorf("freed %+v, want the parquet file", freed)
	}
	if diff := cmp.Diff([]string{"results/parquet"}, objects(t, c, "removal")); diff != "" {
		t.Errorf("to be removed (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"results/job-k.c", "results/xlsx"}, objects(t, c, "location")); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}

// names that have expired go, and the file only with the last of them. Runs and
// wishes are forgotten when they are old, but for the run that answers a request.
func TestR107NamesExpire(t *testing.T) {
	c, ctx := open(t), t.Context()
	e := aged(t, c, "one", 10, 30*24*time.Hour)
	if err := c.Mint(ctx, cache.Alias{Name: "living", Result: e.Result, TTL: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if err := c.Mint(ctx, cache.Alias{Name: "dead", Result: e.Result, TTL: -time.Hour}); err != nil {
		t.Fatal(err)
	}
	age(t, c, e.Result, 30*24*time.Hour)
	change(t, c, `UPDATE slashbatch.request SET expires = now() WHERE key = 'one'`)
	// These stay: it has not expired, it is pinned, it was read lately.
	change(t, c, `
		INSERT INTO slashbatch.request (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires, accessed, pinned)
		SELECT v.key, $1, 'job-' || v.key, '', '', '', '', now(), '', now(), now() + v.left, now() - v.ago, v.pinned FROM (VALUES
			('valid', interval '1 day', interval '30 days', false), ('pinned', '-1 day', '30 days', true), ('read', '-1 day', '6 days', false)
		) v (key, "left", ago, pinned)`, e.Result)
	aged(t, c, "two", 10, 0)
	change(t, c, `UPDATE slashbatch.run SET created = now() - interval '49 hours'`)
	for _, key := range []string{"forgotten", "waiting"} {
		if err := c.Wish(ctx, key, cache.Wish{Form: cache.Form{Format: "parquet"}}); err != nil {
			t.Fatal(err)
		}
	}
	change(t, c, `UPDATE slashbatch.wish SET made = now() - interval '8 days' WHERE key = 'forgotten'`)

	// First the names; with the last request the run goes, too.
	freed, err := c.Expire(ctx, week)
	if err != nil || freed != (cache.Freed{Aliases: 1, Requests: 1, Runs: 1, Wishes: 1}) {
		t.Fatalf("%+v, %v; want one of each", freed, err)
	}
	if freed := evict(t, c, week); freed != (cache.Freed{}) || count(t, c, "result") != 2 {
		t.Errorf("%+v went although an alias lives", freed)
	}
	if diff := cmp.Diff([]string{"pinned", "read", "two", "valid"}, keysOf(t, c)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	change(t, c, `UPDATE slashbatch.alias SET expires = now()`)
	change(t, c, `UPDATE slashbatch.request SET expires = now(), pinned = false WHERE key <> 'two'`)
	if freed := evict(t, c, week); freed.Results() != 1 || count(t, c, "result") != 1 {
		t.Errorf("%+v went with the last name, want its result", freed)
	}
	if _, err := c.ByJob(ctx, "job-two"); err != nil {
		t.Errorf("the run that answers a request: %v", err)
	}
}

// What a sweep reads grows with what it looks at, not with all names that there are.
func TestEvictReadsPages(t *testing.T) {
	c := open(t)
	many(t, c, 20000, "2 days")
	change(t, c, `ANALYZE`)
	plan, err := list(t.Context(), c, "explain", pgx.RowTo[string], `EXPLAIN `+oldResults, idle(week.Grace), idle(week.Results), time.Time{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(plan, "\n")
	if strings.Contains(text, "Seq Scan on request") || !strings.Contains(text, "request_result") || !strings.Contains(text, "result_accessed") {
		t.Errorf("the plan is\n%s", text)
	}
}
