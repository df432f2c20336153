package cli

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
)

// configFlag defines the flag that every command with a configuration has.
func configFlag(file *string) func(*flag.FlagSet) {
	return func(f *flag.FlagSet) {
		f.StringVar(file, "c", "config.yaml", "configuration `file`; empty for none")
	}
}

// parse reads the flags of a command that takes no other words.
func parse(e env, name string, args []string, define func(*flag.FlagSet)) error {
	words, err := parseWords(e, name, "", args, define)
	if err == nil && len(words) > 0 {
		return usageError{fmt.Sprintf("slashbatch %s takes no %q", name, words[0])}
	}
	return err
}

// parseWords reads the flags of a command, which may stand before, between and
// after its other words; what follows "--" is no flag. takes says in the help what
// the words are.
func parseWords(e env, name, takes string, args []string, define func(*flag.FlagSet)) (words []string, err error) {
	flags := flag.NewFlagSet("slashbatch "+name, flag.ContinueOnError)
	flags.SetOutput(e.stderr)
	define(flags)
	flags.Usage = func() {
		fmt.Fprintln(e.stderr, strings.TrimSpace("Usage of slashbatch "+name+" "+takes)+":")
		flags.PrintDefaults()
	}
	var plain []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, plain = args[:i], args[i+1:]
	}
	for {
		if err := flags.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, usageError{"see slashbatch " + name + " -h"}
		}
		if flags.NArg() == 0 {
			return append(words, plain...), nil
		}
		words, args = append(words, flags.Arg(0)), flags.Args()[1:]
	}
}
