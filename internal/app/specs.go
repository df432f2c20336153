package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"slashbatch/internal/config"
	"slashbatch/internal/problem"
	"slashbatch/internal/rows"
	"slashbatch/server"
	"slashbatch/server/endpoint"
)

// LoadSpecs reads the endpoints that the configuration names, inline and in
// its folder, and tells every problem that shows without a database. Specs
// that cannot be read are not among those returned.
func LoadSpecs(c *config.Config) ([]*endpoint.Spec, problem.List) {
	var specs []*endpoint.Spec
	var problems problem.List
	add := func(decoded []*endpoint.Spec, found problem.List) {
		problems = append(problems, found...)
		if len(found) == 0 {
			specs = append(specs, decoded...)
		}
	}
	for i := range c.Endpoints {
		spec, found := endpoint.DecodeNode(&c.Endpoints[i], c.File, fmt.Sprintf("endpoints[%d]", i))
		add([]*endpoint.Spec{spec}, found)
	}
	files, err := specFiles(c.EndpointsDir)
	if err != nil {
		problems = append(problems, problem.Problem{File: c.File, Path: "endpointsDir", Message: err.Error()})
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, problem.Problem{File: file, Message: err.Error()})
			continue
		}
		add(endpoint.Decode(data, file))
	}
	problems = append(problems, endpoint.Conflicts(specs)...)
	clashes, _ := endpoint.FacadeClashes(specs, strings.TrimPrefix(c.Batch.Path, "/"))
	for _, clash := range clashes {
		if !slices.Contains(problems, clash) { // Decode has told those of the default segment
			problems = append(problems, clash)
		}
	}
	for _, s := range specs {
		for _, name := range s.Sources() {
			if _, ok := c.DataSources[name]; !ok && name != endpoint.UserSource {
				problems = append(problems, problem.Problem{File: s.File, Path: "dataSource", Message: fmt.Sprintf("there is no data source %q in the configuration", name)})
			}
		}
	}
	return specs, problems
}

// specFiles lists the YAML files of the folder; a folder that is not there is
// empty, so that an installation without endpoints starts.
func specFiles(dir string) ([]string, error) {
	if dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); !e.IsDir() && (ext == ".yaml" || ext == ".yml") {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// describeTimeout bounds asking one database about one query.
const describeTimeout = 20 * time.Second

// Describe asks the databases about the endpoints' queries and returns the
// problems: queries that a database refuses, and specs that do not fit what it
// describes. Endpoints whose database cannot be reached are left for later,
// and returned as waiting.
func (a *App) Describe(ctx context.Context) (waiting []*endpoint.Spec, problems problem.List) {
	return a.describeAll(ctx, a.specs, a.registry)
}

func (a *App) describeAll(ctx context.Context, specs []*endpoint.Spec, registry *server.Registry) (waiting []*endpoint.Spec, problems problem.List) {
	away := map[string]bool{} // asked once: a database that does not answer takes its time
	for _, s := range specs {
		if away[s.DataSource] {
			waiting = append(waiting, s)
			continue
		}
		found, err := a.describe(ctx, s, registry)
		switch {
		case err != nil:
			a.log.Warn("endpoints wait for their database", "dataSource", s.DataSource, "endpoint", s.Name, "error", err)
			waiting, away[s.DataSource] = append(waiting, s), rows.KindOf(err) == rows.Unavailable
		default:
			problems = append(problems, found...)
		}
	}
	return waiting, problems
}

func (a *App) describe(ctx context.Context, s *endpoint.Spec, registry *server.Registry) (problem.List, error) {
	if len(registry.Missing([]*endpoint.Spec{s})) == 0 {
		return nil, nil
	}
	source, ok := a.describing(s.DataSource)
	if !ok && s.DataSource == endpoint.UserSource {
		return problem.List{{File: s.File, Path: "dataSource", Message: "no user has a data source, so nobody could ask"}}, nil
	}
	if !ok {
		return nil, nil // LoadSpecs has told
	}
	ctx, cancel := context.WithTimeout(ctx, describeTimeout)
	defer cancel()
	description, err := source.Describe(ctx, s.Probe())
	if refused(err) {
		registry.Refuse(s.Name)
		return problem.List{{File: s.File, Path: "query", Message: err.Error()}}, nil
	}
	if err != nil {
		return nil, errors.Join(err, errors.Unwrap(err))
	}
	compiled, found := endpoint.Compile(s, describedBy(description))
	found = append(found, a.describeBatch(ctx, s)...)
	if len(found) > 0 {
		registry.Refuse(s.Name)
		return found, nil
	}
	registry.Put(compiled)
	return nil, nil
}

// describedBy is what a database said, as endpoints take it.
func describedBy(d rows.Description) endpoint.Described {
	described := endpoint.Described{Params: d.Params}
	for _, c := range d.Columns {
		described.Columns = append(described.Columns, endpoint.Column{Name: c.Name, OID: c.OID, TypeName: c.Type})
	}
	return described
}

// describing is where a data source's queries are described; one user's login stands for
// those of all where each has their own.
func (a *App) describing(name string) (*rows.Source, bool) {
	for _, u := range a.config.Auth.Users {
		if name == endpoint.UserSource && u.DataSource != "" {
			name = u.DataSource
		}
	}
	source, ok := a.sources[name]
	return source, ok
}

// describeBatch asks whether exports can run where they are to run. When that
// database is away they wait in the queue, so nothing else has to.
func (a *App) describeBatch(ctx context.Context, s *endpoint.Spec) problem.List {
	source, ok := a.describing(s.Batch.DataSource)
	if !ok || !s.Batch.Enabled || s.Batch.DataSource == s.DataSource {
		return nil
	}
	if _, err := source.Describe(ctx, s.Probe()); refused(err) {
		return problem.List{{File: s.File, Path: "batch.dataSource", Message: "the query does not run on " + s.Batch.DataSource + ": " + err.Error()}}
	}
	return nil
}

// refused tells a query that the database says no to from one it was not asked.
func refused(err error) bool {
	kind := rows.KindOf(err)
	return kind == rows.BadQuery || kind == rows.BadValue
}
