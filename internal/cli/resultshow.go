package cli

import (
	"context"
	"flag"
	"fmt"
	"strconv"
	"time"

	"slashbatch/internal/app"
)

// shownResult is what "result show" prints as JSON.
type shownResult struct {
	ID       int64           `json:"id"`
	Owner    string          `json:"owner"`
	Digest   string          `json:"digest"`
	Rows     int64           `json:"rows"`
	Bytes    int64           `json:"bytes"`
	Created  stamp           `json:"created"`
	Accessed stamp           `json:"accessed"`
	Columns  []columnRecord  `json:"columns"`
	Files    []fileRecord    `json:"files"`
	Requests []requestRecord `json:"requests"`
	Aliases  []aliasRecord   `json:"aliases"`
	// RequestCount and AliasCount are of all; the lists have the first thousand.
	RequestCount int `json:"requestCount"`
	AliasCount   int `json:"aliasCount"`
}

type columnRecord struct {
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
	OID  uint32 `json:"oid"`
	Mod  int32  `json:"mod,omitempty"`
}

type fileRecord struct {
	Format      string           `json:"format"`
	Options     string           `json:"options,omitempty"`
	ContentType string           `json:"contentType"`
	Gzipped     bool             `json:"gzipped"`
	Bytes       int64            `json:"bytes"`
	Stored      int64            `json:"stored"`
	SHA256      string           `json:"sha256"`
	Blocks      int              `json:"blocks"`
	Created     stamp            `json:"created"`
	Accessed    stamp            `json:"accessed"`
	Locations   []locationRecord `json:"locations"`
}

type locationRecord struct {
	Store    string `json:"store"`
	Object   string `json:"object"`
	State    string `json:"state"`
	Verified stamp  `json:"verified"`
}

type requestRecord struct {
	Key       string `json:"key"`
	Endpoint  string `json:"endpoint,omitempty"`
	User      string `json:"user,omitempty"`
	Job       string `json:"job"`
	Generated stamp  `json:"generated"`
	Published stamp  `json:"published"`
	Expires   stamp  `json:"expires"`
	Accessed  stamp  `json:"accessed"`
	Pinned    bool   `json:"pinned"`
	Valid     bool   `json:"valid"`
}

type aliasRecord struct {
	Name      string `json:"name"`
	Owner     string `json:"owner,omitempty"`
	FileName  string `json:"fileName"`
	Generated stamp  `json:"generated"`
	Created   stamp  `json:"created"`
	Expires   stamp  `json:"expires"`
	Valid     bool   `json:"valid"`
}

func shownResultOf(d app.Details) shownResult {
	s := shownResult{
		ID: d.ID, Owner: d.Owner, Digest: d.Digest, Rows: d.Rows, Bytes: d.Bytes, Created: stamp(d.Created), Accessed: stamp(d.Accessed),
		Columns: []columnRecord{}, Files: []fileRecord{}, Requests: []requestRecord{}, Aliases: []aliasRecord{},
		RequestCount: d.RequestCount, AliasCount: d.AliasCount,
	}
	for _, c := range d.Columns {
		s.Columns = append(s.Columns, columnRecord{c.Name, c.Type, c.OID, c.Mod})
	}
	for _, f := range d.Files {
		r := fileRecord{
			Format: f.Form.Format, Options: f.Form.Options, ContentType: f.ContentType, Gzipped: f.Gzipped, Bytes: f.Bytes, Stored: f.Stored,
			SHA256: f.SHA256, Blocks: f.Blocks, Created: stamp(f.Created), Accessed: stamp(f.Accessed), Locations: []locationRecord{},
		}
		for _, l := range f.Locations {
			r.Locations = append(r.Locations, locationRecord{l.Store, l.Object, l.State, stamp(l.Verified)})
		}
		s.Files = append(s.Files, r)
	}
	for _, q := range d.Requests {
		s.Requests = append(s.Requests, requestRecord{
			q.Key, q.Endpoint, q.User, q.Job, stamp(q.Generated), stamp(q.Published), stamp(q.Expires), stamp(q.Accessed), q.Pinned, q.Valid,
		})
	}
	for _, a := range d.Aliases {
		s.Aliases = append(s.Aliases, aliasRecord{a.Name, a.Owner, a.FileName, stamp(a.Generated), stamp(a.Created), stamp(a.Expires), a.Valid})
	}
	return s
}

// userFlag defines the flag that says whose request a URL is.
func userFlag(f *flag.FlagSet, user *string) {
	f.StringVar(user, "user", "", "whose request a URL is: the `name` of a user, for endpoints that answer each with rows of their own")
}

func runResultShow(ctx, _ context.Context, e env, args []string) error {
	var file, user string
	var asJSON bool
	words, err := parseWords(e, "result show", "ID | KEY | ALIAS | URL", args, func(f *flag.FlagSet) {
		configFlag(&file)(f)
		userFlag(f, &user)
		f.BoolVar(&asJSON, "json", false, "print JSON")
	})
	if err != nil {
		return err
	}
	if len(words) != 1 {
		return usageError{"slashbatch result show takes one id, request key, alias or URL"}
	}
	l, err := librarian(ctx, e, file)
	if err != nil {
		return err
	}
	defer l.Close()
	d, err := l.Show(ctx, words[0], user)
	if err != nil {
		return err
	}
	s := shownResultOf(d)
	if asJSON {
		return printJSON(e.stdout, s)
	}
	for i, t := range shownTables(s) {
		if len(t) == 1 {
			continue
		}
		if i > 0 {
			fmt.Fprintln(e.stdout)
		}
		if err := table(e.stdout, t); err != nil {
			return err
		}
	}
	return nil
}

// shownTables are what there is to say: the result itself, then its parts.
func shownTables(s shownResult) [][][]string {
	lines := [][]string{
		{"id", number(s.ID)},
		{"owner", s.Owner},
		{"rows", number(s.Rows)},
		{"bytes", number(s.Bytes)},
		{"digest", s.Digest},
		{"created", s.Created.String()},
		{"accessed", s.Accessed.String()},
		{"requests", strconv.Itoa(s.RequestCount)},
		{"aliases", strconv.Itoa(s.AliasCount)},
	}
	columns := [][]string{{"COLUMN", "TYPE"}}
	for _, c := range s.Columns {
		typ := c.Type
		if typ == "" {
			typ = fmt.Sprintf("type %d of its data source", c.OID)
		}
		columns = append(columns, []string{c.Name, typ})
	}
	files := [][]string{{"FILE", "BYTES", "STORED", "ACCESSED (UTC)", "SHA256"}}
	places := [][]string{{"FILE", "STATE", "VERIFIED (UTC)", "STORE", "OBJECT"}}
	for _, f := range s.Files {
		name := f.Format
		if f.Options != "" {
			name += ":" + f.Options
		}
		files = append(files, []string{name, number(f.Bytes), number(f.Stored), f.Accessed.String(), f.SHA256})
		for _, l := range f.Locations {
			places = append(places, []string{name, l.State, l.Verified.String(), dash(l.Store), l.Object})
		}
	}
	requests := [][]string{{"REQUEST", "ENDPOINT", "USER", "GENERATED (UTC)", "PUBLISHED", "EXPIRES", "ACCESSED", "JOB"}}
	for _, r := range s.Requests {
		requests = append(requests, []string{
			r.Key, dash(r.Endpoint), dash(r.User), r.Generated.String(), r.Published.String(), until(r.Expires, r.Pinned, r.Valid), r.Accessed.String(), r.Job,
		})
	}
	aliases := [][]string{{"ALIAS", "OWNER", "FILE NAME", "CREATED (UTC)", "EXPIRES"}}
	for _, a := range s.Aliases {
		aliases = append(aliases, []string{a.Name, dash(a.Owner), a.FileName, a.Created.String(), until(a.Expires, false, a.Valid)})
	}
	return [][][]string{lines, columns, files, places, requests, aliases}
}

// until says how long a name leads to its result.
func until(expires stamp, pinned, valid bool) string {
	switch {
	case pinned:
		return "pinned"
	case !valid:
		return moment(time.Time(expires)) + " (has expired)"
	}
	return expires.String()
}
