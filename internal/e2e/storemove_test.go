package e2e

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"slashbatch/internal/testenv"
)

// configured writes the fleet's configuration once more, with other stores.
func (f *fleet) configured(t *testing.T, name, cache string) string {
	t.Helper()
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	changed := regexp.MustCompile(`(?m)^cache: .*$`).ReplaceAllLiteralString(string(text), "cache: "+cache)
	path := filepath.Join(filepath.Dir(f.config), name)
	write(t, path, changed)
	return path
}

// storeURL is the URL of the fleet's own store.
func (f *fleet) storeURL(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^cache: \{url: "(.*)"\}$`).FindSubmatch(text)
	if found == nil {
		t.Fatal("the configuration has no cache.url")
	}
	return string(found[1])
}

// served wants every file of a list to be served, whole.
func (f *fleet) served(t *testing.T, server *process, list []wanted) {
	t.Helper()
	for _, w := range list {
		code, body, err := f.file(server, w)
		if fault := whole(w.group, body); err != nil || code != http.StatusOK || fault != "" {
			t.Errorf("%s serves the file of %s: %d %v %s", server.name, w.path, code, err, fault)
		}
	}
}

func command(t *testing.T, config string, args ...string) string {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program, append(args, "-c", config)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// A service moves from a folder to a bucket: it reads from both while the files are
// copied, then from the bucket alone, then the folder is retired. Nothing is computed
// again, and every file is served all the time, even with the new store out of reach.
func TestStoreMoveWhileServing(t *testing.T) {
	f := newFleetOf(t, small(""))
	folder, bucket := "file://"+filepath.Join(t.TempDir(), "results"), f.storeURL(t)
	old := f.configured(t, "old.yaml", `{url: "`+folder+`"}`)
	both := f.configured(t, "both.yaml", `{url: "`+bucket+`", readFrom: ["`+folder+`"]}`)
	list := f.wants("items", 0)
	for i := range 9 {
		w := f.wants("group", 9)[i]
		w.path = strings.Replace(w.path, "/batch", "/item/batch", 1)
		list = append(list, w)
	}

	server, worker := start(t, "server on the folder", old, "serve"), start(t, "worker on the folder", old, "worker")
	f.ask(t, server, list[:6])
	f.settled(t, time.Minute, server, list[:6])
	_ = worker.Process.Signal(os.Interrupt)
	<-worker.ended

	second := start(t, "server on both", both, "serve")
	start(t, "worker on both", both, "worker")
	f.served(t, second, list[:6])
	f.ask(t, second, list[6:])
	f.settled(t, time.Minute, second, list)

	away := launch(t, "server with the bucket out of reach", f.configured(t, "away.yaml", `{url: "s3://bucket?region=x&endpoint=http://127.0.0.1:1", readFrom: ["`+folder+`"]}`), "serve")
	eventually(t, time.Minute, "it serves what is in the folder", func() bool {
		code, body, err := f.file(away, list[0])
		return err == nil && code == http.StatusOK && whole(list[0].group, body) == ""
	})

	said := command(t, both, "store", "copy", "-from", folder, "-to", bucket)
	if !strings.Contains(said, "copied 6 files") {
		t.Errorf("store copy says %s", said)
	}
	f.served(t, second, list)
	third := start(t, "server on the bucket", f.config, "serve")
	f.served(t, third, list)
	command(t, f.config, "store", "retire", folder)
	f.served(t, third, list)
	f.served(t, second, list)
	said = command(t, f.config, "store", "verify")
	if !strings.Contains(said, "9 files are whole") {
		t.Errorf("store verify says %s", said)
	}
	results, jobs := f.count(t, "result"), f.jobs(t)
	testenv.Report(t, "store move while serving: %d results, %d jobs, copied and retired, every file served throughout", results, jobs)
	if results != 9 || jobs != 9 {
		t.Errorf("%d results of %d jobs, want 9 of each", results, jobs)
	}
}
