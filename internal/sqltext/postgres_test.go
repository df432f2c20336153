package sqltext

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"

	"slashbatch/internal/pgtest"
)

// connect opens a session as those in which templates run.
func connect(t *testing.T) *pgconn.PgConn {
	t.Helper()
	config, err := pgconn.ParseConfig(pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	config.RuntimeParams["client_encoding"] = "UTF8"
	config.RuntimeParams["standard_conforming_strings"] = "on"
	conn, err := pgconn.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// answer is what the statements of a text gave: of each the columns' names and
// the values, one after the other, and the SQLSTATE of what stopped them.
type answer struct {
	Cells []string
	Code  string
}

func ask(t *testing.T, conn *pgconn.PgConn, sql string) answer {
	t.Helper()
	results, err := conn.Exec(t.Context(), sql).ReadAll()
	var a answer
	var refused *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		a.Code = refused.Code
	case err != nil:
		t.Fatalf("%q: %v", sql, err)
	}
	for _, r := range results {
		for _, column := range r.FieldDescriptions {
			a.Cells = append(a.Cells, column.Name)
		}
		for _, row := range r.Rows {
			for _, cell := range row {
				a.Cells = append(a.Cells, string(cell))
			}
		}
	}
	return a
}

// corpus returns the strings of the fuzzer's files.
func corpus(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob("testdata/fuzz/FuzzFill/*")
	if err != nil || len(names) == 0 {
		t.Fatalf("no corpus: %v", err)
	}
	var out []string
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(data)) {
			if quoted, ok := strings.CutPrefix(strings.TrimSpace(line), "string("); ok {
				value, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				out = append(out, value)
			}
		}
	}
	return out
}

// name is what PostgreSQL makes of a quoted name: at most 63 bytes of it.
func name(value string) string {
	for len(value) > 63 || !utf8.ValidString(value) {
		value = value[:min(63, len(value)-1)]
	}
	return value
}

// TestValuesComeOutUnchanged: in every place that is allowed, the database reads
// a value byte for byte as it is, and nothing else of the text has changed.
func TestValuesComeOutUnchanged(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	if a := ask(t, conn, "CREATE TABLE t (x text); INSERT INTO t VALUES ('here')"); a.Code != "" {
		t.Fatal(a)
	}
	plain := func(value string) string { return value }
	around := func(value string) string { return "a'" + value + "\\b" }
	places := []struct {
		sql string
		// cell is the value that is asked for.
		cell func(value string) string
	}{
		{"SELECT '<%= error_message %>' AS x", plain},
		{"SELECT N'<%= error_message %>' AS x", plain},
		{"SELECT E'<%= error_message %>' AS x", plain},
		{"SELECT <%= error_message %> AS x", plain},
		{"SELECT 'a''<%= error_message %>\\b' AS x", around},
		{"SELECT e'a\\'<%= error_message %>\\\\b' AS x", around},
		{"SELECT E'\\141\\u0027<%= error_message %>\\x5cb' AS x", around},
		{"SELECT 'a'\n'''<%= error_message %>'\n'\\b' AS x", around},
		{"SELECT E'a' -- '\n--\r'\\'<%= error_message %>'\n'\\\\b' AS x", around},
		{"SELECT /* ' */ 'a'''||<%= error_message %>||$$\\b$$ AS x -- '", around},
		{"SELECT (<%= error_message %>)::text AS x", plain},
		{"SELECT text <%= error_message %> AS x", plain},
		{"SELECT substr('x<%= error_message %><%= error_message %>', 2, length(<%= error_message %>)) AS x", plain},
		{"CREATE TEMP TABLE i (x text); INSERT INTO i VALUES ('<%= error_message %>'); SELECT x FROM i; DROP TABLE i", plain},
		{`SELECT 'one' AS "<%= error_message %>"`, nil},
	}
	values := append(corpus(t), hostile...)
	for _, place := range places {
		// The name of the placeholder does not matter but where only one is allowed.
		sql := place.sql
		if place.cell == nil {
			sql = strings.ReplaceAll(sql, ErrorMessage, JobID)
		}
		template, err := Parse(sql, allNames...)
		if err != nil {
			t.Errorf("%q is refused: %v", sql, err)
			continue
		}
		for _, value := range values {
			clean := Clean(value)
			want := []string{"x", ""}
			switch {
			case place.cell != nil:
				want[1] = place.cell(clean)
			case clean == "":
				continue // No name is empty.
			default:
				want = []string{name(clean), "one"}
			}
			a := ask(t, conn, template.Fill(map[string]string{JobID: value, ErrorMessage: value}))
			if a.Code != "" || len(a.Cells) != 2 || a.Cells[0] != want[0] || a.Cells[1] != want[1] {
				t.Errorf("%q with %.100q gave %.200q", sql, value, a)
			}
		}
	}
	if a := ask(t, conn, "SELECT x FROM t"); a.Code != "" || len(a.Cells) != 2 || a.Cells[1] != "here" {
		t.Errorf("the table next to all this holds %q", a)
	}
	t.Logf("%d values in %d places", len(values), len(places))
}

// TestSettingInCode: what the refusal in a dollar-quoted text says to write works.
func TestSettingInCode(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	for _, value := range hostile {
		r := conn.ExecParams(t.Context(), "SELECT set_config($1, $2, false)", [][]byte{[]byte(SettingPrefix + ErrorMessage), []byte(value)}, nil, nil, nil)
		if err := r.Read().Err; err != nil {
			t.Fatal(err)
		}
		a := ask(t, conn, "DO $$ BEGIN PERFORM set_config('my.copy', "+setting(ErrorMessage)+", false); END $$; SELECT current_setting('my.copy') AS x")
		if a.Code != "" || a.Cells[len(a.Cells)-1] != value {
			t.Errorf("%.100q became %.200q", value, a)
		}
	}
}
