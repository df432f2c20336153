package cli

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"
)

func gzipped(t *testing.T, members ...string) string {
	t.Helper()
	var b bytes.Buffer
	for _, m := range members {
		z := gzip.NewWriter(&b)
		if _, err := z.Write([]byte(m)); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

// What was put in answers the request as if a run had made it, byte by byte, and no run
// is made.
func TestResultPut(t *testing.T) {
	s := newSite(t, "")
	rows := "id,label,mass\n10,by hand,1.50\n11,\"\",\n"
	for _, tt := range []struct {
		about, url, content, plain, path string
		typed                            bool
	}{
		{"plain", "/item", rows, rows, "/item/batch", true},
		{"the URL of the twin", "/item/batch?_view=short", "id,label\r\n1,x\r\n", "id,label\r\n1,x\r\n", "/item/batch?_view=short", true},
		{"an absolute URL", "https://data.example.org/item/?_limit=1", rows, rows, "/item/batch?_limit=1", true},
		{"gzip", "/item?_limit=2", gzipped(t, rows), rows, "/item/batch?_limit=2", true},
		{"gzip of several members", "/item?_limit=3", gzipped(t, rows[:20], rows[20:]), rows, "/item/batch?_limit=3", true},
		{"a byte order mark", "/item?_limit=4", "\uFEFF" + rows, "\uFEFF" + rows, "/item/batch?_limit=4", true},
		{"other columns", "/item?_limit=5", "id,name\n1,x\n", "id,name\n1,x\n", "/item/batch?_limit=5", false},
		{"no rows", "/item?_limit=6", "id,label,mass\n", "id,label,mass\n", "/item/batch?_limit=6", true},
		{"an escaped path", "/group/a%2Fb/item?_limit=7&", "id,grp\n1,a/b\n", "id,grp\n1,a/b\n", "/group/a%2Fb/item/batch?_limit=7", true},
	} {
		t.Run(tt.about, func(t *testing.T) {
			s := s.in(t)
			file := s.write("rows.csv", tt.content)
			stdout, stderr := s.run(0, "result", "put", tt.url, file, "-json")
			var r struct {
				Key, URL     string
				Result       int64
				Rows, Bytes  int64
				Typed, Known bool
				Pinned       bool
				Expires      time.Time
			}
			if err := json.Unmarshal([]byte(stdout), &r); err != nil || stderr != "" {
				t.Fatalf("%v: %s%s", err, stdout, stderr)
			}
			s.serves(tt.path, tt.plain)
			if r.URL != tt.path || r.Bytes != int64(len(tt.plain)) || r.Rows != int64(strings.Count(tt.plain, "\n")-1) || r.Typed != tt.typed || r.Pinned {
				t.Errorf("%+v", r)
			}
			shown := s.says([]string{r.Key}, "result", "show", r.Key)
			if typed := strings.Contains(shown, "id      integer"); typed != tt.typed {
				t.Errorf("columns of\n%s", shown)
			}
			// By its URL, its id, and the URL of its file it is the same.
			for _, word := range []string{tt.url, number(r.Result), tt.path, s.url + tt.path} {
				if again := s.says(nil, "result", "show", word); again != shown {
					t.Errorf("%s is\n%s, want\n%s", word, again, shown)
				}
			}
		})
	}
	if strings.Contains(s.said.text(), "export finished") {
		t.Error("a run was made")
	}
	if n := s.number("SELECT count(*) FROM slashbatch.request WHERE spec_digest = '' OR claim = ''"); n != 0 {
		t.Errorf("%d requests do not say what they were made with", n)
	}
}

func TestResultPutSays(t *testing.T) {
	s := newSite(t, "")
	file := s.write("rows.csv", "id,grp\n1,AB\n2,AB\n")
	s.says([]string{
		"key        group~AB@", "rows       2\n", "bytes      17\n", "columns    those of the endpoint\n", "served at  /group/AB/item/batch\n", "answers    until 20",
	}, "result", "put", "/group/AB/item", file)
	answers := func(path string) time.Duration {
		t.Helper()
		var d struct{ Expires time.Time }
		code, body := s.get(path)
		if err := json.Unmarshal([]byte(body), &d); err != nil || code != http.StatusOK {
			t.Fatalf("%d %s", code, body)
		}
		return time.Until(d.Expires)
	}
	if d := answers("/group/AB/item/batch/status"); d < time.Hour || d > 2*time.Hour {
		t.Errorf("it answers for %v, want the 2h of the endpoint", d)
	}
	s.run(0, "result", "put", "/item", file, "-max-age", "500h")
	if d := answers("/item/batch/status"); d < 499*time.Hour || d > 500*time.Hour {
		t.Errorf("it answers for %v, want 500h", d)
	}
	s.run(0, "result", "put", "/item", file)
	if d := answers("/item/batch/status"); d < 167*time.Hour || d > 168*time.Hour {
		t.Errorf("it answers for %v, want the 168h of the service", d)
	}
	s.says([]string{"answers    for ever: it is pinned\n", "columns    text, since the header is not the endpoint's\n", ", which has the same rows already\n"}, "result", "put", "-pin", "/item?_limit=1", file)
	s.says([]string{"pinned"}, "result", "show", "/item?_limit=1")
	_, stderr := s.run(1, "result", "put", "/item?_limit=1", s.write("other.csv", "id,label,mass\n3,z,\n"))
	if want := "what answers this request is pinned, and nothing takes its place but what is pinned as well: put it in with -pin, or take the old one away first with rm\n"; !strings.HasSuffix(stderr, want) {
		t.Errorf("%s, want %s", stderr, want)
	}
	if _, err := s.db.Exec(t.Context(), "UPDATE slashbatch.request SET expires = 'epoch'"); err != nil {
		t.Fatal(err)
	}
	s.serves("/item/batch?_limit=1", "id,grp\n1,AB\n2,AB\n") // and the others are computed
	if code, body := s.get("/item/batch"); code != http.StatusSeeOther {
		t.Errorf("what has expired answers %d: %s", code, body)
	}
}

// the same rows twice are one file with two names, and what was
// written of the second is gone again; another header is another result.
func TestR045PutTwice(t *testing.T) {
	s := newSite(t, "")
	file := s.write("rows.csv", "id,label,mass\n1,x,\n")
	s.run(0, "result", "put", "/item", file)
	for _, again := range []string{"/item", "/item?_limit=1"} {
		s.says([]string{", which has the same rows already\n"}, "result", "put", again, s.write("rows.csv.gz", gzipped(t, "id,label,mass\n1,x,\n")))
	}
	s.serves("/item/batch", "id,label,mass\n1,x,\n")
	s.serves("/item/batch?_limit=1", "id,label,mass\n1,x,\n")
	if files, results := s.objects(), s.number("SELECT count(*) FROM slashbatch.result"); len(files) != 1 || results != 1 {
		t.Errorf("%d results in the files %v", results, files)
	}
	if n := s.number("SELECT count(*) FROM slashbatch.variant v JOIN slashbatch.location l ON l.variant = v.id"); n != 1 {
		t.Errorf("%d files are known", n)
	}
	// one that fails leaves the first untouched.
	s.run(1, "result", "put", "/item", s.write("rows.csv", "id,label,mass\n1,x,\n2\n"))
	s.serves("/item/batch", "id,label,mass\n1,x,\n")
	// A later one replaces it.
	s.run(0, "result", "put", "/item", s.write("rows.csv", "id,label,mass\n2,y,\n"))
	s.serves("/item/batch", "id,label,mass\n2,y,\n")
	s.serves("/item/batch?_limit=1", "id,label,mass\n1,x,\n")
}

// Rows that are stored already, in a file that is gone, are stored again.
func TestResultPutAfterALoss(t *testing.T) {
	s := newSite(t, "")
	rows := "id,label,mass\n1,x,\n"
	file := s.write("rows.csv", rows)
	s.run(0, "result", "put", "/item", file)
	for _, object := range s.objects() {
		if err := os.Remove(object); err != nil {
			t.Fatal(err)
		}
	}
	s.run(0, "result", "put", "/item?_limit=1", file)
	s.serves("/item/batch?_limit=1", rows)
	s.serves("/item/batch", rows)
}

// whatever is wrong, all of it is said, with the line where it is one of the
// file, and nothing is stored or published.
func TestResultPutRefuses(t *testing.T) {
	s := newSite(t, `, publicUrl: "https://data.example.org/sb"`)
	good := s.write("good.csv", "id,label,mass\n1,x,\n")
	for _, tt := range []struct {
		about   string
		content string // of the file; good when empty
		args    []string
		code    int
		says    string
	}{
		{"lines", "id,label,mass\n1,x\none,x,\n3,\"x\"y,\n4,x,\n5,x,1,2\n", []string{"/item"}, 1, `FILE: line 2: 2 cells, want 3 as in the header
FILE: line 3: column "id": "one" is no value of its type
FILE: line 4: 'y' after the closing quote of a cell, want a comma or a line end; a quote inside of quotes is written as two
FILE: line 6: 4 cells, want 3 as in the header
`},
		{"many lines", "a,b\n" + strings.Repeat("1\n", 25), []string{"/item"}, 1, strings.Repeat("FILE: line %: 1 cells, want 2 as in the header\n", 20) + "FILE: and 5 problems more\n"},
		{"an empty file", "\n", []string{"/item"}, 1, "FILE: line 1: there is no header: the first line is to have the names of the columns\n"},
		{"broken gzip", gzipped(t, "a,b\n1,2\n")[:30], []string{"/item"}, 1, "while the file was read and stored: line 1, or soon after it: cannot be read: unexpected EOF\n"},
		{"no such path", "", []string{"/nowhere?x=1"}, 1, "no endpoint answers the path /nowhere\n"},
		{"a status page", "", []string{"/item/batch/status"}, 1, "no endpoint answers the path /item/batch/status\n"},
		{"no URL", "", []string{"item"}, 1, "this is neither a URL nor the path of one, like /stream/AB-01/package?min-mass=1000\n"},
		{"a URL that is none", "", []string{"http://[::1"}, 1, "this is neither a URL nor the path of one, like /stream/AB-01/package?min-mass=1000\n"},
		{"parameters", "", []string{"/item?min-id=x&_limit=-1&_view=long"}, 1, `_limit: expected a whole number, 0 or more, got "-1"
_view: unknown view "long"; known: default, short
min-id: expected a whole number from -2147483648 to 2147483647, got "x"
`},
		{"another form", "", []string{"/item?_format=parquet"}, 1, "a result is put in as CSV with commas, and its other forms are made from that: leave out _format, _delimiter, _bom and _safe\n"},
		{"no twin", "", []string{"/no-twin"}, 1, "the endpoint no-twin has no batch twin, and so no results\n"},
		{"whose it is", "", []string{"/own"}, 1, "the endpoint own answers each user with rows of their own: say whose with -user NAME\n"},
		{"a user of none", "", []string{"/own", "-user", "carol"}, 1, "there is no user \"carol\" in auth.users\n"},
		{"a user where all are one", "", []string{"/item", "-user", "alice"}, 1, "-user is for endpoints of scope user; what items answers is everybody's\n"},
		{"no file", "", []string{}, 2, "slashbatch result put takes the URL of a request, and a file of CSV, plain or gzip; - is standard input\n"},
		{"pinned for a while", "", []string{"/item", "-pin", "-max-age", "1h"}, 2, "slashbatch result put takes -pin or -max-age: what is pinned does not expire\n"},
		{"backwards", "", []string{"/item", "-max-age", "-1h"}, 2, "-max-age is a time from now on\n"},
	} {
		t.Run(tt.about, func(t *testing.T) {
			s := s.in(t)
			file := good
			if tt.content != "" {
				file = s.write("wrong.csv", tt.content)
			}
			want := strings.ReplaceAll(tt.says, "FILE", file)
			for i := 2; strings.Contains(want, "%"); i++ {
				want = strings.Replace(want, "%", number(int64(i)), 1)
			}
			args := []string{"result", "put"}
			if len(tt.args) > 0 {
				args, tt.args = append(args, tt.args[0]), tt.args[1:]
			}
			s.fails(tt.code, want, append(append(args, file), tt.args...)...)
		})
	}
	if files := s.objects(); len(files) != 0 || s.number("SELECT count(*) FROM slashbatch.result") != 0 {
		t.Errorf("left over: %v", files)
	}
	// Behind a proxy the path of publicUrl is not the service's.
	s.says([]string{"https://data.example.org/sb/item/batch\n"}, "result", "put", "https://data.example.org/sb/item", good)
	s.serves("/item/batch", "id,label,mass\n1,x,\n")
}

// A user's own result is put in for that user, and nobody else gets it.
func TestResultPutForAUser(t *testing.T) {
	s := newSite(t, "")
	s.run(0, "result", "put", "-user", "alice", "/own", s.write("rows.csv", "id,who\n7,alice by hand\n"))
	s.serves("/own/batch", "id,who\n7,alice by hand\n", "alices")
	s.computed("/own/batch", "id,who\r\n1,bob\r\n", "bobs")
	s.says([]string{"user:alice  1"}, "result", "list", "-owner", "user:alice")
	if out := s.says(nil, "result", "list", "-owner", "user:alice"); strings.Contains(out, "bob") {
		t.Errorf("of alice are\n%s", out)
	}
	s.says([]string{"removed the request own~_user=alice@"}, "result", "rm", "-user", "alice", "/own")
	s.computed("/own/batch", "id,who\r\n1,alice\r\n", "alices")
}

func TestResultPutFromStandardInput(t *testing.T) {
	s := newSite(t, "")
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stdin
	os.Stdin = in
	t.Cleanup(func() { os.Stdin = was })
	go func() {
		_, _ = out.WriteString("id,label,mass\n5,x,\n")
		out.Close()
	}()
	s.run(0, "result", "put", "/item", "-")
	s.serves("/item/batch", "id,label,mass\n5,x,\n")
}
