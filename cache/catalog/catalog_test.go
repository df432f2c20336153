package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/pgtest"

	"github.com/google/go-cmp/cmp"
)

func open(t *testing.T) *Catalog {
	t.Helper()
	c, err := Open(pgtest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	// Several processes start at once; each migration is applied once.
	var wg sync.WaitGroup
	var mu sync.Mutex
	applied := 0
	for range 3 {
		wg.Go(func() {
			done, err := c.Migrate(t.Context())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			applied += len(done)
			mu.Unlock()
		})
	}
	wg.Wait()
	all, err := fs.Glob(files, "migrations/*.sql")
	if err != nil || applied != len(all) {
		t.Fatalf("%d migrations applied by three processes, want %d (%v)", applied, len(all), err)
	}
	id, _, err := c.StoreByURL(t.Context(), "file:///one")
	if err != nil {
		t.Fatal(err)
	}
	c.Use(id)
	return c
}

var submitted = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// digestOf is some SHA-256.
func digestOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func publication(job, claim, key string, at time.Time) cache.Publication {
	return cache.Publication{
		Key: key, Endpoint: "packages", User: "alice", Owner: "shared",
		Job: job, Claim: claim, Submitted: at, SpecDigest: "d", Generated: time.Now().Truncate(time.Millisecond).UTC(),
		MaxAge: time.Hour, MinFresh: 10 * time.Minute,
		File: cache.File{
			Object: "results/" + job + "." + claim, Stored: 10, Rows: 2, Bytes: 20,
			SHA256: digestOf(job + claim), ContentType: "text/csv", FileName: "x.csv",
			Columns: []cache.Column{{Name: "id", OID: 20}}, Blocks: []cache.Block{{Offset: 10, Plain: 0}, {Offset: 50, Plain: 10}},
		},
	}
}

func TestPublish(t *testing.T) {
	c, ctx := open(t), t.Context()
	if _, err := c.ByKey(ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
		t.Fatalf("a key never seen: %v, want ErrNotFound", err)
	}
	p := publication("j1", "c1", "k", submitted)
	made, won, err := c.Publish(ctx, p)
	if err != nil || !won {
		t.Fatalf("won %v, error %v", won, err)
	}
	e, err := c.ByKey(ctx, "k")
	if err != nil || !e.Valid || e.Job != "j1" || e.Result != made.Result {
		t.Fatalf("entry %+v, error %v", e, err)
	}
	if d := e.Expires.Sub(p.Generated); d != time.Hour {
		t.Errorf("expires %v after its rows were read, want 1h", d)
	}
	columns, err := c.Columns(ctx, e.Result)
	if err != nil {
		t.Fatal(err)
	}
	blocks, err := c.Blocks(ctx, e.Result, cache.FormCSV)
	if err != nil || !cmp.Equal(columns, p.File.Columns) || !cmp.Equal(blocks, p.File.Blocks) {
		t.Errorf("details %v %v, error %v", columns, blocks, err)
	}

	t.Run("repeated after a lost answer", func(t *testing.T) {
		again, won, err := c.Publish(ctx, p)
		if err != nil || !won || again.Result != made.Result {
			t.Errorf("result %d, won %v, error %v", again.Result, won, err)
		}
	})
	t.Run("a second claim of the job loses", func(t *testing.T) {
		e, won, err := c.Publish(ctx, publication("j1", "c2", "k", submitted))
		if err != nil || won || e.File.Object != p.File.Object || e.Claim != "c1" {
			t.Errorf("object %s, won %v, error %v", e.File.Object, won, err)
		}
	})
	t.Run("an earlier submitted job does not replace a later one's", func(t *testing.T) {
		if _, won, err := c.Publish(ctx, publication("j0", "c0", "k", submitted.Add(-time.Second))); err != nil || !won {
			t.Fatalf("won %v, error %v", won, err)
		}
		if e, err := c.ByKey(ctx, "k"); err != nil || e.Job != "j1" {
			t.Errorf("the key is answered by %s, error %v; want j1", e.Job, err)
		}
		if e, err := c.ByJob(ctx, "j0"); err != nil || e.Valid {
			t.Errorf("j0's own entry: %+v, error %v", e, err)
		}
	})
	t.Run("a later submitted job replaces it", func(t *testing.T) {
		if _, _, err := c.Publish(ctx, publication("j2", "c3", "k", submitted.Add(time.Second))); err != nil {
			t.Fatal(err)
		}
		if e, err := c.ByKey(ctx, "k"); err != nil || e.Job != "j2" {
			t.Errorf("the key is answered by %s, error %v; want j2", e.Job, err)
		}
	})
	t.Run("an expired one is replaced by any", func(t *testing.T) {
		old := publication("j3", "c4", "expired", submitted.Add(time.Hour))
		old.Generated, old.MinFresh = time.Now().Add(-2*time.Hour), 0
		for _, p := range []cache.Publication{old, publication("j4", "c5", "expired", submitted)} {
			if _, _, err := c.Publish(ctx, p); err != nil {
				t.Fatal(err)
			}
		}
		if e, err := c.ByKey(ctx, "expired"); err != nil || e.Job != "j4" || !e.Valid {
			t.Errorf("the key is answered by %s, valid %v, error %v; want j4", e.Job, e.Valid, err)
		}
	})
	t.Run("a file that is missing answers nothing, until it is made again", func(t *testing.T) {
		e, err := c.ByKey(ctx, "k")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Missing(ctx, e.File.Object); err != nil {
			t.Fatal(err)
		}
		if _, err := c.ByKey(ctx, "k"); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("missing: %v, want ErrNotFound", err)
		}
		again := publication("j9", "c9", "k", submitted) // submitted before, but there is nothing better
		again.File.SHA256 = digestOf("j2c3")
		if _, kept, err := c.Publish(ctx, again); err != nil || !kept {
			t.Errorf("kept %v, error %v", kept, err)
		}
		if now, err := c.ByKey(ctx, "k"); err != nil || now.Result != e.Result || now.File.Object != again.File.Object {
			t.Errorf("now %+v, error %v; want the same result in the new file", now, err)
		}
	})
}

// A job whose file has gone since it published can publish again, by any claim.
func TestPublishAfterLoss(t *testing.T) {
	c, ctx := open(t), t.Context()
	p := publication("j1", "c1", "k", submitted)
	if _, _, err := c.Publish(ctx, p); err != nil {
		t.Fatal(err)
	}
	if err := c.Missing(ctx, p.File.Object); err != nil {
		t.Fatal(err)
	}
	again := publication("j1", "c2", "k", submitted) // of other rows
	if e, kept, err := c.Publish(ctx, again); err != nil || !kept || e.Claim != "c2" {
		t.Errorf("%+v, kept %v, %v", e, kept, err)
	}
	if e, err := c.ByKey(ctx, "k"); err != nil || e.File.Object != again.File.Object {
		t.Errorf("%+v, %v", e, err)
	}
}

func TestValidity(t *testing.T) {
	c, ctx := open(t), t.Context()
	for _, tt := range []struct {
		name             string
		generated        time.Duration
		maxAge, minFresh time.Duration
		valid            bool
	}{
		{"fresh", 0, time.Hour, 0, true},
		{"rows read long ago", -2 * time.Hour, time.Hour, 0, false},
		{"rows read long ago, but just published", -2 * time.Hour, time.Hour, 10 * time.Minute, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := publication("j-"+tt.name, "c", tt.name, submitted)
			p.Generated, p.MaxAge, p.MinFresh = time.Now().Add(tt.generated), tt.maxAge, tt.minFresh
			if _, _, err := c.Publish(ctx, p); err != nil {
				t.Fatal(err)
			}
			if e, err := c.ByKey(ctx, tt.name); err != nil || e.Valid != tt.valid {
				t.Errorf("valid %v, error %v; want %v", e.Valid, err, tt.valid)
			}
		})
	}
}

// However many claims of one job publish at once, one wins and all agree who.
func TestPublishRace(t *testing.T) {
	c := open(t)
	for round := range 20 {
		job := fmt.Sprint("job", round)
		var wg sync.WaitGroup
		var mu sync.Mutex
		wins, objects := 0, map[string]bool{}
		for i := range 6 {
			wg.Go(func() {
				e, won, err := c.Publish(context.Background(), publication(job, fmt.Sprint("c", i), "key", submitted.Add(time.Duration(round)*time.Second)))
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				objects[e.File.Object] = true
				if won {
					wins++
				}
			})
		}
		wg.Wait()
		if wins != 1 || len(objects) != 1 {
			t.Fatalf("%d winners and %d objects, want 1 and 1", wins, len(objects))
		}
	}
}

func TestUnavailable(t *testing.T) {
	c, err := Open("postgres://nobody:secret@127.0.0.1:1/none")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, looked := c.ByKey(t.Context(), "k")
	_, migrated := c.Migrate(t.Context())
	for _, err := range []error{looked, migrated} {
		if !errors.Is(err, cache.ErrUnavailable) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want ErrUnavailable without the password", err)
		}
	}
}
