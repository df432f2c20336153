package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
)

// load reads the configuration named by -c.
func load(e env, name string, args []string) (*config.Config, error) {
	var file string
	if err := parse(e, name, args, configFlag(&file)); err != nil {
		return nil, err
	}
	c, problems := config.Load(file, e.vars)
	if len(problems) > 0 {
		// Who has to mend the configuration shall not find the endpoints'
		// problems only afterwards.
		_, more := app.LoadSpecs(c)
		return nil, append(problems, more...)
	}
	return c, nil
}

// open loads the configuration and makes an app of it, or tells every problem
// of both.
func open(ctx context.Context, e env, name string, args []string, roles app.Roles) (*app.App, error) {
	c, err := load(e, name, args)
	if err != nil {
		return nil, err
	}
	return openConfig(ctx, e, c, roles)
}

func openConfig(ctx context.Context, e env, c *config.Config, roles app.Roles) (*app.App, error) {
	a, problems := app.New(ctx, c, roles, logger(c.Log, e.stderr))
	if roles.Serve || !roles.Work {
		_, more := a.Describe(ctx)
		problems = append(problems, more...)
	}
	if len(problems) > 0 {
		a.Close()
		return nil, problems
	}
	return a, nil
}

func logger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked when it was loaded
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

func runServe(ctx, hard context.Context, e env, args []string) error {
	c, err := load(e, "serve", args)
	if err != nil {
		return err
	}
	a, err := openConfig(ctx, e, c, app.Roles{Serve: true, Work: c.Batch.Process.Enabled})
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx, hard)
}

func runWorker(ctx, hard context.Context, e env, args []string) error {
	a, err := open(ctx, e, "worker", args, app.Roles{Work: true})
	if err != nil {
		return err
	}
	defer a.Close()
	return a.Run(ctx, hard)
}

func runMigrate(ctx, _ context.Context, e env, args []string) error {
	a, err := open(ctx, e, "migrate", args, app.Roles{Work: true})
	if err != nil {
		return err
	}
	defer a.Close()
	applied, err := a.Migrate(ctx)
	for _, name := range applied {
		fmt.Fprintf(e.stdout, "applied %s\n", name)
	}
	if err == nil && len(applied) == 0 {
		fmt.Fprintln(e.stdout, "the schema is up to date")
	}
	return err
}

func runCheck(ctx, _ context.Context, e env, args []string) error {
	c, err := load(e, "check", args)
	if err != nil {
		return err
	}
	c.Log.Level = "error" // what waits is told below, in the report's own words
	a, problems := app.New(ctx, c, app.Roles{}, logger(c.Log, e.stderr))
	defer a.Close()
	waiting, more := a.Describe(ctx)
	problems = append(problems, more...)
	for _, s := range a.Endpoints() {
		for _, w := range s.Warnings {
			fmt.Fprintf(e.stderr, "warning: %s\n", w)
		}
	}
	for _, s := range waiting {
		problems = append(problems, problem.Problem{File: s.File, Path: "dataSource", Message: fmt.Sprintf("%s could not be reached, so the query was not checked", s.DataSource)})
	}
	if len(problems) > 0 {
		return problems
	}
	fmt.Fprintf(e.stdout, "configuration and %d endpoints are in order\n", len(a.Endpoints()))
	return nil
}

func runConfig(_, _ context.Context, e env, args []string) error {
	c, err := load(e, "config", args)
	if err != nil {
		return err
	}
	return c.Print(e.stdout)
}

func runVersion(_, _ context.Context, e env, _ []string) error {
	version := "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	_, err := fmt.Fprintln(e.stdout, "slashbatch", version)
	return err
}
