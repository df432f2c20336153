package queuetest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"
	"text/tabwriter"
	"time"
)

// callTogether has many callers call until there is no more to do, or one fails.
func callTogether(b *testing.B, call func(context.Context) (more bool, err error)) {
	b.Helper()
	ctx, cancel := context.WithCancelCause(b.Context())
	defer cancel(nil)
	var callers sync.WaitGroup
	for range benchCallers {
		callers.Go(func() {
			for ctx.Err() == nil {
				switch more, err := call(ctx); {
				case err != nil:
					cancel(err)
				case !more:
					return
				}
			}
		})
	}
	callers.Wait()
	if err := context.Cause(ctx); err != nil {
		b.Fatal(err)
	}
}

// costs are, by operation, what one call took in each round: the time of all calls by
// their number, so that of the callers together.
type costs map[string][]time.Duration

func (c costs) add(op string, took time.Duration, calls int64) {
	c[op] = append(c[op], took/time.Duration(calls))
}

// over returns how often what was spent is that of another backlog in the same round:
// the least, the middle and the most.
func (c costs) over(other costs, op string) (least, middle, most float64) {
	ratios := make([]float64, 0, len(c[op]))
	for i, took := range c[op] {
		ratios = append(ratios, float64(took)/float64(other[op][i]))
	}
	slices.Sort(ratios)
	return ratios[0], ratios[len(ratios)/2], ratios[len(ratios)-1]
}

// printCosts prints a line for each backlog, the first of which the others are
// compared with.
func printCosts(w io.Writer, backlogs []*backlog) {
	ops := []string{"status", "snapshot", "enqueue", "claim+finish"}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprint(table, "pending\tusers\t")
	for _, op := range ops {
		_, _ = fmt.Fprintf(table, "%s\t× first: min\tmedian\tmax\t", op)
	}
	_, _ = fmt.Fprintln(table)
	for _, l := range backlogs {
		_, _ = fmt.Fprintf(table, "%d\t%d\t", l.pending, l.users)
		for _, op := range ops {
			least, middle, most := l.costs.over(backlogs[0].costs, op)
			took := slices.Sorted(slices.Values(l.costs[op]))[len(l.costs[op])/2]
			_, _ = fmt.Fprintf(table, "%v\t%.2f\t%.2f\t%.2f\t", took.Round(100*time.Nanosecond), least, middle, most)
		}
		_, _ = fmt.Fprintln(table)
	}
	_ = table.Flush()
}
