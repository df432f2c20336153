package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"slashbatch/internal/app"
)

// putRecord is what "result put" prints as JSON.
type putRecord struct {
	Key    string `json:"key"`
	Result int64  `json:"result"`
	Rows   int64  `json:"rows"`
	Bytes  int64  `json:"bytes"`
	URL    string `json:"url"`
	// Typed: the columns are the endpoint's; else they are text.
	Typed bool `json:"typed"`
	// Known: the same rows were stored already.
	Known   bool  `json:"known"`
	Expires stamp `json:"expires,omitzero"`
	Pinned  bool  `json:"pinned"`
}

func runResultPut(ctx, _ context.Context, e env, args []string) error {
	var file string
	var d app.Deposit
	var asJSON bool
	words, err := parseWords(e, "result put", "URL FILE", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		userFlag(f, &d.User)
		f.BoolVar(&d.Pinned, "pin", false, "it does not expire, and nothing evicts it")
		f.DurationVar(&d.MaxAge, "max-age", 0, "how `long` it answers the request, such as 24h; without it, as long as results of the endpoint do")
		f.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	switch {
	case len(words) != 2:
		return usageError{"slashbatch result put takes the URL of a request, and a file of CSV, plain or gzip; - is standard input"}
	case d.MaxAge < 0:
		return usageError{"-max-age is a time from now on"}
	case d.MaxAge > 0 && d.Pinned:
		return usageError{"slashbatch result put takes -pin or -max-age: what is pinned does not expire"}
	}
	d.URL = words[0]
	in, name := os.Stdin, "standard input"
	if words[1] != "-" {
		if in, err = os.Open(words[1]); err != nil {
			return err
		}
		name = words[1]
	}
	// A pipe that nothing comes through is let go when the process is to stop.
	defer context.AfterFunc(ctx, func() { _ = in.Close() })() // it was read only
	defer in.Close()
	l, err := librarian(ctx, e, file)
	if err != nil {
		return err
	}
	defer l.Close()
	reading := newReading(e, in)
	put, err := l.Put(ctx, d, reading)
	reading.end()
	if wrong, ok := errors.AsType[*app.FileProblems](err); ok {
		return aboutLines(name, wrong)
	}
	if err != nil {
		return err
	}
	r := putRecord{
		Key: put.Key, Result: put.Result, Rows: put.File.Rows, Bytes: put.File.Bytes, URL: put.URL, Typed: put.Typed, Known: put.Known, Pinned: put.Pinned,
	}
	if !put.Pinned {
		r.Expires = stamp(put.Expires)
	}
	if asJSON {
		return printJSON(e.stdout, r)
	}
	return table(e.stdout, putLines(r))
}

// reading shows how far a file has been read, where that is known.
type reading struct {
	*progress
	file *os.File
	so   amount
}

func newReading(e env, in *os.File) *reading {
	r := &reading{file: in, progress: newProgress(e, "read", false), so: amount{OfFiles: 1}}
	if info, err := in.Stat(); err == nil && info.Mode().IsRegular() {
		r.so.OfBytes = info.Size()
	}
	return r
}

// Read implements io.Reader.
func (r *reading) Read(p []byte) (int, error) {
	n, err := r.file.Read(p)
	if r.so.OfBytes > 0 {
		r.so.Bytes += int64(n)
		r.show(r.so)
	}
	return n, err
}

// aboutLines names the file in front of each of its problems.
func aboutLines(name string, wrong *app.FileProblems) error {
	var all []error
	for _, p := range wrong.Problems {
		all = append(all, aboutWord(name, p))
	}
	if wrong.More > 0 {
		all = append(all, fmt.Errorf("%s: and %d problems more", clean(name), wrong.More))
	}
	return errors.Join(all...)
}

func putLines(r putRecord) [][]string {
	columns, answers := "those of the endpoint", "until "+moment(time.Time(r.Expires))+" UTC"
	if !r.Typed {
		columns = "text, since the header is not the endpoint's"
	}
	if r.Pinned {
		answers = "for ever: it is pinned"
	}
	result := number(r.Result)
	if r.Known {
		result += ", which has the same rows already"
	}
	return [][]string{
		{"result", result},
		{"key", r.Key},
		{"rows", number(r.Rows)},
		{"bytes", number(r.Bytes)},
		{"columns", columns},
		{"served at", r.URL},
		{"answers", answers},
	}
}
