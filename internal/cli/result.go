package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"slashbatch/internal/app"
	"slashbatch/internal/config"

	"github.com/gocarina/gocsv"
)

// librarian connects to the catalogue of the configuration in a file.
func librarian(ctx context.Context, e env, file string) (*app.Librarian, error) {
	c, problems := config.Load(file, e.vars)
	if len(problems) > 0 {
		return nil, problems
	}
	return app.OpenLibrarian(ctx, c, logger(c.Log, e.stderr))
}

// resultRecord is a result in JSON and CSV.
type resultRecord struct {
	ID     int64  `json:"id" csv:"id"`
	Owner  string `json:"owner" csv:"owner"`
	Rows   int64  `json:"rows" csv:"rows"`
	Bytes  int64  `json:"bytes" csv:"bytes"`
	Stored int64  `json:"stored" csv:"stored"`
	Forms  words  `json:"forms" csv:"forms"`
	// Requests is how many there are; Key and Endpoint are the first one's.
	Requests int    `json:"requests" csv:"requests"`
	Key      string `json:"key,omitempty" csv:"key"`
	Endpoint string `json:"endpoint,omitempty" csv:"endpoint"`
	Aliases  int    `json:"aliases" csv:"aliases"`
	Created  stamp  `json:"created" csv:"created"`
	Accessed stamp  `json:"accessed" csv:"accessed"`
	// Generated and Expires are the latest of its names'.
	Generated stamp `json:"generated,omitzero" csv:"generated"`
	Expires   stamp `json:"expires,omitzero" csv:"expires"`
	Pinned    bool  `json:"pinned" csv:"pinned"`
}

// words are a list in JSON, and in CSV one cell, with spaces between them.
type words []string

// MarshalCSV implements gocsv.TypeMarshaller.
func (w words) MarshalCSV() (string, error) { return strings.Join(w, " "), nil }

func recordOfResult(l app.Listed) resultRecord {
	return resultRecord{
		ID: l.ID, Owner: l.Owner, Rows: l.Rows, Bytes: l.Bytes, Stored: l.Stored, Forms: l.Forms,
		Requests: l.Requests, Key: l.Key, Endpoint: l.Endpoint, Aliases: l.Aliases,
		Created: stamp(l.Created), Accessed: stamp(l.Accessed), Generated: stamp(l.Generated), Expires: stamp(l.Expires), Pinned: l.Pinned,
	}
}

// resultPage is a page of the list in JSON.
type resultPage struct {
	Results []resultRecord `json:"results"`
	// Next is the -after of the page that follows, Prev the -before of the one that this
	// follows.
	Next string `json:"next,omitempty"`
	Prev string `json:"prev,omitempty"`
}

func runResultList(ctx, _ context.Context, e env, args []string) error {
	var file string
	var c app.Choice
	var asJSON, asCSV bool
	if err := parse(e, "result list", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		f.StringVar(&c.Endpoint, "endpoint", "", "only results that answer a request of the endpoint with this `name`")
		f.StringVar(&c.Owner, "owner", "", "only results of this `owner`: shared or user:NAME")
		f.IntVar(&c.N, "n", 50, fmt.Sprintf("at most so `many`; more than %d are never shown at once", app.MostListed))
		f.StringVar(&c.After, "after", "", "older ones than at this `place` in the list, which a page of it told; or than a time, as 2026-01-31 or 2026-01-31T12:00:00Z")
		f.StringVar(&c.Before, "before", "", "the page of newer ones next to this `place`")
		f.BoolVar(&asJSON, "json", false, "print JSON")
		f.BoolVar(&asCSV, "csv", false, "print CSV; where the list goes on is told on standard error")
	}); err != nil {
		return err
	}
	switch {
	case asJSON && asCSV:
		return usageError{"slashbatch result list prints JSON or CSV, not both"}
	case c.After != "" && c.Before != "":
		return usageError{"slashbatch result list takes -after or -before, not both"}
	case c.N < 1:
		return usageError{"-n is a number of results, at least 1"}
	case c.Owner != "" && c.Owner != "shared" && !strings.HasPrefix(c.Owner, "user:"):
		return usageError{fmt.Sprintf("no result is of %q; owners are shared and user:NAME", c.Owner)}
	}
	l, err := librarian(ctx, e, file)
	if err != nil {
		return err
	}
	defer l.Close()
	page, err := l.List(ctx, c)
	if errors.Is(err, app.ErrCursor) {
		return usageError{err.Error()}
	}
	if err != nil {
		return err
	}
	d := resultPage{Results: []resultRecord{}, Next: page.Next.String(), Prev: page.Prev.String()}
	for _, r := range page.Results {
		d.Results = append(d.Results, recordOfResult(r))
	}
	switch {
	case asJSON:
		return printJSON(e.stdout, d)
	case asCSV:
		tellPages(e.stderr, d)
		return gocsv.Marshal(d.Results, e.stdout)
	}
	if err := table(e.stdout, resultTable(d.Results)); err != nil {
		return err
	}
	if d.Next != "" || d.Prev != "" {
		fmt.Fprintln(e.stdout)
	}
	tellPages(e.stdout, d)
	return nil
}

// tellPages says how to go on in the list.
func tellPages(w io.Writer, d resultPage) {
	if d.Next != "" {
		fmt.Fprintf(w, "older: -after %s\n", d.Next)
	}
	if d.Prev != "" {
		fmt.Fprintf(w, "newer: -before %s\n", d.Prev)
	}
}

func resultTable(records []resultRecord) [][]string {
	rows := [][]string{{"ID", "OWNER", "ROWS", "BYTES", "STORED", "FORMS", "CREATED (UTC)", "ACCESSED", "GENERATED", "EXPIRES", "REQUESTS", "ALIASES", "KEY"}}
	for _, r := range records {
		expires := r.Expires.String()
		if r.Pinned {
			expires = "pinned"
		}
		rows = append(rows, []string{
			number(r.ID), r.Owner, number(r.Rows), number(r.Bytes), number(r.Stored), dash(strings.Join(r.Forms, " ")),
			r.Created.String(), r.Accessed.String(), r.Generated.String(), expires, strconv.Itoa(r.Requests), strconv.Itoa(r.Aliases), dash(r.Key),
		})
	}
	return rows
}

func number(n int64) string { return strconv.FormatInt(n, 10) }
