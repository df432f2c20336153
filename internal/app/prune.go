package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"slashbatch/assets"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
)

// Pruned is what pruning has removed, or would remove.
type Pruned = assets.Pruned

// tellEvery is how often PruneBatches tells how far it is.
const tellEvery = 2 * time.Second

// PruneBatches removes what policies let go of the records of finished batches; dry only
// counts. The service may run meanwhile, and prune as well: they pass each other's batches.
// tell hears now and then how much has gone.
func PruneBatches(ctx context.Context, c *config.Config, dry bool, tell func(Pruned)) (Pruned, error) {
	store, err := assets.Open(c.Catalog.URL.Reveal(), assets.Options{})
	if err != nil {
		return Pruned{}, problem.List{{File: c.File, Path: "catalog.url", Message: err.Error()}}
	}
	defer store.Close()
	missing, err := store.Behind(ctx)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("the schema of assets is behind (%s): run slashbatch migrate", strings.Join(missing, ", "))
	}
	if err != nil {
		return Pruned{}, err
	}
	told := time.Now()
	return store.Prune(ctx, cleanup(c), dry, func(now Pruned) {
		if !dry && time.Since(told) >= tellEvery {
			told = time.Now()
			tell(now)
		}
	})
}

// cleanup is the service's policy for records of finished batches.
func cleanup(c *config.Config) assets.Retention {
	p := c.Assets.Cleanup
	return assets.Retention{Completed: p.Completed.Std(), Errors: p.Errors.Std(), Superseded: p.Superseded.Std(), KeepLast: p.KeepLast}
}
