package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

// mint makes a public name of a request's result, and returns it.
func (s *site) mint(path string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var d struct{ URL, Token string }
	if err := json.NewDecoder(response.Body).Decode(&d); err != nil || response.StatusCode != http.StatusCreated {
		s.t.Fatal(response.Status, err)
	}
	name := strings.TrimPrefix(d.URL, s.url+"/results/")
	name, _, _ = strings.Cut(name, ".")
	if shown, _ := s.run(0, "result", "show", name); strings.Contains(shown, d.Token) || !strings.Contains(shown, name) {
		s.t.Errorf("shown is\n%s", shown)
	}
	return name
}

const (
	allItems   = "id,label,mass\r\n1,one,1.50\r\n2,two,\r\n3,three,3.00\r\n"
	madeByHand = "id,label,mass\n9,by hand,\n"
)

// I-06: a name that is removed is computed again when it is asked for; other names of the
// same rows, and the file, stay.
func TestI06Remove(t *testing.T) {
	s := newSite(t, "")
	file := s.write("rows.csv", madeByHand)
	for _, request := range []string{"/item", "/item?_limit=5", "/item?_limit=6"} {
		s.run(0, "result", "put", request, file)
	}
	alias := s.mint("/item/batch/links")
	s.says([]string{"removed the request items@", " has 3 names left\n"}, "result", "rm", "/item")
	s.computed("/item/batch", allItems)
	s.serves("/item/batch?_limit=5", madeByHand)
	s.serves("/results/"+alias, madeByHand)

	var d struct {
		ID       int64
		Requests []struct{ Key string }
	}
	if err := json.Unmarshal([]byte(s.says(nil, "result", "show", alias, "-json")), &d); err != nil || len(d.Requests) != 2 {
		t.Fatalf("%+v, %v", d, err)
	}
	s.says([]string{"removed the request " + d.Requests[0].Key, "removed the request " + d.Requests[1].Key, " has 1 name left\n"}, "result", "rm", d.Requests[0].Key, d.Requests[1].Key)
	s.computed("/item/batch?_limit=5", allItems)
	s.serves("/results/"+alias, madeByHand)
	s.says([]string{"removed the alias " + alias, fmt.Sprintf("result %d has no name any more, and goes in 24h0m0s\n", d.ID)}, "result", "rm", s.url+"/results/"+alias+".csv")
	if code, body := s.get("/results/" + alias); code != http.StatusNotFound {
		t.Errorf("the link answers %d: %s", code, body)
	}
	// names go, never what they lead to.
	if n := s.number("SELECT count(*) FROM slashbatch.removal"); n != 0 || len(s.objects()) != 2 {
		t.Errorf("%d files are to be removed; there are %v", n, s.objects())
	}
	s.says([]string{"requests  0\n", "aliases   0\n", "live"}, "result", "show", number(d.ID))

	_, stderr := s.run(1, "result", "rm", number(d.ID), "/item?_limit=77", "nothing", "/results/nothing.csv", "/nowhere")
	want := fmt.Sprintf(`%d: this is the id of a result; what is removed are its names, request keys, URLs and aliases, while -purge kills the result with all of them
/item?_limit=77: nothing answers this request, whose key is items~_limit=77@KEY
nothing: there is no result, request or alias "nothing"
/results/nothing.csv: there is no alias "nothing"
/nowhere: no endpoint answers the path /nowhere
`, d.ID)
	if got := regexp.MustCompile(`@\w{32}\n`).ReplaceAllString(stderr, "@KEY\n"); got != want {
		t.Errorf("says\n%s, want\n%s", got, want)
	}
	s.fails(2, "slashbatch result rm takes request keys, URLs or aliases; with -purge the ids of results, too\n", "result", "rm")
}

// a purge takes a result with all its names and files at once, and says which
// aliases went. R-029: what is not there is purged already.
func TestR041Purge(t *testing.T) {
	s := newSite(t, "")
	file := s.write("rows.csv", madeByHand)
	s.run(0, "result", "put", "/item", file, "-pin")
	s.run(0, "result", "put", "/item?_limit=5", file)
	a, b := s.mint("/item/batch/links"), s.mint("/item/batch/links")
	if a > b {
		a, b = b, a
	}
	s.run(0, "result", "put", "/item?_limit=6", s.write("others.csv", madeByHand+"10,x,\n"))
	var d struct{ ID int64 }
	if err := json.Unmarshal([]byte(s.says(nil, "result", "show", a, "-json")), &d); err != nil {
		t.Fatal(err)
	}
	stdout, stderr := s.run(0, "result", "rm", "-purge", number(d.ID))
	want := regexp.MustCompile(fmt.Sprintf(`^purged result %d of shared: 2 requests, 2 aliases, 1 file
  request items@\w+
  request items~_limit=5@\w+
  alias %s
  alias %s
$`, d.ID, a, b))
	if !want.MatchString(stdout) {
		t.Errorf("says\n%s", stdout)
	}
	if !strings.Contains(stderr, `"msg":"result purged"`) || strings.Contains(stderr, a) {
		t.Errorf("the log has %s", stderr)
	}
	for _, alias := range []string{a, b} {
		if code, body := s.get("/results/" + alias); code != http.StatusNotFound {
			t.Errorf("the link answers %d: %s", code, body)
		}
	}
	for _, table := range []string{"result", "variant", "location", "request", "run"} {
		if n := s.number("SELECT count(*) FROM slashbatch." + table); n != 1 {
			t.Errorf("%d rows of %s, want that of the other result", n, table)
		}
	}
	s.computed("/item/batch", allItems)
	s.serves("/item/batch?_limit=6", madeByHand+"10,x,\n")

	if out := s.says(nil, "result", "rm", "-purge", number(d.ID), "99"); out != fmt.Sprintf("there is no result %d: nothing to purge\nthere is no result 99: nothing to purge\n", d.ID) {
		t.Errorf("says %s", out)
	}
	s.says([]string{"purged result ", "  request items~_limit=6@"}, "result", "rm", "-purge", "/item?_limit=6")
}

func TestResultClear(t *testing.T) {
	s := newSite(t, "")
	other := s.write("others.csv", "id,grp\n1,AB\n")
	for i := range 450 { // several chunks
		if _, err := s.db.Exec(t.Context(), `
			WITH r AS (INSERT INTO slashbatch.result (owner, digest, bytes, rows, columns) VALUES ('shared', sha256(int4send($1)), 1, 1, '[]') RETURNING id)
			INSERT INTO slashbatch.request (key, result, job, claim, endpoint, user_name, file_name, submitted, spec_digest, generated, expires)
			SELECT 'items~' || $1::int, id, 'j', 'c', 'items', '', 'f', now(), '', now(), now() + interval '1 hour' FROM r`, i); err != nil {
			t.Fatal(err)
		}
	}
	s.run(0, "result", "put", "-pin", "/item", s.write("rows.csv", madeByHand))
	s.run(0, "result", "put", "/group/AB/item", other)
	s.mint("/group/AB/item/batch/links")

	s.fails(2, "this would remove 451 requests, each of which is computed again when it is asked for; left alone without -pinned: 1 pinned request: say -yes to do it\n", "result", "clear")
	s.fails(2, "this would purge 450 results, and with them every request, file and alias of theirs (0 aliases now); left alone without -pinned: 1 pinned request: say -yes to do it\n", "result", "clear", "-purge", "-endpoint", "items")
	s.fails(2, "this would purge 1 result, and with them every request, file and alias of theirs (1 alias now): say -yes to do it\n", "result", "clear", "-purge", "-endpoint", "group")
	if n := s.number("SELECT count(*) FROM slashbatch.request"); n != 452 {
		t.Errorf("%d requests are left of 452", n)
	}
	if out := s.says(nil, "result", "clear", "-endpoint", "none"); out != "there is nothing to clear\n" {
		t.Errorf("says %s", out)
	}
	if out := s.says(nil, "result", "clear", "-endpoint", "items", "-yes"); out != "removed 450 requests; left alone without -pinned: 1 pinned request\n" {
		t.Errorf("says %s", out)
	}
	s.serves("/item/batch", madeByHand)
	s.serves("/group/AB/item/batch", "id,grp\n1,AB\n")
	if n := s.number("SELECT count(*) FROM slashbatch.result"); n != 452 {
		t.Errorf("%d results are left of 452", n)
	}
	s.says([]string{"  request group~AB@", "  alias ", "purged 451 results; left alone without -pinned: 1 pinned request\n"}, "result", "clear", "-purge", "-yes")
	s.serves("/item/batch", madeByHand)
	s.says([]string{"purged 1 result\n"}, "result", "clear", "-purge", "-yes", "-pinned")
	s.computed("/item/batch", allItems)
	s.says([]string{"removed 1 request\n"}, "result", "clear", "-yes")
}

// pages of the list, one behind the other, in every form.
func TestResultList(t *testing.T) {
	s := newSite(t, "")
	for i := range 5 {
		s.run(0, "result", "put", fmt.Sprintf("/item?_limit=%d", i+1), s.write("rows.csv", fmt.Sprintf("id,label,mass\n%d,x,\n", i)))
	}
	type page struct {
		Results []struct {
			ID       int64
			Key      string
			Forms    []string
			Requests int
		}
		Next, Prev string
	}
	get := func(args ...string) (p page) {
		t.Helper()
		stdout, _ := s.run(0, append([]string{"result", "list", "-json"}, args...)...)
		if err := json.Unmarshal([]byte(stdout), &p); err != nil || !strings.Contains(stdout, `"results": [`) {
			t.Fatalf("%v: %s", err, stdout)
		}
		return p
	}
	var keys []string
	p := get("-n", "2")
	for {
		for _, r := range p.Results {
			keys = append(keys, r.Key[:len("items~_limit=1")])
			if r.Requests != 1 || len(r.Forms) != 1 || r.Forms[0] != "csv" {
				t.Errorf("%+v", r)
			}
		}
		if p.Next == "" {
			break
		}
		p = get("-n", "2", "-after", p.Next)
	}
	if got := strings.Join(keys, " "); got != "items~_limit=5 items~_limit=4 items~_limit=3 items~_limit=2 items~_limit=1" {
		t.Errorf("listed are %s", got)
	}
	if p = get("-n", "2", "-before", p.Prev); len(p.Results) != 2 || !strings.HasPrefix(p.Results[1].Key, "items~_limit=2") {
		t.Errorf("the page before the last is %+v", p)
	}
	for args, want := range map[string]int{"-after 2000-01-01": 0, "-owner shared -endpoint items": 5, "-endpoint group": 0, "-owner user:alice": 0, "-n 10000000": 5} {
		if p := get(strings.Fields(args)...); len(p.Results) != want {
			t.Errorf("%s: %d results, want %d", args, len(p.Results), want)
		}
	}

	stdout, stderr := s.run(0, "result", "list", "-n", "1", "-csv")
	if lines := strings.Split(stdout, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], "id,owner,rows,bytes,stored,forms,") || !strings.Contains(lines[1], ",shared,1,19,") || !regexp.MustCompile(`^older: -after \S+\n$`).MatchString(stderr) {
		t.Errorf("CSV is\n%s%s", stdout, stderr)
	}
	if stdout, _ = s.run(0, "result", "list", "-csv", "-endpoint", "none"); !strings.HasPrefix(stdout, "id,owner,") || strings.Count(stdout, "\n") != 1 {
		t.Errorf("CSV of nothing is\n%s", stdout)
	}
	out := s.says([]string{"ID  OWNER   ROWS  BYTES  STORED  FORMS  CREATED (UTC)", "\nolder: -after "}, "result", "list", "-n", "1")
	place := strings.TrimSpace(out[strings.LastIndex(out, "-after ")+len("-after "):])
	s.says([]string{"\nolder: -after ", "\nnewer: -before "}, "result", "list", "-n", "1", "-after", place)

	for want, args := range map[string]string{
		"\"17\" is not a place in a list: want the text that a list gave, 2006-01-02T15:04:05.000000Z_17, or a time, 2006-01-02 or 2006-01-02T15:04:05Z\n": "-after 17",
		"slashbatch result list takes -after or -before, not both\n":                                                                                       "-after 2026-01-01 -before 2026-01-01",
		"slashbatch result list prints JSON or CSV, not both\n":                                                                                            "-json -csv",
		"-n is a number of results, at least 1\n":                                                                                                          "-n 0",
		"no result is of \"alice\"; owners are shared and user:NAME\n":                                                                                     "-owner alice",
	} {
		s.fails(2, want, append([]string{"result", "list"}, strings.Fields(args)...)...)
	}
}

// The catalogue is all that is needed to look and to remove by key, and its schema is
// not changed on the way.
func TestResultCommandsWithoutAService(t *testing.T) {
	s := newSite(t, "")
	s.run(0, "result", "put", "/item", s.write("rows.csv", madeByHand))
	text, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := *s
	elsewhere.config = s.write("elsewhere.yaml", strings.NewReplacer("memory:", "redis://127.0.0.1:1", "file://"+s.folder, "file:///proc/none").Replace(string(text)))
	key := strings.Fields(elsewhere.says([]string{"items@"}, "result", "list"))
	elsewhere.says([]string{"has no name any more"}, "result", "rm", key[len(key)-1])
	if _, stderr := elsewhere.run(1, "result", "show", "/item"); !strings.Contains(stderr, "elsewhere.yaml: cache.url: ") {
		t.Errorf("says %s", stderr)
	}

	if _, err := s.db.Exec(t.Context(), "DROP SCHEMA slashbatch CASCADE"); err != nil {
		t.Fatal(err)
	}
	if _, stderr := elsewhere.run(1, "result", "list"); !strings.Contains(stderr, "run slashbatch migrate\n") {
		t.Errorf("says %s", stderr)
	}
}
