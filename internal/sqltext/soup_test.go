package sqltext

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// pieces are what the text of a random literal, name or comment is made of.
var pieces = []string{
	"'", "''", `"`, `""`, `\`, `\\`, `\'`, `\n`, `\x4`, `\u00e9`, "$", "$$", "$a$", "--", "/*", "*/", "\n", " ", "\n'", "'\n'",
	"a", "1", "E", "U&", "é", ",", "||", ";", "(", ")", "%>", "<%",
	"<%= error_message %>", "<%= error_message %>", "<%= error_message %>", "<%=job_id%>",
}

// frames are where it is put.
var frames = [][]string{
	{"'", "'"},
	{"E'", "'"},
	{"e'", "'\n'", "'"},
	{"'", "' -- '\n '", "'"},
	{"N'", "'"},
	{"U&'", "'"},
	{"B'", "'"},
	{"$$", "$$"},
	{"$a$", "$a$"},
	{`1 AS "`, `"`},
	{`1 AS u&"`, `"`},
	{"/*", "*/ 1"},
	{"--", "\n 1"},
	{"(", ")"},
	{"1::", ""},
	{"", ""},
	{"'a' || ", " || 'b'"},
	{"text ", ""},
}

// soup returns a random text that looks like a list of expressions.
func soup(r *rand.Rand) string {
	var items []string
	for range 1 + r.IntN(3) {
		frame := frames[r.IntN(len(frames))]
		item := frame[0]
		for _, end := range frame[1:] {
			for range r.IntN(4) {
				item += pieces[r.IntN(len(pieces))]
			}
			item += end
		}
		items = append(items, item)
	}
	return "SELECT " + strings.Join(items, ", ")
}

// TestDatabaseReadsTheRestTheSame puts a harmless word and then a hostile value
// into random texts. The database must refuse both or neither, and what it gives
// must differ in the value alone: so the places found here are those that it
// sees, and the value has not changed how the rest is read.
func TestDatabaseReadsTheRestTheSame(t *testing.T) {
	t.Parallel()
	conn := connect(t)
	if a := ask(t, conn, "SET default_transaction_read_only = on"); a.Code != "" {
		t.Fatal(a)
	}
	const word = "zqmarkerqz"
	r := rand.New(rand.NewPCG(1, 2))
	// Values that a name can hold whole.
	values := slices.DeleteFunc(slices.Clone(hostile), func(v string) bool { return v == "" || len(v) > 20 })
	answered, refused := 0, 0
	for answered < 800 {
		sql := soup(r)
		template, err := Parse(sql, allNames...)
		if err != nil || len(template.places) == 0 {
			continue
		}
		value := values[r.IntN(len(values))]
		fill := func(v string) string { return template.Fill(map[string]string{JobID: v, ErrorMessage: v}) }
		a, b := ask(t, conn, fill(word)), ask(t, conn, fill(value))
		if a.Code == "" {
			answered++
		} else {
			refused++
		}
		if a.Code != b.Code {
			t.Errorf("%q with %q: SQLSTATE %q, with %q %q:\n%q", sql, word, a.Code, value, b.Code, fill(value))
		}
		for i, cell := range a.Cells {
			a.Cells[i] = strings.ReplaceAll(cell, word, value)
		}
		if !slices.Equal(a.Cells, b.Cells) {
			t.Errorf("%q with %q gave %q, want %q", sql, value, b.Cells, a.Cells)
		}
	}
	t.Logf("%d texts answered, %d refused by the database", answered, refused)
}
