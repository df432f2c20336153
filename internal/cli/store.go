package cli

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"

	"slashbatch/cache/upkeep"
	"slashbatch/internal/app"
	"slashbatch/internal/config"
)

// storekeeper connects to the catalogue of the configuration in a file.
func storekeeper(ctx context.Context, e env, file string) (*app.Storekeeper, error) {
	c, problems := config.Load(file, e.vars)
	if len(problems) > 0 {
		return nil, problems
	}
	c.Log.Level = "error"
	return app.OpenStorekeeper(ctx, c, logger(c.Log, e.stderr))
}

// copyRecord is how "store copy" ends, as JSON.
type copyRecord struct {
	Event    string           `json:"event"`
	Copied   int              `json:"copied"`
	Bytes    int64            `json:"bytes"`
	Missing  int              `json:"missing"`
	Gone     int              `json:"gone"`
	Failed   int              `json:"failed"`
	Failures []upkeep.Failure `json:"failures,omitempty"`
	Error    string           `json:"error,omitempty"`
}

func runStoreCopy(ctx, _ context.Context, e env, args []string) error {
	var file, from, to string
	var o upkeep.CopyOptions
	var asJSON bool
	if err := parse(e, "store copy", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&from, "from", "", "`URL` of the store to copy from, as cache.url has it")
		f.StringVar(&to, "to", "", "`URL` of the store to copy to; a new one is made known")
		f.IntVar(&o.Parallel, "n", 8, "files that travel at a time")
		f.BoolVar(&o.SkipMissing, "skip-missing", false, "mark files that are gone from the source as missing, and go on")
		f.BoolVar(&asJSON, "json", false, "print JSON, one document a line")
	}); err != nil {
		return err
	}
	switch {
	case from == "" || to == "":
		return usageError{"slashbatch store copy needs -from URL and -to URL"}
	case o.Parallel < 1:
		return usageError{"-n is a number of files, at least 1"}
	}
	k, err := storekeeper(ctx, e, file)
	if err != nil {
		return err
	}
	defer k.Close()
	p := newProgress(e, "copied", asJSON)
	o.Progress = func(now upkeep.Progress) { p.show(amount(now)) }
	r, err := k.Copy(ctx, config.URL(from), config.URL(to), o)
	p.end()
	if err == nil && r.Failed > 0 {
		err = fmt.Errorf("%d files could not be copied; the same command tries them again", r.Failed)
	}
	if asJSON {
		record := copyRecord{"end", r.Copied, r.Bytes, r.Missing, r.Gone, r.Failed, r.Failures, ""}
		if err != nil {
			record.Error = err.Error()
		}
		return errors.Join(json.NewEncoder(e.stdout).Encode(record), err)
	}
	for _, f := range r.Failures {
		fmt.Fprintf(e.stdout, "failed: %s: %s\n", f.Object, clean(f.Reason))
	}
	fmt.Fprintf(e.stdout, "copied %d files, %s\n", r.Copied, size(r.Bytes))
	if r.Missing > 0 {
		fmt.Fprintf(e.stdout, "%d files are gone from the source, and marked as missing there\n", r.Missing)
	}
	if r.Gone > 0 {
		fmt.Fprintf(e.stdout, "%d files were evicted or replaced meanwhile\n", r.Gone)
	}
	return err
}

// verifyRecord is how "store verify" ends, as JSON.
type verifyRecord struct {
	Event      string `json:"event"`
	Files      int    `json:"files"`
	Bytes      int64  `json:"bytes"`
	Missing    int    `json:"missing"`
	Damaged    int    `json:"damaged"`
	Unreadable int    `json:"unreadable"`
	Orphans    int    `json:"orphans"`
	Marked     int    `json:"marked"`
	Back       int    `json:"back"`
	Restored   bool   `json:"restored"`
	Marker     string `json:"marker,omitempty"`
	Error      string `json:"error,omitempty"`
}

func runStoreVerify(ctx, _ context.Context, e env, args []string) error {
	var file, store string
	var o upkeep.VerifyOptions
	var asJSON bool
	if err := parse(e, "store verify", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&store, "store", "", "`URL` of the store; without it, that of cache.url")
		f.IntVar(&o.Parallel, "n", 8, "files that are read at a time")
		f.BoolVar(&o.MarkMissing, "mark-missing", false, "mark files that are not there as missing, however many; they are computed again; those that came back are read again")
		f.BoolVar(&o.RestoreMarker, "restore-marker", false, "mark the store again, if it has lost its marker and the files are there (or are marked as missing)")
		f.BoolVar(&asJSON, "json", false, "print JSON, one document a line")
	}); err != nil {
		return err
	}
	if o.Parallel < 1 {
		return usageError{"-n is a number of files, at least 1"}
	}
	k, err := storekeeper(ctx, e, file)
	if err != nil {
		return err
	}
	defer k.Close()
	p := newProgress(e, "verified", asJSON)
	o.Progress = func(now upkeep.Progress) { p.show(amount(now)) }
	o.Found = func(f upkeep.Finding) {
		if asJSON {
			_ = json.NewEncoder(e.stdout).Encode(struct {
				Event string `json:"event"`
				upkeep.Finding
			}{"finding", f}) // who listens no longer need not be told
			return
		}
		line := f.Kind + ": " + f.Object
		if f.Reason != "" {
			line += ": " + clean(f.Reason)
		}
		p.say(e.stdout, "%s", line)
	}
	r, err := k.Verify(ctx, config.URL(store), o)
	p.end()
	if err == nil && !r.Clean() {
		err = errNotClean(r)
	}
	if asJSON {
		record := verifyRecord{"end", r.Files, r.Bytes, r.Missing, r.Damaged, r.Unreadable, r.Orphaned, r.Marked, r.Back, r.Restored, r.Marker, ""}
		if err != nil {
			record.Error = err.Error()
		}
		return errors.Join(json.NewEncoder(e.stdout).Encode(record), err)
	}
	fmt.Fprintf(e.stdout, "%d files are whole, %s\n", r.Files, size(r.Bytes))
	if r.Marked > 0 {
		fmt.Fprintf(e.stdout, "%d files are marked as missing\n", r.Marked)
	}
	switch {
	case r.Back > 0 && o.MarkMissing:
		fmt.Fprintf(e.stdout, "%d files came back, and are no longer marked as missing\n", r.Back)
	case r.Back > 0:
		fmt.Fprintf(e.stdout, "%d files came back, and are still marked as missing; -mark-missing changes that\n", r.Back)
	}
	if r.Restored {
		fmt.Fprintln(e.stdout, "the store bears its marker again")
	}
	return err
}

func errNotClean(r upkeep.VerifyReport) error {
	message := fmt.Sprintf("%d files are missing, %d damaged, %d could not be read; %d objects are nobody's", r.Missing, r.Damaged, r.Unreadable, r.Orphaned)
	if r.Marker != "" {
		message += "; the store " + r.Marker
	}
	return errors.New(message)
}

func runStoreRetire(ctx, _ context.Context, e env, args []string) error {
	var file string
	words, err := parseWords(e, "store retire", "URL", args, configFlag(&file))
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usageError{"slashbatch store retire takes the URL of one store"}
	}
	k, err := storekeeper(ctx, e, file)
	if err != nil {
		return err
	}
	defer k.Close()
	deleted, err := k.Retire(ctx, config.URL(words[0]))
	if deleted > 0 {
		fmt.Fprintf(e.stdout, "%d objects were deleted\n", deleted)
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(e.stdout, "the store is retired; take it out of cache.readFrom, too")
	return err
}
