package e2e

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"slashbatch/demo/postgres"
	"slashbatch/internal/testenv"
)

// running is a demo: the root of its URLs, the URL of its database, the key of its user with
// SQL, and that of its customer of assets.
type running struct{ base, database, key, customer string }

// startDemo runs "slashbatch demo".
func startDemo(t *testing.T) (d running) {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	command := exec.Command(program, "demo", "-listen", "127.0.0.1:0")
	out := newLog()
	command.Stdout, command.Stderr = out, out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = command.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = command.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Error("the demo does not stop")
			_ = command.Process.Kill()
		}
		if !strings.Contains(out.tail(5), "everything the demo made is removed") {
			t.Errorf("the demo did not clean up:\n%s", out.tail(10))
		}
	})
	find := func(pattern string) string {
		if m := regexp.MustCompile(pattern).FindStringSubmatch(out.tail(40)); m != nil {
			return m[1]
		}
		return ""
	}
	eventually(t, time.Minute, "the demo prints its URLs", func() bool {
		select {
		case <-ended:
			if text := out.tail(20); strings.Contains(text, postgres.ErrNotInstalled.Error()) {
				testenv.Missing(t, "PostgreSQL's binaries")
			}
			t.Fatalf("the demo ended:\n%s", out.tail(20))
		default:
		}
		d = running{find(`rows now +(http://[^/]+)/`), find(`psql '([^']+)'`), find(`sql/job\?api_key=(\w+)`), find(`-u gallery:(\w+)`)}
		return d.base != "" && d.database != "" && d.key != "" && d.customer != ""
	})
	return d
}

// The demo's interactive URL gives rows; its batch URL leads over the status to
// a CSV that is byte for byte, line ends aside, what psql makes of the same
// query; and where it differs, in timestamps and booleans, it does so in the
// documented way only.
func TestDemo(t *testing.T) {
	d := startDemo(t)
	base, database := d.base, d.database

	response := fetch(t, base+"/stream/AB-01/package?min-mass=1000")
	var list struct{ Items []map[string]any }
	if err := json.Unmarshal(response, &list); err != nil || len(list.Items) != 100 {
		t.Fatalf("interactive answer: %d items, %v", len(list.Items), err)
	}

	t.Run("without timestamps and booleans", func(t *testing.T) {
		ours := export(t, base+"/package/batch?_view=compact&_sort=-mass")
		theirs := psql(t, database, `SELECT id, stream, mass FROM package ORDER BY mass DESC, id`)
		if got, want := bytes.Count(ours, []byte("\r\n")), bytes.Count(theirs, []byte("\n")); got != want {
			t.Errorf("%d lines, psql has %d", got, want)
		}
		got, want := sha256.Sum256(bytes.ReplaceAll(ours, []byte("\r\n"), []byte("\n"))), sha256.Sum256(theirs)
		testenv.Report(t, "demo: %d lines; SHA-256 ours %x, psql's %x", bytes.Count(theirs, []byte("\n")), got, want)
		if got != want {
			t.Error("the files differ")
		}
	})

	t.Run("what came of three batches", func(t *testing.T) {
		report := strings.Replace(base, "http://", "http://gallery:"+d.customer+"@", 1) + "/raw-resource/99/report/1234,5555,9999"
		var ids []string
		if err := json.Unmarshal(fetch(t, report), &ids); err != nil || len(ids) != 475 {
			t.Errorf("%d assets, %v", len(ids), err)
		}
		ours := bytes.ReplaceAll(fetch(t, report+"/batch?_wait=60"), []byte("\r\n"), []byte("\n"))
		theirs := psql(t, database, `SELECT id AS asset FROM slashbatch.asset a WHERE EXISTS (SELECT FROM slashbatch.batch_asset WHERE asset_id = a.id AND batch_id IN (1234, 5555, 9999)) ORDER BY number1, id`)
		if !bytes.Equal(ours, theirs) {
			t.Errorf("the export has %d bytes, psql's %d", len(ours), len(theirs))
		}
	})

	t.Run("with them", func(t *testing.T) {
		ours := parse(t, export(t, base+"/stream/AB-01/package/batch?_view=full&_sort=id"))
		theirs := parse(t, psql(t, database, `SELECT id, stream, label, mass, fragile, sent_at, note FROM package WHERE stream = 'AB-01' ORDER BY id`))
		if len(ours) != len(theirs) || len(ours) < 100_000 {
			t.Fatalf("%d records, psql has %d", len(ours), len(theirs))
		}
		differing := map[string]int{}
		for i := range ours {
			for c := range ours[i] {
				a, b := ours[i][c], theirs[i][c]
				if a == b {
					continue
				}
				name := theirs[0][c]
				differing[name]++
				switch name {
				case "fragile":
					b = map[string]string{"t": "true", "f": "false"}[b]
				case "sent_at":
					b = strings.Replace(strings.TrimSuffix(b, "+00"), " ", "T", 1) + "Z"
				}
				if a != b {
					t.Fatalf("record %d, %s: %q, psql has %q", i, name, a, theirs[i][c])
				}
			}
		}
		testenv.Report(t, "demo: %d records; columns that differ, in the documented forms only: %v", len(ours), differing)
		if len(differing) != 2 {
			t.Errorf("columns that differ: %v, want fragile and sent_at", differing)
		}
	})
}

// export asks for the batch URL as a browser does: it is sent to a status page
// that refreshes itself, and in the end downloads.
func export(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := noFollow.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusSeeOther {
		t.Fatalf("GET %s: %s, want 303", url, response.Status)
	}
	status := response.Header.Get("Location")
	page := page(t, status)
	if !strings.Contains(page, `http-equiv="refresh"`) && !strings.Contains(page, "Download") {
		t.Errorf("the status page neither refreshes nor offers the file:\n%s", page)
	}
	var document struct {
		Status, URL string
		Rows        int
	}
	eventually(t, time.Minute, "the export is complete", func() bool {
		if err := json.Unmarshal(fetch(t, status), &document); err != nil {
			t.Fatal(err)
		}
		if document.Status == "Failed" {
			t.Fatal("the export failed")
		}
		return document.Status == "Completed"
	})
	body := fetch(t, document.URL)
	if !bytes.Equal(fetchGzip(t, document.URL), body) {
		t.Error("the compressed download is another file")
	}
	if records := len(parse(t, body)) - 1; records != document.Rows {
		t.Errorf("the file has %d records, the status says %d", records, document.Rows)
	}
	return body
}

func fetch(t *testing.T, url string) []byte {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s %v\n%.500s", url, response.Status, err, body)
	}
	return body
}

// fetchGzip asks for the file as curl --compressed does, and like curl takes the
// end of the first gzip member for the end of the file.
func fetchGzip(t *testing.T, url string) []byte {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept-Encoding", "gzip")
	response, err := noFollow.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if encoding := response.Header.Get("Content-Encoding"); encoding != "gzip" {
		t.Fatalf("Content-Encoding %q", encoding)
	}
	z, err := gzip.NewReader(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	z.Multistream(false)
	body, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func page(t *testing.T, url string) string {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	response, err := noFollow.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		t.Fatalf("%s: %v %v", url, response.Header, err)
	}
	return string(body)
}

func parse(t *testing.T, text []byte) [][]string {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// psql runs \copy as a person would.
func psql(t *testing.T, database, query string) []byte {
	t.Helper()
	command := exec.Command("psql", "-X", database, "-c", fmt.Sprintf(`\copy (%s) to stdout csv header`, query))
	command.Env = append(os.Environ(), "PGTZ=UTC")
	out, err := command.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Fatalf("psql: %v\n%s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}
