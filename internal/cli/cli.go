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
	"strings"
)

// command is one command: a word, or a word of a group and one of its own.
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
	{"migrate", "bring our own tables up to date", runMigrate},
	{"check", "tell every problem of configuration and endpoints", runCheck},
	{"config", "print the configuration in force, secrets hidden", runConfig},

	{"queue stats", "count what waits and what runs", runQueueStats},
	{"queue pause", "let nothing be claimed any more, over the fleet; what runs goes on", pauseCommand("pause", true)},
	{"queue resume", "let jobs be claimed again", pauseCommand("resume", false)},
	{"queue requeue", "queue failed and cancelled jobs once more", runRequeue},
	{"job list", "what runs now, or the jobs of one user", runJobList},
	{"job show", "all that is known of a job", runJobShow},
	{"job cancel", "end jobs, for everybody who waits for them", runJobCancel},

	{"result list", "the results, newest first", runResultList},
	{"result show", "all that is known of a result", runResultShow},
	{"result put", "make a result of a file by hand", runResultPut},
	{"result rm", "remove names of results, so that they are computed again; or purge results", runResultRemove},
	{"result clear", "remove all results, or those of an endpoint", runResultClear},

	{"store copy", "copy all files from one store to another, while both are in use", runStoreCopy},
	{"store verify", "read every file of a store, and tell what is wrong", runStoreVerify},
	{"store retire", "delete a store whose files are in another one", runStoreRetire},

	{"batch prune", "remove what policies let go of the records of finished batches", runBatchPrune},

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
		return usageError{usage("")}
	}
	if isHelp(args[0]) {
		_, err := io.WriteString(e.stdout, usage("")+"\n")
		return err
	}
	group := false
	for _, c := range commands {
		first, second, two := strings.Cut(c.name, " ")
		switch {
		case first != args[0]:
		case !two:
			return c.run(ctx, hard, e, args[1:])
		case len(args) > 1 && second == args[1]:
			return c.run(ctx, hard, e, args[2:])
		default:
			group = true
		}
	}
	switch {
	case !group:
		return usageError{fmt.Sprintf("there is no command %q\n\n%s", args[0], usage(""))}
	case len(args) == 1:
		return usageError{usage(args[0])}
	case isHelp(args[1]):
		_, err := io.WriteString(e.stdout, usage(args[0])+"\n")
		return err
	}
	return usageError{fmt.Sprintf("there is no command %q\n\n%s", args[0]+" "+args[1], usage(args[0]))}
}

func isHelp(word string) bool {
	return word == "help" || word == "-h" || word == "-help" || word == "--help"
}

// usage lists the commands of a group; of all when it is empty.
func usage(group string) string {
	var b strings.Builder
	if group == "" {
		b.WriteString("slashbatch: read endpoints over PostgreSQL, each with a /batch twin\n\n")
	}
	for _, c := range commands {
		if first, _, _ := strings.Cut(c.name, " "); group == "" || group == first {
			fmt.Fprintf(&b, "  slashbatch %-14s %s\n", c.name, c.help)
		}
	}
	b.WriteString("\nslashbatch COMMAND -h lists a command's flags.")
	return b.String()
}
