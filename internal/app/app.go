// Package app turns a configuration into a running service. It is the only
// package that knows concrete backends, and it owns the order in which things
// start and stop.
package app

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"time"

	"slashbatch/assets"
	"slashbatch/cache"
	"slashbatch/cache/catalog"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
	"slashbatch/internal/rows"
	"slashbatch/jobs"
	"slashbatch/queue"
	"slashbatch/server"
	"slashbatch/server/endpoint"

	"github.com/google/uuid"
)

// Roles are what a process does.
type Roles struct {
	// Serve answers HTTP; Work runs jobs.
	Serve, Work bool
}

// App is a service that has been configured, and checked as far as that goes
// without its backends.
type App struct {
	config   *config.Config
	roles    Roles
	log      *slog.Logger
	specs    []*endpoint.Spec
	sources  map[string]*rows.Source
	catalog  *catalog.Catalog
	assets   *assets.Store
	lists    []*endpoint.Spec // over assets' tables
	stores   *stores
	store    cache.Store // all of them
	hub      *jobs.Hub
	registry *server.Registry
	service  *jobs.Service // of the queue that was reached
	loaded   string        // the endpoint files, as they were read
	closing  <-chan struct{}

	// Addr is told the address that is served on, once requests are answered;
	// for tests and the demo.
	Addr func(addr string)
}

// New opens what can be opened without asking anybody. Every problem of the
// configuration and of the endpoint specs is told at once. The caller closes
// the App.
func New(ctx context.Context, c *config.Config, roles Roles, log *slog.Logger) (*App, problem.List) {
	problems := notBuilt(c)
	if roles.Work && !roles.Serve && c.Queue.URL.Scheme() == "memory" {
		problems = append(problems, problem.Problem{File: c.File, Path: "queue.url", Message: "a memory queue is inside one process: a worker alone would wait for ever; use redis:// or postgres:"})
	}
	var specs []*endpoint.Spec
	loaded := fingerprint(c.EndpointsDir)
	if !roles.Work || roles.Serve { // a worker alone reads no specs: a job carries its plan
		var more problem.List
		specs, more = LoadSpecs(c)
		problems = append(problems, more...)
	}
	a := &App{
		config: c, roles: roles, log: log, specs: specs, loaded: loaded,
		sources: map[string]*rows.Source{}, hub: jobs.NewHub(), registry: server.NewRegistry(),
	}
	for name, source := range c.DataSources {
		opened, err := rows.Open(name, source.URL.Reveal(), rows.SourceOptions{
			MaxConns: source.MaxConns, StatementTimeout: source.StatementTimeout.Std(),
			LockTimeout: lockTimeout, IdleTimeout: idleTimeout, Application: "slashbatch " + name,
		})
		if err != nil {
			problems = append(problems, problem.Problem{File: c.File, Path: "dataSources." + name + ".url", Message: err.Error()})
			continue
		}
		a.sources[name] = opened
	}
	var err error
	if a.catalog, err = catalog.Open(c.Catalog.URL.Reveal()); err != nil {
		problems = append(problems, problem.Problem{File: c.File, Path: "catalog.url", Message: err.Error()})
	}
	if a.assets, err = assets.Open(c.Catalog.URL.Reveal(), assets.Options{Deadline: c.Assets.Deadline.Std(), Lease: c.Assets.Lease.Std()}); err == nil {
		err = a.openLists()
	}
	if err != nil && a.catalog != nil { // else it was told
		problems = append(problems, problem.Problem{File: c.File, Path: "catalog.url", Message: err.Error()})
	}
	var more problem.List
	a.stores, more = openStores(ctx, c, log)
	a.store = a.stores.front()
	return a, append(problems, more...)
}

const (
	// A statement that waits for a lock this long stands behind a migration or
	// a stuck transaction; an abandoned transaction of ours is ended.
	lockTimeout = 30 * time.Second
	idleTimeout = 5 * time.Minute
)

// Close lets go of everything.
func (a *App) Close() {
	for _, s := range a.sources {
		s.Close()
	}
	if a.catalog != nil {
		a.catalog.Close()
	}
	if a.assets != nil {
		a.assets.Close()
	}
	a.stores.close()
}

func (a *App) worker(q queue.Queue) *jobs.Worker {
	p := a.config.Batch.Process
	return jobs.NewWorker(jobs.WorkerOptions{
		Queue: q, Catalog: a.catalog, Store: a.store, Sources: a.sources, Hub: a.hub, Log: a.log,
		ID:        workerID(),
		Slots:     map[queue.Lane]int{queue.LaneExport: p.Workers.Export, queue.LaneSQL: p.Workers.SQL},
		Poll:      p.Timeout.Std(),
		RetryInit: p.RetryInit.Std(),
		Drain:     p.Drain.Std(),
		Crashes:   p.Crashes,
	})
}

// workerID is unique per start of a process, and says where it is.
func workerID() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString()[:8])
}

// shared reports whether a data source is anybody's but one user's with SQL, who may
// break it by themselves: that must not take the process out of service.
func (a *App) shared(source string, specs []*endpoint.Spec) bool {
	for _, s := range specs {
		if s.DataSource == source || s.Batch.DataSource == source || s.Batch.StepsDataSource == source {
			return true
		}
	}
	return !slices.ContainsFunc(a.config.Auth.Users, func(u config.User) bool { return u.DataSource == source })
}

// server answers for these endpoints. All servers of a process share one service.
func (a *App) server(q queue.Queue, specs []*endpoint.Spec, registry *server.Registry) *server.Server {
	c := a.config
	if a.service == nil {
		a.service = jobs.NewService(jobs.Options{
			Queue: q, Catalog: a.catalog, Store: a.store, Sources: a.sources,
			RetryHold: c.Batch.RetryHold.Std(), MinFresh: c.Batch.MinFresh.Std(),
		})
	}
	users, sql := make([]server.User, len(c.Auth.Users)), false
	for i, u := range c.Auth.Users {
		l := u.Limits
		users[i] = server.User{
			Name: u.Name, Admin: u.Admin, Customer: u.Customer, SQL: u.SQL, Source: u.DataSource,
			Limits:       server.Limits{Running: l.Running.Export, Queued: l.Queued.Export},
			SQLLimits:    server.Limits{Running: l.Running.SQL, Queued: l.Queued.SQL},
			PayloadBytes: int(l.PayloadBytes), QueryTimeout: l.QueryTimeout.Std(), ResultBytes: int64(l.ResultBytes),
		}
		for _, k := range u.Keys {
			users[i].Keys = append(users[i].Keys, server.Key{Digest: k.SHA256, SQL: k.Type == config.KeyMaster})
		}
		sql = sql || u.SQL
	}
	var userFromHost *regexp.Regexp
	if c.Auth.UserFromHost != "" {
		userFromHost = regexp.MustCompile(c.Auth.UserFromHost) // the configuration was checked
	}
	checks := map[string]server.Check{"queue": q.Ping, "catalog": a.catalog.Ping, "store": a.store.Ping}
	for name, source := range a.sources {
		if _, own := listSources[name]; !own && a.shared(name, specs) {
			checks["dataSources."+name] = source.Ping
		}
	}
	return server.New(server.Options{
		Specs: specs, Registry: registry, Jobs: a.service,
		Hub: a.hub, Catalog: a.catalog, Store: a.store, Sources: a.sources, Log: a.log,
		PublicURL: c.Server.PublicURL, TrustedProxies: c.Server.TrustedProxies, MaxBodyBytes: int64(c.Server.MaxBodyBytes),
		Users:            users,
		Anonymous:        server.Limits{Running: c.Auth.Anonymous.Running, Queued: c.Auth.Anonymous.Queued},
		AnonymousEnabled: c.Auth.Anonymous.Enabled,
		UserFromHost:     userFromHost, SQLEnabled: sql,
		SQLResultAge: c.Batch.Retention.Results.Std(),
		BatchEnabled: c.Batch.Enabled, BatchPath: c.Batch.Path, MaxWait: c.Batch.MaxWait.Std(),
		Redirect: c.Cache.Download == config.DownloadRedirect, LinkTTL: c.Cache.LinkTTL.Std(), AliasTTL: c.Batch.Retention.Results.Std(),
		ResultAge: c.Batch.MaxAge.Std(), MinFresh: c.Batch.MinFresh.Std(), Retry: c.Batch.Process.Retry,
		QueryTimeout: c.Batch.Limits.QueryTimeout.Std(), ResultBytes: int64(c.Batch.Limits.ResultBytes),
		Checks: checks,
		Assets: a.assetOptions(), Closing: a.closing,
	})
}
