package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
)

// pruneRecord is how "batch prune" ends, as JSON.
type pruneRecord struct {
	Event   string `json:"event"`
	DryRun  bool   `json:"dryRun"`
	Records int64  `json:"records"`
	Batches int64  `json:"batches"`
	Error   string `json:"error,omitempty"`
}

func runBatchPrune(ctx, _ context.Context, e env, args []string) error {
	var file string
	var dry, asJSON bool
	if err := parse(e, "batch prune", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.BoolVar(&dry, "dry-run", false, "only count what would go")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	}); err != nil {
		return err
	}
	c, problems := config.Load(file, e.vars)
	if len(problems) > 0 {
		return problems
	}
	pruned, err := app.PruneBatches(ctx, c, dry, func(now app.Pruned) {
		if !asJSON {
			fmt.Fprintf(e.stderr, "%d records of %d batches removed\n", now.Records, now.Batches)
		}
	})
	if asJSON {
		record := pruneRecord{"end", dry, pruned.Records, pruned.Batches, ""}
		if err != nil {
			record.Error = err.Error()
		}
		return errors.Join(json.NewEncoder(e.stdout).Encode(record), err)
	}
	said := "removed"
	if dry {
		said = "would be removed"
	}
	fmt.Fprintf(e.stdout, "%d records of %d batches %s\n", pruned.Records, pruned.Batches, said)
	return err
}
