// Package cli is the command line: commands, their flags and what they print.
//
// Exit codes: 0 all went well; 1 something failed, said on standard error;
// 2 the command line itself was wrong.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"strings"

	"slashbatch/internal/app"
	"slashbatch/internal/config"
	"slashbatch/internal/problem"
)

// command is one word of the command line.
type command struct {
	name, help string
	run        func(ctx, hard context.Context, e env, args []string) error
}

// env is the process's surroundings, so that tests can give others.
type env struct {
	vars   []string
	stdout io.Writer
	stderr io.Writer
}

var commands = []command{
	{"demo", "everything in one process on a throwaway PostgreSQL, with sample data", runDemo},
	{"serve", "answer HTTP, and run jobs where batch.process.enabled", runServe},
	{"worker", "run jobs only", runWorker},
	{"migrate", "bring the catalogue's schema up to date", runMigrate},
	{"check", "tell every problem of configuration and endpoints", runCheck},
	{"config", "print the configuration in force, secrets hidden", runConfig},
	{"version", "print the version", runVersion},
}

// usageError is a command line that is wrong.
type usageError struct{ message string }

func (e usageError) Error() string { return e.message }

// Main runs one command and returns the exit code. ctx ends when the process
// is asked to stop, hard when it shall stop at once.
func Main(ctx, hard context.Context, args, vars []string, stdout, stderr io.Writer) int {
	err := run(ctx, hard, env{vars, stdout, stderr}, args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return 0
	}
	fmt.Fprintln(stderr, err)
	if _, wrong := errors.AsType[usageError](err); wrong {
		return 2
	}
	return 1
}

func run(ctx, hard context.Context, e env, args []string) error {
	if len(args) == 0 {
		return usageError{usage()}
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		_, err := io.WriteString(e.stdout, usage()+"\n")
		return err
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(ctx, hard, e, args[1:])
		}
	}
	return usageError{fmt.Sprintf("there is no command %q\n\n%s", args[0], usage())}
}

func usage() string {
	var b strings.Builder
	b.WriteString("slashbatch: read endpoints over PostgreSQL, each with a /batch twin\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  slashbatch %-8s %s\n", c.name, c.help)
	}
	b.WriteString("\nslashbatch COMMAND -h lists a command's flags.")
	return b.String()
}

// parse reads a command's flags; a command takes no other words.
func parse(e env, name string, args []string, define func(*flag.FlagSet)) error {
	flags := flag.NewFlagSet("slashbatch "+name, flag.ContinueOnError)
	flags.SetOutput(e.stderr)
	define(flags)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return err
		}
		return usageError{"see slashbatch " + name + " -h"}
	}
	if flags.NArg() > 0 {
		return usageError{fmt.Sprintf("slashbatch %s takes no %q", name, flags.Arg(0))}
	}
	return nil
}

// load reads the configuration named by -c.
func load(e env, name string, args []string) (*config.Config, error) {
	var file string
	if err := parse(e, name, args, func(f *flag.FlagSet) {
		f.StringVar(&file, "c", "config.yaml", "configuration `file`; empty for none")
	}); err != nil {
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
