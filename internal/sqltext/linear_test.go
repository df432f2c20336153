package sqltext

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
)

// form is a text of any length, with one piece again and again.
type form struct{ name, before, again, after string }

func (f form) text(size int) string {
	return f.before + strings.Repeat(f.again, size/len(f.again)) + f.after
}

// forms are such that reading them would take the square of their length if
// anything were looked at anew for each placeholder, quote or problem.
var forms = []form{
	{"in one literal", "select '", "<%= job_id %>", "'"},
	{"in one literal with escapes", "select E'", "<%= job_id %>", "'"},
	{"behind escapes", "select E'", `\\\x41<%= job_id %>`, "'"},
	{"wrong behind escapes", "select E'", `\<%= job_id %>`, "'"},
	{"backslashes", "select E'<%= job_id %>", `\\`, "<%= job_id %>'"},
	{"in one name", `select 1 as "`, "<%= job_id %>", `"`},
	{"parts of one literal", "select ''\n", "'<%= job_id %>'\n", ""},
	{"parts of one with escapes", "select E''\n", "-- '\n'<%= job_id %>'\n", ""},
	{"parts of code", "do ''\n", "'<%= job_id %>'\n", ""},
	{"bare", "select 1", ",<%= job_id %>", ""},
	{"beside each other", "select", " <%= job_id %>", ""},
	{"between comments", "select 1", "/**/,/**//**/<%= job_id %>/**//**/", ""},
	{"comments on both sides", "select <%= job_id %>", "/**/", "<%= job_id %>"},
	{"statements", "", "do '';<%= job_id %>;", ""},
	{"words", "", "do as program uescape ", "<%= job_id %>"},
	{"beginnings", "", "<%=", ""},
	{"beginnings and one end", "", "<%=", "%>"},
	{"beginnings in a literal", "'", "<%=", ""},
	{"ends", "<%=", "%>", ""},
	{"one long name", "<%= ", "é", "%>"},
	{"unknown", "", "<%=x%>", ""},
	{"unknown in lines", "", "<%= x %>\n", ""},
	{"in comments", "", "-- <%= job_id %>\n", ""},
	{"comments in comments", "", "/* <%= job_id %>", ""},
	{"lines before", "", "\n", "<%= x %><%= x %>"},
	{"NUL", "", "<%= x %>\x00", ""},
	{"dollars", "", "$a ", "<%= job_id %>"},
	{"dollar quotes", "", "$$<%= job_id %>$$", ""},
	{"dollar quotes in each other", "", "$a$ $b$ ", "<%= job_id %>"},
	{"quotes", "", "'", ""},
	{"numbers", "", "1e", "'<%= job_id %>'"},
}

// TestParseEnds: with the square of its length one of these takes from many
// minutes to hours, which no run of the tests is given.
func TestParseEnds(t *testing.T) {
	const size = 1 << 20
	for _, f := range forms {
		sql := f.text(size)
		template, err := Parse(sql, JobID)
		if err != nil {
			continue
		}
		filled := template.Fill(map[string]string{JobID: "a-value"})
		if got, want := strings.Count(filled, "a-value"), strings.Count(sql, "<%= job_id %>"); got != want {
			t.Errorf("%s: %d places filled, want %d", f.name, got, want)
		}
	}
}

// BenchmarkParse: the bytes in a second must be about the same for both sizes.
func BenchmarkParse(b *testing.B) {
	for _, f := range forms {
		for _, size := range []int{64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", strings.ReplaceAll(f.name, " ", "-"), size>>10), func(b *testing.B) {
				sql := f.text(size)
				b.SetBytes(int64(len(sql)))
				for b.Loop() {
					template, err := Parse(sql, JobID)
					if err == nil {
						template.Fill(map[string]string{JobID: "it's"})
					}
				}
			})
		}
	}
}

// TestUnfinished compares with one expression for the whole text.
func TestUnfinished(t *testing.T) {
	whole := regexp.MustCompile(`(?:^|[^\\])(?:\\\\)*\\(?:[0-7]{0,2}|x[[:xdigit:]]?|u[[:xdigit:]]{0,3}|U[[:xdigit:]]{0,7})$`)
	r := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 100_000 {
		var text strings.Builder
		for range r.IntN(12) {
			text.WriteByte(`\\\07800aFxuU'n`[r.IntN(15)])
		}
		got, want := unfinished(text.String()), whole.MatchString(text.String())
		if got != want {
			t.Fatalf("%q: %t, want %t", text.String(), got, want)
		}
		if got {
			found++
		}
	}
	t.Logf("%d unfinished ones", found)
}
