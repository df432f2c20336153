package upkeep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"slashbatch/cache"
)

// Options of a Keeper.
type Options struct {
	Ledger Ledger
	// Stores are those that the process has open; asked at each chore.
	Stores func() []Store
	// Worker names the process.
	Worker string
	Log    *slog.Logger

	Retention cache.Retention
	// Longest is how long a query may take: what is older than that and the grace
	// belongs to nobody who still works on it.
	Longest time.Duration

	// How often what may go is looked for (default 1 min), what dead writers have left
	// (1 h), and stores and books are compared (24 h).
	TidyEvery, TempsEvery, WalkEvery time.Duration
}

// Keeper does the chores. Of several over one catalogue, in as many processes, one
// does a chore at a time.
type Keeper struct {
	Options
	chores []chore
	// blind: the log has been told that no store bears its marker.
	blind atomic.Bool
}

// chore is something that is to be done now and then. do returns what it has done in
// words, empty when that is nothing.
type chore struct {
	name         string
	every, first time.Duration
	do           func(ctx context.Context) (string, error)
	// inStores: it is about the stores, and left to others where none bears its marker.
	inStores bool
}

// NewKeeper returns a Keeper, which does nothing before Run.
func NewKeeper(o Options) *Keeper {
	k := &Keeper{Options: o}
	k.TidyEvery = cmp.Or(k.TidyEvery, time.Minute)
	k.TempsEvery = cmp.Or(k.TempsEvery, time.Hour)
	k.WalkEvery = cmp.Or(k.WalkEvery, 24*time.Hour)
	k.chores = []chore{
		{"tidy", k.TidyEvery, 0, k.tidy, false},
		{"temps", k.TempsEvery, 0, k.temps, true},
		// A fleet that is started anew has enough to do.
		{"walk", k.WalkEvery, k.WalkEvery/4 + rand.N(k.WalkEvery/2), k.walk, true}, //nolint:gosec // not a secret
	}
	return k
}

// OrphanAge is how old must be what nobody knows, before it is taken for a dead
// process' leavings.
func (k *Keeper) OrphanAge() time.Duration { return k.Retention.Grace + k.Longest }

// Run does the chores until ctx ends. What is being done then ends after its step.
func (k *Keeper) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, c := range k.chores {
		running.Go(func() { k.repeat(ctx, c) })
	}
	running.Wait()
}

// askMost is how long a chore that is due may wait for anybody to ask.
const askMost = 15 * time.Minute

func (k *Keeper) repeat(ctx context.Context, c chore) {
	often := c.every
	for {
		pause := min(often, askMost)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause/2 + rand.N(pause/2+1)): //nolint:gosec // not a secret
		}
		began := time.Now()
		k.once(ctx, c)
		// With very much to look at it takes a while, and is done less often.
		c.every = max(often, restFor*time.Since(began))
	}
}

// restFor is how much longer a chore rests than it takes.
const restFor = 20

// patience is how long the catalogue may take to hear of the end of a chore when the
// process ends, too.
const patience = 5 * time.Second

// once does a chore if it is due.
func (k *Keeper) once(ctx context.Context, c chore) {
	if c.inStores && !k.sighted(ctx, c) {
		return
	}
	due, err := k.Ledger.ClaimChore(ctx, c.name, k.Worker, c.every, c.first)
	if err != nil {
		k.complain(ctx, c, err)
		return
	}
	if !due {
		return
	}
	report, err := k.guarded(ctx, c)
	again := c.every
	switch {
	case ctx.Err() != nil:
		report, again = strings.TrimPrefix(report+"; interrupted", "; "), 0
	case err != nil:
		k.complain(ctx, c, err)
		report, again = strings.TrimPrefix(report+"; "+err.Error(), "; "), min(c.every, max(c.every/24, time.Minute))
	case report != "":
		k.Log.Info("upkeep", "chore", c.name, "done", report)
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	if err := k.Ledger.EndChore(ending, c.name, k.Worker, report, again); err != nil {
		k.complain(ctx, c, err)
	}
}

// sighted reports whether any store bears its marker. A process that sees none, because
// nothing is mounted where it runs, say, would claim a chore from those who can do it.
func (k *Keeper) sighted(ctx context.Context, c chore) bool {
	var wrong []error
	for _, s := range k.Stores() {
		err := ours(ctx, k.Ledger, s)
		if err == nil {
			k.blind.Store(false)
			return true
		}
		wrong = append(wrong, err)
	}
	if len(wrong) > 0 && !k.blind.Swap(true) {
		k.complain(ctx, c, errors.Join(wrong...))
	}
	return false
}

// complain logs what went wrong, unless that is only that the process ends.
func (k *Keeper) complain(ctx context.Context, c chore, err error) {
	if ctx.Err() == nil {
		k.Log.Warn("upkeep failed, and is tried again", "chore", c.name, "error", err)
	}
}

// guarded does a chore, and takes a panic for a failure of it: nothing that is served
// depends on it.
func (k *Keeper) guarded(ctx context.Context, c chore) (report string, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return c.do(ctx)
}

func (k *Keeper) tidy(ctx context.Context) (string, error) {
	freed, removed, err := Tidy(ctx, k.Ledger, k.Stores(), k.Retention)
	return said(freed, removed), err
}

func (k *Keeper) temps(ctx context.Context) (string, error) {
	n, err := SweepTemps(ctx, k.Ledger, k.Stores(), k.OrphanAge())
	if n == 0 {
		return "", err
	}
	return fmt.Sprint(n, " leavings of dead writers removed"), err
}

func (k *Keeper) walk(ctx context.Context) (string, error) {
	var reports []string
	var failed []error
	for _, s := range k.Stores() {
		r, err := Walk(ctx, k.Ledger, s, k.OrphanAge())
		if text := r.String(); text != "" {
			reports = append(reports, s.URL+": "+text)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	return strings.Join(reports, "; "), errors.Join(failed...)
}
