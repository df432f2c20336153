// Package problem is the one form in which slashbatch tells somebody that what
// they wrote is wrong: a place and a sentence. Configuration, endpoint specs
// and request parameters all answer with a List, so that every problem is told
// at once instead of one per try.
package problem

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong and where.
type Problem struct {
	// File names the file it was read from; empty for requests.
	File string `json:"-"`
	// Path is the place inside it: "dataSources.batch.maxConns" in a file, the
	// parameter's name in a request. Empty means the whole.
	Path string `json:"name"`
	// Message says what is wrong and what would be right.
	Message string `json:"reason"`
}

// String renders "file: path: message", leaving out what is empty.
func (p Problem) String() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.File, p.Path, p.Message} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// List is every problem found; an empty list means none.
type List []Problem

// Add appends a problem at path.
func (l *List) Add(path, format string, args ...any) {
	*l = append(*l, Problem{Path: path, Message: fmt.Sprintf(format, args...)})
}

// In returns the list with every problem's File set to file where it is empty.
func (l List) In(file string) List {
	out := slices.Clone(l)
	for i := range out {
		if out[i].File == "" {
			out[i].File = file
		}
	}
	return out
}

// Error renders the list, one problem a line, so that a List can be returned
// as an error. Use Err to get nil for an empty list.
func (l List) Error() string {
	lines := make([]string, len(l))
	for i, p := range l {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err returns the list as an error, or nil when it is empty.
func (l List) Err() error {
	if len(l) == 0 {
		return nil
	}
	return l
}
