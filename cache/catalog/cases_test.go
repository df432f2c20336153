package catalog

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"slashbatch/cache"
)

var usual = cache.Retention{Grace: 24 * time.Hour, Results: 168 * time.Hour, Runs: 168 * time.Hour}

// I-01: a name leads to a result that has its row and, as far as the catalogue knows, its
// file, or to nothing: not to a result whose file is missing, nor to one that was purged.
func TestI01NamesLeadToFiles(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	if err := c.Mint(ctx, alias("a", e.Result, "t")); err != nil {
		t.Fatal(err)
	}
	if err := c.Missing(ctx, e.File.Object); err != nil {
		t.Fatal(err)
	}
	for what, look := range map[string]func() (cache.Entry, error){
		"request": func() (cache.Entry, error) { return c.ByKey(ctx, "k") },
		"alias":   func() (cache.Entry, error) { return c.ByAlias(ctx, "a") },
		"job":     func() (cache.Entry, error) { return c.ByJob(ctx, "j") },
	} {
		if got, err := look(); !errors.Is(err, cache.ErrNotFound) {
			t.Errorf("by %s: %+v, %v; want ErrNotFound", what, got, err)
		}
	}
	// The same rows again, for another request: both names work once more.
	publish(t, c, content("j2", "k2", cache.OwnerShared, "rows"))
	if _, err := c.ByAlias(ctx, "a"); err != nil {
		t.Errorf("the alias, once the file is there again: %v", err)
	}
	// Nor can a row be taken away from under a name.
	if err := c.exec(ctx, "delete", `DELETE FROM slashbatch.result WHERE id = $1`, e.Result); err == nil {
		t.Error("a result was deleted from under its names")
	}
}

// I-13, R-090: a publication whose answer was lost is repeated without harm, also after others
// have published.
func TestI13RepeatedPublication(t *testing.T) {
	c, ctx := open(t), t.Context()
	p := content("j", "k", cache.OwnerShared, "rows")
	first, _ := publish(t, c, p)
	publish(t, c, content("j2", "k2", cache.OwnerShared, "others"))
	for range 3 {
		if e, kept, err := c.Publish(ctx, p); err != nil || !kept || e.Result != first.Result {
			t.Errorf("%+v, kept %v, %v", e, kept, err)
		}
	}
	if count(t, c, "result") != 2 || count(t, c, "run") != 2 || count(t, c, "removal") != 0 {
		t.Error("repeating it has left something")
	}
}

// an object that is the file of other rows is not taken for these; nothing of the
// publication is left.
func TestR014ObjectInUse(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	p := content("j2", "k2", cache.OwnerShared, "others")
	p.File.Object = e.File.Object
	if _, _, err := c.Publish(ctx, p); err == nil || errors.Is(err, cache.ErrNotFound) {
		t.Errorf("%v, want an error", err)
	}
	if _, err := c.ByKey(ctx, "k2"); !errors.Is(err, cache.ErrNotFound) || count(t, c, "result") != 1 {
		t.Errorf("%v, and %d results", err, count(t, c, "result"))
	}
}

// with its last name the result goes, and its file; after the grace, in which a new
// name would keep it.
func TestR036LastName(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	if err := c.Mint(ctx, alias("a", e.Result, "t")); err != nil {
		t.Fatal(err)
	}
	change(t, c, `DELETE FROM slashbatch.request`)
	if err := c.DropAlias(ctx, "a", sha256.Sum256([]byte("t"))); err != nil {
		t.Fatal(err)
	}
	evict(t, c, usual)
	if count(t, c, "result") != 1 {
		t.Fatal("it went at once")
	}
	change(t, c, `UPDATE slashbatch.result SET accessed = now() - interval '25 hours'`)
	change(t, c, `UPDATE slashbatch.variant SET accessed = now() - interval '25 hours'`)
	evict(t, c, usual)
	if count(t, c, "result") != 0 || count(t, c, "removal WHERE object = '"+e.File.Object+"'") != 1 {
		t.Errorf("%d results, %d removals", count(t, c, "result"), count(t, c, "removal"))
	}
}

// names as long as they may be work; a longer one is refused whole.
func TestR065LongKeys(t *testing.T) {
	c, ctx := open(t), t.Context()
	long := strings.Repeat("k", 200)
	publish(t, c, content("j", long, cache.OwnerShared, "rows"))
	if _, err := c.ByKey(ctx, long); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Publish(ctx, content("j2", long+"k", cache.OwnerShared, "others")); err == nil || count(t, c, "result") != 1 {
		t.Errorf("%v, and %d results", err, count(t, c, "result"))
	}
}

// further files go, and are made again; the csv is untouched.
func TestR067FurtherFilesAgain(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	form := cache.Form{Format: "parquet"}
	for i := range 2 {
		object := fmt.Sprint("parquet", i)
		if _, kept, err := c.PublishVariant(ctx, e.Result, form, cache.File{Object: object, SHA256: digestOf("p")}); err != nil || !kept {
			t.Fatalf("%s: kept %v, %v", object, kept, err)
		}
		change(t, c, `UPDATE slashbatch.variant SET accessed = now() - interval '8 days' WHERE format = 'parquet'`)
		evict(t, c, usual)
		if _, err := c.Variant(ctx, e.Result, form); !errors.Is(err, cache.ErrNotFound) {
			t.Fatalf("%s: %v, want ErrNotFound", object, err)
		}
	}
	if got, err := c.ByKey(ctx, "k"); err != nil || got.File.Object != e.File.Object {
		t.Errorf("%+v, %v", got, err)
	}
}

// a result that nobody ever read goes when its time has passed.
func TestR118NeverRead(t *testing.T) {
	c := open(t)
	publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	for _, table := range []string{"result", "request", "variant"} {
		change(t, c, "UPDATE slashbatch."+table+" SET accessed = now() - interval '8 days'")
	}
	evict(t, c, usual)
	if count(t, c, "result") != 0 || count(t, c, "request") != 0 {
		t.Errorf("%d results, %d requests", count(t, c, "result"), count(t, c, "request"))
	}
}
