package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"slashbatch/assets"
	"slashbatch/cache"
	"slashbatch/queue"
	"slashbatch/server"
	"slashbatch/server/endpoint"
)

// Run serves and works until ctx ends, then stops in order: no new claims,
// running jobs are finished or given back, HTTP answers what it has begun. When hard ends,
// everything stops at once.
//
// It listens first, and answers 503 until the queue and the catalogue have
// been reached; what is down at start is tried again until it is there.
func (a *App) Run(ctx, hard context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	a.closing = ctx.Done()
	front := server.NewFront()
	var servers []*http.Server
	var addresses []string
	failed := make(chan error, 2)
	listen := func(address string, handler http.Handler) error {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		s := &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 10 * time.Second,
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    256 << 10, // batch ids may make a URL long
		}
		servers = append(servers, s)
		a.log.Info("listening", "address", listener.Addr().String())
		addresses = append(addresses, listener.Addr().String())
		go func() {
			if err := s.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
		return nil
	}
	if a.roles.Serve {
		if err := listen(a.config.Server.Listen, front); err != nil {
			return err
		}
	}
	if a.config.Server.AdminListen != "" {
		if err := listen(a.config.Server.AdminListen, front.Health()); err != nil {
			return err
		}
	}

	q, err := a.reach(ctx)
	if err != nil {
		shutdown(hard, servers)
		if ctx.Err() != nil {
			return nil // stopped before it had started
		}
		return err
	}
	defer func() { _ = q.Close() }() // nothing is sent any more
	front.Set(a.server(q, a.specs, a.registry))
	if a.Addr != nil && len(addresses) > 0 {
		a.Addr(addresses[0])
	}

	background, stopBackground := context.WithCancel(context.WithoutCancel(ctx))
	var tasks, work sync.WaitGroup
	tasks.Go(func() { a.hub.Run(background, q) })
	tasks.Go(func() { a.awaitEndpoints(background) })
	tasks.Go(func() { a.stores.await(background, a.catalog, a.config.Batch.Process.RetryInit.Std()) })
	if a.roles.Serve && a.config.EndpointsReload {
		tasks.Go(func() { a.reload(background, q, front) })
	}
	if a.roles.Work {
		worker := a.worker(q)
		work.Go(func() { worker.Run(ctx, hard) })
		tasks.Go(func() { a.keeper().Run(background) })
		tasks.Go(func() { a.keepAssets(background) })
	}
	select {
	case <-ctx.Done():
		a.log.Info("stopping")
	case err = <-failed:
		a.log.Error("HTTP ended", "error", err)
		stop() // the worker, too: what it runs is finished or given back
	}
	work.Wait() // HTTP goes on meanwhile: status pages stay truthful
	shutdown(hard, servers)
	stopBackground()
	tasks.Wait()
	return err
}

// shutdownWait is how long answers that have begun may take to end.
const shutdownWait = 10 * time.Second

func shutdown(hard context.Context, servers []*http.Server) {
	ctx, cancel := context.WithTimeout(hard, shutdownWait)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(ctx) != nil {
			_ = s.Close() // a download that goes on for longer is cut
		}
	}
}

// reach sees to the schema and opens the queue, trying again while either is
// away. Other errors are final.
func (a *App) reach(ctx context.Context) (queue.Queue, error) {
	pause := a.config.Batch.Process.RetryInit.Std()
	for {
		err := a.prepareSchema(ctx)
		if err == nil {
			err = a.stores.register(ctx, a.catalog)
		}
		if err == nil && a.roles.Serve {
			err = a.prepareAssets(ctx)
		}
		if err == nil {
			var q queue.Queue
			if q, err = a.openQueue(ctx); err == nil {
				return q, nil
			}
		}
		switch {
		case errors.Is(err, cache.ErrUnavailable), errors.Is(err, assets.ErrUnavailable):
			a.log.Warn("the catalogue cannot be reached; trying again", "in", pause, "error", err)
		case errors.Is(err, queue.ErrUnavailable):
			a.log.Warn("the queue cannot be reached; trying again", "in", pause, "error", err)
		default:
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// awaitEndpoints describes the endpoints whose database was away at start.
func (a *App) awaitEndpoints(ctx context.Context) {
	if !a.roles.Serve {
		return
	}
	waiting := a.specs
	for len(waiting) > 0 && ctx.Err() == nil {
		still, problems := a.Describe(ctx)
		for _, p := range problems {
			a.log.Error("endpoint is refused", "problem", p.String())
		}
		waiting = still
		if len(waiting) > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(a.config.Batch.Process.RetryInit.Std()):
			}
		}
	}
}

// Endpoints returns the specs, for the commands that list them.
func (a *App) Endpoints() []*endpoint.Spec { return a.specs }
