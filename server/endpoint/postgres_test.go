package endpoint

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgconn"

	"slashbatch/internal/pgtest"
	"slashbatch/internal/rows"
)

// database is PostgreSQL with the tables of testdata, asked as the service asks.
type database struct {
	t      testing.TB
	source *rows.Source
}

func newDatabase(t testing.TB) *database {
	t.Helper()
	address := pgtest.New(t)
	tables, err := os.ReadFile(filepath.Join("testdata", "tables.sql"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := pgconn.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	if _, err := conn.Exec(t.Context(), "SET timezone = 'UTC';"+string(tables)).ReadAll(); err != nil {
		t.Fatal(err)
	}
	source, err := rows.Open("test", address, rows.SourceOptions{MaxConns: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(source.Close)
	return &database{t, source}
}

// table takes rows as they are.
type table struct {
	columns []rows.Column
	rows    [][][]byte
}

func (t *table) Columns(columns []rows.Column) error {
	t.columns = columns
	return nil
}

func (t *table) Row(values [][]byte) error {
	row := make([][]byte, len(values))
	for i, v := range values {
		row[i] = bytes.Clone(v) // nil stays nil
	}
	t.rows = append(t.rows, row)
	return nil
}

// texts writes rows so that differences are readable.
func (t *table) texts() []string {
	var list []string
	for _, row := range t.rows {
		var cells []string
		for _, v := range row {
			if v == nil {
				cells = append(cells, "NULL")
				continue
			}
			cells = append(cells, strconv.Quote(string(v)))
		}
		list = append(list, strings.Join(cells, " "))
	}
	return list
}

func (d *database) query(s Statement) (*table, error) {
	read := rows.Read{Statement: rows.Statement{SQL: s.SQL}}
	for _, a := range s.Args {
		read.Args = append(read.Args, rows.Arg(a))
	}
	var out table
	_, err := d.source.Stream(d.t.Context(), read, &out)
	return &out, err
}

// tester is what testing.T and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
}

func (d *database) mustQuery(t tester, s Statement) *table {
	t.Helper()
	out, err := d.query(s)
	if err != nil {
		t.Fatalf("%v\n%s\n%+v", err, s.SQL, s.Args)
	}
	return out
}

// The descriptions that the tests of this package work with are PostgreSQL's.
func TestDescribedByPostgreSQL(t *testing.T) {
	d := newDatabase(t)
	for name, want := range described {
		got, err := d.source.Describe(t.Context(), decode(t, name).Probe())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.Params, got.Params); diff != "" {
			t.Errorf("%s: parameters: %s", name, diff)
		}
		for i, c := range got.Columns {
			if c.OID > 16_383 {
				c.OID = 40_001 // the enum has another one in each database
			}
			if want := want.Columns[i]; c.Name != want.Name || c.OID != want.OID {
				t.Errorf("%s: column %d is %+v, not %+v", name, i, c, want)
			}
		}
	}
}

// PostgreSQL runs all statements of all requests in testdata, and they agree
// with each other. TestRequests and TestStatements show their text.
func TestStatementsRun(t *testing.T) {
	d := newDatabase(t)
	ran := 0
	for _, file := range []string{"requests.txt", "statements.txt"} {
		eachRequest(t, file, func(e *Endpoint, line string) {
			r, err := ask(t, e, line)
			if err != nil {
				return
			}
			ran++
			got := map[string][]string{}
			for name, s := range statements(r) {
				out, err := d.query(s)
				if err != nil {
					t.Fatalf("%s: %s: %v\n%s\n%+v", line, name, err, s.SQL, s.Args)
				}
				if name == "Page" {
					for i := range out.rows {
						out.rows[i] = out.rows[i][:len(r.Columns())]
					}
				}
				got[name] = out.texts()
			}
			if count, rows := strings.Join(got["Count"], ""), strconv.Quote(strconv.Itoa(len(got["Rows"]))); count != rows {
				t.Errorf("%s: %s rows are counted, %s there", line, count, rows)
			}
			if limit := int(r.Limit()); len(got["Page"]) > limit {
				if len(got["Page"]) != limit+1 || limit == 0 {
					t.Errorf("%s: a page of %d rows with limit %d", line, len(got["Page"]), limit)
				}
				got["Page"] = got["Page"][:limit]
			}
			if diff := cmp.Diff(got["Interactive"], got["Page"]); diff != "" {
				t.Errorf("%s: Page is not Interactive: %s", line, diff)
			}
			all := got["Rows"]
			for _, row := range slices.Concat(got["Batch"], got["Interactive"]) {
				if !slices.Contains(all, row) {
					t.Errorf("%s: a row that is not counted: %s", line, row)
				}
			}
			// The columns of a view may make rows equal, so this is not all.
			if r.after == nil && !r.bounded() && len(got["Batch"]) != len(all) {
				t.Errorf("%s: %d rows in the batch, %d counted", line, len(got["Batch"]), len(all))
			}
		}, func(*Endpoint, string) {})
	}
	if ran < 100 {
		t.Errorf("%d requests ran", ran)
	}
}
