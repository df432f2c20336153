package catalog

import (
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"slashbatch/cache"
)

func alias(name string, result int64, token string) cache.Alias {
	return cache.Alias{
		Name: name, Result: result, Token: sha256.Sum256([]byte(token)), Owner: "alice", FileName: "x.csv",
		Generated: submitted, TTL: time.Hour,
	}
}

// I-01: an alias comes with its token in one step, never replaces
// another, and never leads to nothing.
func TestR030Mint(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	if err := c.Mint(ctx, alias("a", e.Result, "t")); err != nil {
		t.Fatal(err)
	}
	got, err := c.ByAlias(ctx, "a")
	if err != nil || got.Result != e.Result || got.Key != "" || got.File.FileName != "x.csv" || !got.Valid || !got.Generated.Equal(submitted) {
		t.Errorf("%+v, %v", got, err)
	}
	other, _ := publish(t, c, content("j2", "k2", cache.OwnerShared, "others"))
	if err := c.Mint(ctx, alias("a", other.Result, "u")); err == nil {
		t.Error("a name that is taken was given away")
	}
	if got, err := c.ByAlias(ctx, "a"); err != nil || got.Result != e.Result {
		t.Errorf("%+v, %v; want the first", got, err)
	}
	if err := c.Mint(ctx, alias("b", e.Result+1000, "t")); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("a name of nothing: %v, want ErrNotFound", err)
	}
}

// I-07: only the token drops an alias; a second time is a success.
func TestI07DropAlias(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	for _, name := range []string{"a", "b"} {
		if err := c.Mint(ctx, alias(name, e.Result, "token of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, wrong := range []string{"", "token of b", "token of a "} {
		if err := c.DropAlias(ctx, "a", sha256.Sum256([]byte(wrong))); !errors.Is(err, cache.ErrToken) {
			t.Errorf("token %q: %v, want ErrToken", wrong, err)
		}
	}
	if _, err := c.ByAlias(ctx, "a"); err != nil {
		t.Fatalf("a wrong token changed something: %v", err)
	}
	for range 2 {
		if err := c.DropAlias(ctx, "a", sha256.Sum256([]byte("token of a"))); err != nil {
			t.Errorf("drop: %v", err)
		}
	}
	if _, err := c.ByAlias(ctx, "a"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("dropped: %v, want ErrNotFound", err)
	}
	// I-06, R-035: the others live.
	if _, err := c.ByAlias(ctx, "b"); err != nil {
		t.Errorf("the other alias: %v", err)
	}
	if _, err := c.ByKey(ctx, "k"); err != nil {
		t.Errorf("the request: %v", err)
	}
	var tokens int
	if err := c.pool.QueryRow(ctx, `SELECT count(*) FROM slashbatch.alias a WHERE a::text LIKE '%token of%'`).Scan(&tokens); err != nil || tokens != 0 {
		t.Errorf("%d aliases show their token, %v", tokens, err)
	}
}

// I-24: an alias that has expired leads nowhere, whether or not it was swept.
func TestI24ExpiredAlias(t *testing.T) {
	c, ctx := open(t), t.Context()
	e, _ := publish(t, c, content("j", "k", cache.OwnerShared, "rows"))
	if err := c.Mint(ctx, alias("a", e.Result, "t")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.pool.Exec(ctx, `UPDATE slashbatch.alias SET expires = now()`); err != nil {
		t.Fatal(err)
	}
	if _, err := c.ByAlias(ctx, "a"); !errors.Is(err, cache.ErrNotFound) {
		t.Errorf("%v, want ErrNotFound", err)
	}
}
