package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	"slashbatch/internal/app"
)

func runResultRemove(ctx, _ context.Context, e env, args []string) error {
	var file, user string
	var purge bool
	words, err := parseWords(e, "result rm", "KEY | URL | ALIAS… | -purge ID…", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		userFlag(f, &user)
		f.BoolVar(&purge, "purge", false, "kill whole results at once: all their requests, aliases and files, whoever reads them")
	})
	if err != nil {
		return err
	}
	if len(words) == 0 {
		return usageError{"slashbatch result rm takes request keys, URLs or aliases; with -purge the ids of results, too"}
	}
	l, err := librarian(ctx, e, file)
	if err != nil {
		return err
	}
	defer l.Close()
	var wrong []error
	for _, word := range words {
		if purge {
			err = purgeOne(ctx, e.stdout, l, word, user)
		} else {
			err = removeOne(ctx, e.stdout, l, word, user)
		}
		if err != nil {
			wrong = append(wrong, aboutWord(word, err))
		}
	}
	return errors.Join(wrong...)
}

// aboutWord says which of the words an error is about.
func aboutWord(word string, err error) error { return fmt.Errorf("%s: %w", clean(word), err) }

func removeOne(ctx context.Context, w io.Writer, l *app.Librarian, word, user string) error {
	gone, err := l.Remove(ctx, word, user)
	if err != nil {
		return err
	}
	what := "the request " + gone.Key
	if gone.Alias != "" {
		what = "the alias " + gone.Alias
	}
	left := fmt.Sprintf("has %s left", count(gone.Left, "name"))
	if gone.Left == 0 {
		left = fmt.Sprintf("has no name any more, and goes in %v", l.Grace())
	}
	_, err = fmt.Fprintf(w, "removed %s; result %d %s\n", clean(what), gone.Result, left)
	return err
}

func purgeOne(ctx context.Context, w io.Writer, l *app.Librarian, word, user string) error {
	gone, found, err := l.Purge(ctx, word, user)
	if err != nil {
		return err
	}
	if !found {
		_, err = fmt.Fprintf(w, "there is no result %s: nothing to purge\n", clean(word))
		return err
	}
	return tellPurged(w, gone)
}

// tellPurged says what went, name by name.
func tellPurged(w io.Writer, p app.Purged) error {
	var b strings.Builder
	fmt.Fprintf(&b, "purged result %d of %s: %s, %s, %s\n", p.ID, clean(p.Owner), count(len(p.Keys), "request"), count(len(p.Aliases), "alias"), count(p.Objects, "file"))
	for _, key := range p.Keys {
		fmt.Fprintf(&b, "  request %s\n", clean(key))
	}
	for _, alias := range p.Aliases {
		fmt.Fprintf(&b, "  alias %s\n", clean(alias))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// count is a number with what it counts.
func count(n int, what string) string {
	if n != 1 && strings.HasSuffix(what, "s") {
		what += "e"
	}
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

func runResultClear(ctx, _ context.Context, e env, args []string) error {
	var file, endpoint string
	var purge, pinned, yes bool
	if err := parse(e, "result clear", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&endpoint, "endpoint", "", "only what answers requests of the endpoint with this `name`")
		f.BoolVar(&purge, "purge", false, "kill the results at once, with all their requests, aliases and files; without it only their requests are removed")
		f.BoolVar(&pinned, "pinned", false, "pinned ones, too")
		f.BoolVar(&yes, "yes", false, "do it; without this, say how many it would be")
	}); err != nil {
		return err
	}
	l, err := librarian(ctx, e, file)
	if err != nil {
		return err
	}
	defer l.Close()
	extent, err := l.Count(ctx, endpoint, pinned)
	if err != nil {
		return err
	}
	switch {
	case purge && extent.Results == 0, !purge && extent.Requests == 0:
		_, err := fmt.Fprintln(e.stdout, "there is nothing to clear"+leftAlone(extent))
		return err
	case !yes:
		return usageError{"this would " + intent(extent, purge) + ": say -yes to do it"}
	case purge:
		n := 0
		err := l.PurgeAll(ctx, extent, func(p app.Purged) { n++; _ = tellPurged(e.stdout, p) })
		fmt.Fprintf(e.stdout, "purged %s%s\n", count(n, "result"), leftAlone(extent))
		return err
	}
	n := 0
	err = l.Clear(ctx, extent, func(requests int) { n = requests })
	fmt.Fprintf(e.stdout, "removed %s%s\n", count(n, "request"), leftAlone(extent))
	return err
}

// intent says what clearing would do.
func intent(x app.Extent, purge bool) string {
	if purge {
		return fmt.Sprintf("purge %s, and with them every request, file and alias of theirs (%s now)%s%s", count(x.Results, "result"), count(x.Aliases, "alias"), lost(x), leftAlone(x))
	}
	return fmt.Sprintf("remove %s, each of which is computed again when it is asked for%s%s", count(x.Requests, "request"), lost(x), leftAlone(x))
}

// lost tells of rows that will not come again.
func lost(x app.Extent) string {
	if x.Unique == 0 {
		return ""
	}
	return fmt.Sprintf("; the rows of %d of the requests, which SQL jobs made, cannot be computed again", x.Unique)
}

// leftAlone tells of what is pinned.
func leftAlone(x app.Extent) string {
	if x.Pinned || x.PinnedRequests == 0 {
		return ""
	}
	return fmt.Sprintf("; left alone without -pinned: %s", count(x.PinnedRequests, "pinned request"))
}
