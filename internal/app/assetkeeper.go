package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// How often is looked after members that wait for too long, records that may go, and old
// events.
const (
	overdueEvery = 10 * time.Second
	pruneEvery   = time.Hour
	eventsEvery  = time.Hour
)

// eventAge is how long events are told to who has not heard them.
const eventAge = 30 * 24 * time.Hour

// keepAssets does what is to be done about batches without anybody asking, until ctx ends.
func (a *App) keepAssets(ctx context.Context) {
	var running sync.WaitGroup
	for _, c := range []struct {
		every time.Duration
		do    func(context.Context) error
	}{{overdueEvery, a.endOverdue}, {pruneEvery, a.pruneIfDue}, {eventsEvery, a.dropEvents}} {
		running.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-time.After(c.every/2 + rand.N(c.every/2)): //nolint:gosec // not a secret
				}
				if err := c.do(ctx); err != nil && ctx.Err() == nil {
					a.log.Warn("upkeep of batches failed, and is tried again", "error", err)
				}
			}
		})
	}
	running.Wait()
}

// endOverdue may be done by many at once: they pass each other's batches.
func (a *App) endOverdue(ctx context.Context) error {
	n, err := a.assets.EndOverdue(ctx)
	if n > 0 {
		a.log.Info("overdue batches finished", "batches", n)
	}
	return err
}

// pruneIfDue prunes where there is a policy, in one process of the fleet.
func (a *App) pruneIfDue(ctx context.Context) error {
	const chore = "batches"
	worker := workerID()
	due, err := a.catalog.ClaimChore(ctx, chore, worker, pruneEvery, 0)
	if err != nil || !due {
		return err
	}
	pruned, err := a.assets.Prune(ctx, cleanup(a.config), false, nil)
	report := ""
	if pruned.Records > 0 {
		report = fmt.Sprintf("%d records of %d batches removed", pruned.Records, pruned.Batches)
		a.log.Info("upkeep", "chore", chore, "done", report)
	}
	if err != nil {
		return err
	}
	return a.catalog.EndChore(ctx, chore, worker, report, pruneEvery)
}

func (a *App) dropEvents(ctx context.Context) error {
	_, err := a.assets.DropEvents(ctx, eventAge)
	return err
}
