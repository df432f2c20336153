package jobs

import (
	"context"
	"time"

	"slashbatch/cache"
	"slashbatch/internal/rows"
)

// guard is what the result of a request depends on: a statement on a data source that gives
// another text once the rows may have changed. See Plan.Guard. Without a statement nothing does.
type guard struct {
	statement *rows.Statement
	source    string
	minFresh  time.Duration
}

func (p Plan) guard() guard { return guard{p.Guard, p.Source, p.MinFresh} }

// asked reports whether an entry answers its request only if the guard gives what it gave
// then. Of what was put in place of a run that is not known: it is good until it expires.
func (g guard) asked(e cache.Entry) bool {
	return g.statement != nil && e.Valid && !e.Pinned && e.Guard != nil && e.Age >= g.minFresh
}

// changed asks, where it has to be asked, whether the guard gives something else now than
// when the entry's rows were read. Errors are those of a query.
func (g guard) changed(ctx context.Context, sources map[string]*rows.Source, e cache.Entry) (bool, error) {
	if !g.asked(e) {
		return false, nil
	}
	source, ok := sources[g.source]
	if !ok {
		return false, &rows.Error{Kind: rows.Unavailable, Reason: "this process has no data source " + g.source}
	}
	now, err := source.Value(ctx, *g.statement)
	return err == nil && now != *e.Guard, err
}

// current makes an entry whose guard has changed one that is not valid. Where the guard cannot
// be asked, that is an error only if no job is active: else whoever asks waits for that.
func (s *Service) current(ctx context.Context, g guard, e *cache.Entry, active bool) error {
	changed, err := g.changed(ctx, s.sources, *e)
	if err != nil && !active {
		return err
	}
	e.Valid = e.Valid && !changed && err == nil
	return nil
}
