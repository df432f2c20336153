package app

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"slashbatch/queue"
	"slashbatch/server"
)

// reloadEvery is how often the endpoint files are looked at. A change is taken when it has
// stood for one look, so that a file is not read while it is being written.
const reloadEvery = 500 * time.Millisecond

// reload takes changed endpoint files while the process serves. All of them are taken, or
// none: a change that is wrong in any place leaves everything as it was, and is told.
func (a *App) reload(ctx context.Context, q queue.Queue, front *server.Front) {
	taken, seen := a.loaded, a.loaded
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := fingerprint(a.config.EndpointsDir)
		if stands := now == seen; !stands || now == taken {
			seen = now
			continue
		}
		if a.take(ctx, q, front) {
			taken = now
			continue
		}
		select { // as for a database that is away at start
		case <-ctx.Done():
		case <-time.After(a.config.Batch.Process.RetryInit.Std()):
		}
	}
}

// take reports whether the change has been dealt with: taken, or refused. With a database
// away it is tried again.
func (a *App) take(ctx context.Context, q queue.Queue, front *server.Front) bool {
	specs, problems := LoadSpecs(a.config)
	registry := server.NewRegistry()
	if len(problems) == 0 {
		waiting, found := a.describeAll(ctx, slices.Concat(specs, a.lists), registry)
		if problems = found; len(problems) == 0 && len(waiting) > 0 {
			return false
		}
	}
	if len(problems) > 0 {
		for _, p := range problems {
			a.log.Error("changed endpoints are not taken, the old ones stay", "problem", p.String())
		}
		return true
	}
	front.Set(a.server(q, specs, registry))
	a.log.Info("changed endpoints are taken", "endpoints", len(specs))
	return true
}

// fingerprint is another one when any endpoint file of a folder has changed.
func fingerprint(dir string) string {
	files, err := specFiles(dir)
	if err != nil {
		return err.Error()
	}
	slices.Sort(files)
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&b, "%q %d %d\n", file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}
