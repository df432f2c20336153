package demo

import (
	"context"
	"io/fs"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"
	"go.yaml.in/yaml/v3"

	"slashbatch/internal/pgtest"
)

// TestSample loads the sample once, because that takes some seconds.
func TestSample(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	began := time.Now()
	if err := Load(t.Context(), address); err != nil {
		t.Fatal(err)
	}
	t.Logf("loaded in %v", time.Since(began).Round(time.Millisecond))
	conn := connect(t, address)
	t.Run("is always the same", func(t *testing.T) { alwaysTheSame(t, conn) })
	t.Run("indexes fit", func(t *testing.T) { indexesFit(t, conn) })
	t.Run("endpoint queries run", func(t *testing.T) { endpointQueriesRun(t, conn) })
}

// alwaysTheSame compares sums over all rows with those of the day the sample was
// made. Examples in the documentation quote its rows.
func alwaysTheSame(t *testing.T, conn *pgconn.PgConn) {
	// The sum of the rows' hashes does not depend on their order.
	sum := func(table string) string {
		return `SELECT count(*) || ' rows, ' || sum(hashtextextended(t::text, 0)) FROM ` + table + ` t`
	}
	got := map[string]string{
		"package": value(t, conn, sum("package")),
		"reading": value(t, conn, sum("reading")),
		"streams": value(t, conn, `SELECT count(*) || ', from ' || min(n) || ' to ' || max(n) || ' rows'
			FROM (SELECT count(*) AS n FROM package GROUP BY stream) s`),
		"notes": value(t, conn, `SELECT count(DISTINCT note) || ' texts, ' || count(*) FILTER (WHERE note IS NULL) || ' times none' FROM package`),
	}
	want := map[string]string{
		"package": "1200000 rows, -5570470019412326095945",
		"reading": "51840 rows, 525174091488013645434",
		"streams": "30, from 299 to 292553 rows",
		"notes":   "12 texts, 900308 times none",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sample data (-want +got):\n%s", diff)
	}
}

// indexesFit asks the planner whether the endpoints' first pages need to
// read more than a few rows.
func indexesFit(t *testing.T, conn *pgconn.PgConn) {
	for _, query := range []string{
		"SELECT * FROM package WHERE stream = 'AB-01' ORDER BY id LIMIT 100",
		"SELECT * FROM package WHERE stream = 'ZZ-99' ORDER BY id LIMIT 100",
		"SELECT * FROM package ORDER BY id LIMIT 100",
		"SELECT * FROM reading WHERE station = 'ST-03' ORDER BY taken_at DESC LIMIT 144",
	} {
		if plan := value(t, conn, "EXPLAIN (FORMAT JSON) "+query); !strings.Contains(plan, "Index Scan") || strings.Contains(plan, "Seq Scan") {
			t.Errorf("%s reads the whole table:\n%s", query, plan)
		}
	}
}

func TestLoadLeavesNothingWhenItsContextEnds(t *testing.T) {
	t.Parallel()
	address := pgtest.New(t)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := Load(ctx, address); err == nil {
		t.Skip("loaded all the sample in 200 ms: nothing to cancel")
	}
	if got := value(t, connect(t, address), "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"); got != "0" {
		t.Errorf("%s relations are left, want none", got)
	}
}

// endpointQueriesRun runs every endpoint's query with a path parameter from
// its own example, and looks for the columns that its key and views name.
func endpointQueriesRun(t *testing.T, conn *pgconn.PgConn) {
	files, err := fs.Glob(Endpoints, "endpoints/*.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("endpoint files: %v, %v, want 3", files, err)
	}
	for _, file := range files {
		text, err := Endpoints.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var endpoint struct {
			Name, Path, Example, Query, Key string
			Views                           map[string][]string
		}
		if err := yaml.Unmarshal(text, &endpoint); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if want := "endpoints/" + endpoint.Name + ".yaml"; file != want {
			t.Errorf("%s declares %s, which belongs into %s", file, endpoint.Name, want)
		}
		query := endpoint.Query
		parts := strings.Split(strings.Split(endpoint.Example, "?")[0], "/")
		for i, part := range strings.Split(endpoint.Path, "/") {
			if strings.HasPrefix(part, "{") {
				query = strings.ReplaceAll(query, part, "'"+parts[i]+"'")
			}
		}
		if regexp.MustCompile(`[{}]`).MatchString(query) {
			t.Errorf("%s: parameters are left in %q", file, query)
			continue
		}
		for view, columns := range endpoint.Views {
			got := value(t, conn, "SELECT count(*) > 0 FROM (SELECT "+endpoint.Key+","+strings.Join(columns, ",")+" FROM ("+query+") q) r")
			if got != "t" {
				t.Errorf("%s, view %s: its example has no rows", file, view)
			}
		}
	}
}

func connect(t *testing.T, address string) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// value returns the only value of a query, as text and in UTC.
func value(t *testing.T, conn *pgconn.PgConn, sql string) string {
	t.Helper()
	results, err := conn.Exec(t.Context(), "SET TimeZone = 'UTC'; SET DateStyle = 'ISO'; "+sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return string(results[2].Rows[0][0])
}
