package cli

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/pgtest"
)

// stored is a catalogue with results in a folder, and the commands over them.
type stored struct {
	*catalog.Catalog
	t        *testing.T
	database string
	store    cache.Store
	from, to string // folders
}

func newStored(t *testing.T, results int) *stored {
	t.Helper()
	s := &stored{t: t, database: pgtest.New(t), from: filepath.Join(t.TempDir(), "from"), to: filepath.Join(t.TempDir(), "to")}
	var err error
	if s.Catalog, err = catalog.Open(s.database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Catalog.Close)
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	folder, err := filestore.Open(s.from)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	s.store = folder
	registered, err := upkeep.Register(t.Context(), s, folder, "file://"+s.from)
	if err != nil {
		t.Fatal(err)
	}
	s.Use(registered.ID)
	for i := range results {
		s.publish(fmt.Sprint("k", i))
	}
	return s
}

func (s *stored) publish(key string) {
	s.t.Helper()
	rows := "key\n" + key + "\n"
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = io.WriteString(w, rows)
	_ = w.Close()
	sum := sha256.Sum256([]byte(rows))
	f := cache.File{
		Object: "results/" + key + ".csv.gz", Stored: int64(packed.Len()), Rows: 1, Bytes: int64(len(rows)), SHA256: hex.EncodeToString(sum[:]),
		ContentType: "text/csv", FileName: "x.csv",
	}
	object, err := s.store.Create(s.t.Context(), f.Object, cache.ObjectOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	_, _ = object.Write(packed.Bytes())
	if _, err := object.Commit(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	if _, _, err := s.Publish(s.t.Context(), cache.Publication{
		Key: key, Owner: cache.OwnerShared, Job: key, Claim: "c", Submitted: time.Now(), Generated: time.Now(), MaxAge: time.Hour, File: f,
	}); err != nil {
		s.t.Fatal(err)
	}
}

// run runs a command with the folder that cache.url names.
func (s *stored) run(used string, code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	config := fmt.Sprintf("catalog: {url: %q}\ndataSources: {default: {url: %q}}\ncache: {url: %q}\n", s.database, s.database, "file://"+used)
	got, stdout, stderr := runIn(s.t, map[string]string{"config.yaml": config}, nil, args...)
	if got != code {
		s.t.Errorf("%v: exit code %d, want %d\n%s%s", args, got, code, stdout, stderr)
	}
	return stdout, stderr
}

// says runs a command and wants something in what it prints, wherever.
func (s *stored) says(want, used string, code int, args ...string) {
	s.t.Helper()
	if stdout, stderr := s.run(used, code, args...); !strings.Contains(stdout+stderr, want) {
		s.t.Errorf("%v says\n%s%s, want %q", args, stdout, stderr, want)
	}
}

func TestStoreMoves(t *testing.T) {
	s := newStored(t, 4)
	copying := []string{"store", "copy", "-from", "file://" + s.from, "-to", "file://" + s.to}
	s.says("copied 4 files, ", s.from, 0, copying...)
	s.says("4 files are whole, ", s.from, 0, "store", "verify")
	s.says("4 files are whole, ", s.from, 0, "store", "verify", "-store", "file://"+s.to)
	s.says("copied 0 files", s.from, 0, copying...)

	s.publish("lost")
	if err := s.store.Delete(t.Context(), "results/lost.csv.gz"); err != nil {
		t.Fatal(err)
	}
	s.says("missing: results/lost.csv.gz", s.from, 1, "store", "verify")
	s.says("failed: results/lost.csv.gz: source: ", s.from, 1, copying...)
	s.says("1 files could not be copied", s.from, 1, copying...)
	s.says("1 files are gone from the source", s.from, 0, append(copying, "--skip-missing")...)
	s.says("4 files are whole", s.from, 0, "store", "verify")

	s.says("this is the store of cache.url", s.from, 1, "store", "retire", "file://"+s.from)
	s.publish("late")
	s.says("1 files are in the store file://"+s.from+" and in no other", s.to, 1, "store", "retire", "file://"+s.from)
	s.says("copied 1 files", s.to, 0, copying...)
	if err := os.Remove(filepath.Join(s.to, "results", "k2.csv.gz")); err != nil {
		t.Fatal(err)
	}
	s.says("1 files stay in the store file://"+s.from, s.to, 1, "store", "retire", "file://"+s.from)
	s.says("missing: results/k2.csv.gz", s.to, 1, "store", "verify", "-mark-missing")
	s.says("copied 1 files", s.to, 0, copying...)
	s.says("the store is retired", s.to, 0, "store", "retire", "file://"+s.from)
	s.says("5 files are whole", s.to, 0, "store", "verify")
	left, err := os.ReadDir(s.from)
	for _, entry := range left {
		if entry.Name() != ".tmp," {
			t.Errorf("left in the old folder: %s, %v", entry.Name(), err)
		}
	}
	s.says("knows no store file://"+s.from, s.to, 1, "store", "retire", "file://"+s.from)
}

// For scripts everything is one document a line, and the last one says how it ended.
func TestStoreJSON(t *testing.T) {
	s := newStored(t, 3)
	if err := s.store.Delete(t.Context(), "results/k1.csv.gz"); err != nil {
		t.Fatal(err)
	}
	documents := func(text string) (all []map[string]any) {
		t.Helper()
		for line := range strings.Lines(text) {
			var d map[string]any
			if err := json.Unmarshal([]byte(line), &d); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			all = append(all, d)
		}
		return all
	}
	stdout, _ := s.run(s.from, 1, "store", "copy", "-from", "file://"+s.from, "-to", "file://"+s.to, "-json")
	all := documents(stdout)
	end, before := all[len(all)-1], all[len(all)-2]
	if end["event"] != "end" || end["copied"] != 2.0 || end["failed"] != 1.0 || end["error"] == nil {
		t.Errorf("it ended with %v", end)
	}
	if before["event"] != "progress" || before["files"] != 2.0 || before["ofFiles"] != 3.0 || before["bytes"].(float64) <= 0 {
		t.Errorf("before that it said %v", before)
	}
	stdout, _ = s.run(s.from, 1, "store", "verify", "-json")
	all = documents(stdout)
	found := false
	for _, d := range all {
		found = found || d["event"] == "finding" && d["kind"] == "missing" && d["object"] == "results/k1.csv.gz"
	}
	if end := all[len(all)-1]; !found || end["missing"] != 1.0 || end["files"] != 2.0 {
		t.Errorf("verify says\n%s", stdout)
	}
	stdout, _ = s.run(s.from, 1, "store", "verify", "-json", "-mark-missing")
	all = documents(stdout)
	if end := all[len(all)-1]; end["marked"] != 1.0 {
		t.Errorf("verify -mark-missing ends with %v", end)
	}
	s.run(s.from, 0, "store", "verify")
}

// What is wrong with a command or with its stores is told, and nothing is made.
func TestStoreMistakes(t *testing.T) {
	s := newStored(t, 1)
	for _, tt := range []struct {
		code int
		want string
		args []string
	}{
		{2, "needs -from URL and -to URL", []string{"copy"}},
		{2, "at least 1", []string{"copy", "-from", "a", "-to", "b", "-n", "0"}},
		{2, "at least 1", []string{"verify", "-n", "-1"}},
		{2, "the URL of one store", []string{"retire"}},
		{2, `there is no command "store mend"`, []string{"mend"}},
		{1, "source: there is no folder " + s.from + "x", []string{"copy", "-from", "file://" + s.from + "x", "-to", "file://" + s.to}},
		{1, "source: the catalogue knows no store file://" + t.TempDir()[:4], []string{"copy", "-from", "file://" + t.TempDir(), "-to", "file://" + s.to}},
		{1, "; it knows ", []string{"copy", "-from", "file://" + t.TempDir(), "-to", "file://" + s.to}},
		{1, "source and target are one store", []string{"copy", "-from", "file://" + s.from, "-to", "file://" + s.from}},
		{1, `target: has the scheme "ftp"`, []string{"copy", "-from", "file://" + s.from, "-to", "ftp://x"}},
		{1, "target: ", []string{"copy", "-from", "file://" + s.from, "-to", "s3://bucket?region=x&endpoint=http://127.0.0.1:1"}},
	} {
		s.says(tt.want, s.from, tt.code, append([]string{"store"}, tt.args...)...)
	}
	for _, made := range []string{s.from + "x", s.to} {
		if _, err := os.Stat(made); err == nil {
			t.Errorf("%s was made", made)
		}
	}
	if err := s.store.Delete(t.Context(), cache.MarkerObject); err != nil {
		t.Fatal(err)
	}
	s.says("has no marker", s.from, 1, "store", "verify")
	s.says("has no marker", s.from, 1, "store", "copy", "-from", "file://"+s.from, "-to", "file://"+s.to)
	s.says("bears its marker again", s.from, 0, "store", "verify", "-restore-marker")
	s.says("1 files are whole", s.from, 0, "store", "verify")
}
