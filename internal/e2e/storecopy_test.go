package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	mathrand "math/rand/v2"
	"net/url"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/cache/filestore"
	"slashbatch/cache/s3store"
	"slashbatch/cache/upkeep"
	"slashbatch/internal/pgtest"
	"slashbatch/internal/testenv"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// moving is a catalogue of results in a folder, which are copied to a bucket.
type moving struct {
	*testing.T
	*catalog.Catalog
	config         string
	source, target upkeep.Store
	from, to       string // their URLs, for the command
	results        int
	bytes          int64
}

func newMoving(t *testing.T, results int) *moving {
	t.Helper()
	m := &moving{T: t, results: results, config: filepath.Join(t.TempDir(), "config.yaml")}
	database := pgtest.New(t)
	var err error
	if m.Catalog, err = catalog.Open(database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Catalog.Close)
	if _, err := m.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	m.from = "file://" + dir
	folder, err := filestore.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { folder.Close() })
	u, err := url.Parse(testenv.S3(t))
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/copy-" + uuid.NewString()
	m.to = u.String()
	bucket, err := s3store.OpenURL(t.Context(), u, s3store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.source = upkeep.Store{Store: folder, ID: m.register(folder, m.from), URL: m.from}
	// As the command names it: without options, but for the service.
	named := "s3://" + u.Host + u.Path + "?" + url.Values{"endpoint": {u.Query().Get("endpoint")}}.Encode()
	m.target = upkeep.Store{Store: bucket, ID: m.register(bucket, named), URL: named}
	write(t, m.config, fmt.Sprintf("catalog: {url: %q}\ndataSources: {default: {url: %q}}\ncache: {url: %q, readFrom: [%q]}\n", database, database, m.to, m.from))
	m.Use(m.source.ID)
	var wg sync.WaitGroup
	var next atomic.Int64
	for range 4 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < results; i = int(next.Add(1)) - 1 {
				m.publish(i)
			}
		})
	}
	wg.Wait()
	return m
}

func (m *moving) register(s cache.Store, url string) int64 {
	m.Helper()
	r, err := upkeep.Register(m.Context(), m, s, url)
	if err != nil || !r.Marked {
		m.Fatal(r, err)
	}
	return r.ID
}

// publish makes a result of up to 100 KB, or one of 12 MB now and then, which needs an
// upload of several parts.
func (m *moving) publish(i int) {
	size := 1000 + mathrand.IntN(100_000)
	if i%100 == 50 {
		size = 12 << 20
	}
	rows := make([]byte, size)
	_, _ = rand.Read(rows) // which never fails
	copy(rows, fmt.Sprintf("id\n%d\n", i))
	var packed bytes.Buffer
	w, _ := gzip.NewWriterLevel(&packed, gzip.BestSpeed)
	_, _ = w.Write(rows)
	_ = w.Close()
	sum := sha256.Sum256(rows)
	key := fmt.Sprint("k", i)
	f := cache.File{
		Object: fmt.Sprintf("results/%02x/%s.c.csv.gz", sum[0], key), Stored: int64(packed.Len()), Rows: 1, Bytes: int64(size),
		SHA256: hex.EncodeToString(sum[:]), ContentType: "text/csv", FileName: "x.csv",
	}
	atomic.AddInt64(&m.bytes, f.Stored)
	object, err := m.source.Create(m.Context(), f.Object, cache.ObjectOptions{})
	if err == nil {
		if _, err = object.Write(packed.Bytes()); err == nil {
			_, err = object.Commit(m.Context())
		}
	}
	if err == nil {
		_, _, err = m.Publish(m.Context(), cache.Publication{
			Key: key, Owner: cache.OwnerShared, Job: key, Claim: "c", Submitted: time.Now(), Generated: time.Now(), MaxAge: time.Hour, File: f,
		})
	}
	if err != nil {
		m.Error(err)
	}
}

// copied is how many files are in the target.
func (m *moving) copied() int {
	m.Helper()
	n, _, err := m.Held(m.Context(), m.target.ID)
	if err != nil {
		m.Fatal(err)
	}
	return n
}

// start begins a copy.
func (m *moving) start() (*exec.Cmd, *bytes.Buffer, chan error) {
	m.Helper()
	program, err := build()
	if err != nil {
		m.Fatal(err)
	}
	var out bytes.Buffer
	c := exec.Command(program, "store", "copy", "-from", m.from, "-to", m.to, "-n", "4", "-json", "-c", m.config)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		m.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	m.Cleanup(func() { _ = c.Process.Kill() })
	return c, &out, ended
}

// read reads files at random through both stores, and compares what they hold with the
// catalogue, until ctx ends.
func (m *moving) read(ctx context.Context, files cache.Store, count *atomic.Int64) {
	for ctx.Err() == nil {
		key := fmt.Sprint("k", mathrand.IntN(m.results))
		e, err := m.ByKey(ctx, key)
		var body io.ReadCloser
		if err == nil {
			body, _, err = files.Open(ctx, e.File.Object, 0, -1)
		}
		var sum hash.Hash
		if err == nil {
			sum = sha256.New()
			var plain io.Reader
			if plain, err = gzip.NewReader(bufio.NewReader(body)); err == nil {
				_, err = io.Copy(sum, plain)
			}
			body.Close()
		}
		switch {
		case ctx.Err() != nil:
		case err != nil:
			m.Errorf("%s cannot be read: %v", key, err)
			return
		case hex.EncodeToString(sum.Sum(nil)) != e.File.SHA256:
			m.Errorf("%s holds something else", key)
			return
		default:
			count.Add(1)
		}
	}
}

// I-19: a copy from a folder to a bucket is killed ten times, wherever it is, and started
// again each time. In the end every file is in the bucket, whole, and nothing else is; the
// folder is as it was; and all the time every file could be read.
func TestStoreCopyKilled(t *testing.T) {
	results := 300
	if fullSize() {
		results = 2000
	}
	m := newMoving(t, results)
	m.Use(m.target.ID, m.source.ID)
	before := m.list(m.source)

	reading, stop := context.WithCancel(context.Background())
	defer stop()
	var read atomic.Int64
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() { m.read(reading, cache.Fallback(m.target.Store, m.source.Store), &read) })
	}
	began := time.Now()
	const kills = 10
	var at []int
	halfDone := 0
	for i := range kills {
		c, out, ended := m.start()
		// Somewhere in the next tenth of what is left, and a moment later.
		until := m.copied() + mathrand.IntN(1+(results-m.copied())/(kills-i+1))
		for m.copied() < until {
			select {
			case err := <-ended:
				t.Fatalf("it ended by itself: %v\n%s", err, out)
			case <-time.After(5 * time.Millisecond):
			}
		}
		time.Sleep(time.Duration(mathrand.IntN(300)) * time.Millisecond)
		_ = c.Process.Kill()
		if err := <-ended; err == nil {
			t.Fatalf("it had ended before it was killed:\n%s", out)
		}
		at = append(at, m.copied())
		halfDone += m.halfDone()
	}
	_, out, ended := m.start()
	if err := <-ended; err != nil {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	took := time.Since(began)
	stop()
	readers.Wait()
	var end struct {
		Event                         string
		Copied, Missing, Gone, Failed int
	}
	lines := bytes.Split(bytes.TrimSpace(out.Bytes()), []byte("\n"))
	if err := json.Unmarshal(lines[len(lines)-1], &end); err != nil || end.Event != "end" || end.Failed+end.Missing+end.Gone > 0 {
		t.Errorf("it ended with %+v, %v", end, err)
	}

	findings := 0
	report, err := upkeep.Verify(t.Context(), m, m.target, upkeep.VerifyOptions{Parallel: 4, Found: func(f upkeep.Finding) {
		if findings++; findings < 10 {
			t.Errorf("in the target: %+v", f)
		}
	}})
	if err != nil || !report.Clean() || report.Files != results || report.Bytes != m.bytes {
		t.Errorf("the target: %+v, %v; want %d files, %d bytes", report, err, results, m.bytes)
	}
	if diff := cmp.Diff(before, m.list(m.source)); diff != "" {
		t.Errorf("the source has changed (-before +after):\n%s", diff)
	}
	if n, _, err := m.Held(t.Context(), m.source.ID); err != nil || n != results {
		t.Errorf("the source has %d files, %v", n, err)
	}
	if n := m.halfDone(); n > 0 {
		t.Errorf("%d copies are left half done", n)
	}
	uploads, err := upkeep.SweepTemps(t.Context(), m, []upkeep.Store{m.target}, -time.Hour)
	if err != nil {
		t.Error(err)
	}
	testenv.Report(t, "store copy: %d files, %.0f MB from a folder to S3, killed -9 %d times (after %v files; %d of them half done), took %.0f s: %d verified, %d findings, source untouched, %d unfinished uploads swept, %d reads meanwhile",
		results, float64(m.bytes)/1e6, kills, at, halfDone, took.Seconds(), report.Files, findings, uploads, read.Load())
	if halfDone == 0 || read.Load() == 0 {
		t.Error("no kill hit a file half done, or nothing was read; the run shows nothing")
	}
}

// halfDone counts the files that are being copied.
func (m *moving) halfDone() int {
	m.Helper()
	n := 0
	for after := ""; ; {
		page, err := m.Locations(m.Context(), m.target.ID, "results/", after, 1000)
		if err != nil {
			m.Fatal(err)
		}
		if len(page) == 0 {
			return n
		}
		for _, f := range page {
			if after = f.Object; !f.Live {
				n++
			}
		}
	}
}

// list is everything that a store lists.
func (m *moving) list(s upkeep.Store) (all []cache.Object) {
	m.Helper()
	for o, err := range s.List(m.Context(), "") {
		if err != nil {
			m.Fatal(err)
		}
		all = append(all, o)
	}
	return all
}
