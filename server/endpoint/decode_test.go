package endpoint

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestDecodeProblems reads a file that is wrong in every way and compares all
// problems, told at once, with broken.golden.
func TestDecodeProblems(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "broken.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	specs, problems := Decode(data, "broken.yaml")
	var out strings.Builder
	fmt.Fprintln(&out, problems.Error())
	for _, s := range specs {
		for _, w := range s.Warnings {
			fmt.Fprintln(&out, "warning:", w)
		}
	}
	golden(t, "broken.golden", out.String())
}

func TestDecodeFillsInDefaults(t *testing.T) {
	specs, problems := Decode([]byte("{name: n, path: /n, query: SELECT 1 AS id, key: id}"), "n.yaml")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := &Spec{
		File: "n.yaml", Name: "n", Path: "/n", DataSource: "default", Query: "SELECT 1 AS id", Key: "id",
		SoftLimit: 100, HardLimit: 10_000, MaxAge: time.Minute, Access: Access{Public: true}, Scope: "shared",
		Batch: Batch{
			Enabled: true, DataSource: "default", StepsDataSource: "default",
			ContentType: "text/csv", Estimate: time.Minute, Links: true,
		},
	}
	if diff := cmp.Diff(want, specs[0], cmpopts.IgnoreUnexported(Spec{})); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// Defaults that follow from other fields.
func TestDecodeDependentDefaults(t *testing.T) {
	const base = "name: n\npath: /n\nquery: SELECT 1 AS id\nkey: id\n"
	for _, c := range []struct {
		name, yaml string
		got        func(*Spec) any
		want       any
	}{
		{"a high soft limit lifts the hard one", "softLimit: 20000", func(s *Spec) any { return s.HardLimit }, int64(20_000)},
		{"a low hard limit lowers the soft one", "hardLimit: 5", func(s *Spec) any { return s.SoftLimit }, int64(5)},
		{"batch runs where the endpoint does", "dataSource: other", func(s *Spec) any { return s.Batch.DataSource }, "other"},
		{"steps run where the endpoint does", "dataSource: other\nbatch: {dataSource: replica}", func(s *Spec) any { return s.Batch.StepsDataSource }, "other"},
		{"sources are listed once", "dataSource: other\nbatch: {dataSource: replica}", func(s *Spec) any { return s.Sources() }, []string{"other", "replica"}},
		{"rows of a user's own are not public", "scope: user\ndataSource: user", func(s *Spec) any { return s.Access }, Access{Authenticated: true}},
		{"rows of a user's own have no links", "scope: user\ndataSource: user", func(s *Spec) any { return s.Batch.Links }, false},
		{"unless asked for", "scope: user\ndataSource: user\nbatch: {links: true}", func(s *Spec) any { return s.Batch.Links }, true},
		{"the hard limit holds in batch on request", "hardLimit: 700\nbatch: {hardLimit: true}", func(s *Spec) any { return s.Batch.HardLimit }, int64(700)},
		{"or another one", "batch: {hardLimit: 5000000}", func(s *Spec) any { return s.Batch.HardLimit }, int64(5_000_000)},
		{"a number is milliseconds", "maxAge: 1500", func(s *Spec) any { return s.MaxAge }, 1500 * time.Millisecond},
		{"a text is a duration", "maxAge: 1d12h", func(s *Spec) any { return s.MaxAge }, 36 * time.Hour},
		{"days alone", "batch: {maxAge: 7d}", func(s *Spec) any { return s.Batch.MaxAge }, 168 * time.Hour},
		{"no age at all", "maxAge: 0", func(s *Spec) any { return s.MaxAge }, time.Duration(0)},
		{"no retry is not the default retry", "batch: {retry: 0}", func(s *Spec) any { return *s.Batch.Retry }, int64(0)},
		{"a field without value keeps its default", "maxAge:\nbatch:\nviews: ~", func(s *Spec) any { return s.MaxAge }, time.Minute},
		{"access by name", "access: [bob]", func(s *Spec) any { return s.Access }, Access{Users: []string{"bob"}}},
		{"a media type may have parameters", "batch: {contentType: text/csv; charset=utf-8}", func(s *Spec) any { return s.Batch.Format() }, "csv"},
	} {
		t.Run(c.name, func(t *testing.T) {
			specs, problems := Decode([]byte(base+c.yaml), "n.yaml")
			if len(problems) > 0 {
				t.Fatal(problems)
			}
			if diff := cmp.Diff(c.want, c.got(specs[0])); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestDecodeSeveralDocumentsAndAnchors(t *testing.T) {
	specs, problems := Decode([]byte(`
name: a
path: /a/{x}
query: &q SELECT * FROM t WHERE x = {x}
key: id
---
name: b
path: /b/{x}
query: SELECT * FROM u WHERE x = {x}
key: id
properties:
  one: &p {description: same}
  two: *p
`), "two.yaml")
	if len(problems) > 0 || len(specs) != 2 {
		t.Fatalf("%d specs; %v", len(specs), problems)
	}
	if got := specs[1].Properties["two"].Description; got != "same" {
		t.Errorf("description %q", got)
	}
}

func TestDecodeRefusesWhatIsNotASpec(t *testing.T) {
	for _, c := range []struct{ name, yaml, want string }{
		{"nothing", "", "f: holds no endpoint"},
		{"only comments", "# nothing\n---\n", "f: holds no endpoint"},
		{"no YAML", "a: b: c", "f: not YAML: mapping values are not allowed in this context"},
		{"a list", "- a", "f: expected fields, got a list"},
		{"binary", "\x00\xff", "f: not YAML: control characters are not allowed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, problems := Decode([]byte(c.yaml), "f")
			if len(problems) == 0 || problems[0].String() != c.want {
				t.Errorf("got %v, want %s", problems, c.want)
			}
		})
	}
}

func TestAccessAdmits(t *testing.T) {
	for _, c := range []struct {
		access Access
		user   string
		want   bool
	}{
		{Access{Public: true}, "", true},
		{Access{Public: true}, "bob", true},
		{Access{Authenticated: true}, "", false},
		{Access{Authenticated: true}, "bob", true},
		{Access{Users: []string{"bob"}}, "bob", true},
		{Access{Users: []string{"bob"}}, "eve", false},
		{Access{Users: []string{"bob"}}, "", false},
		{Access{Users: []string{""}}, "", false},
	} {
		if got := c.access.Admits(c.user); got != c.want {
			t.Errorf("%+v admits %q: %v", c.access, c.user, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"packages", "samples", "broken"} {
		data, err := os.ReadFile(filepath.Join("testdata", name+".yaml"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		specs, problems := Decode(data, "fuzz.yaml")
		if len(problems) > 0 {
			return
		}
		for _, s := range specs {
			// A spec without problems can be probed and compiled.
			s.Probe()
			Compile(s, Described{Columns: []Column{{"id", 23, "int4"}}, Params: make([]uint32, len(s.query.params))})
		}
		Conflicts(specs)
	})
}
