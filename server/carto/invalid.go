package carto

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"slashbatch/internal/problem"
)

// InvalidError is everything that is wrong with a definition, each with its place:
// "query[1].onerror: expected a string".
type InvalidError struct{ Problems problem.List }

// Error is all of it as one text.
func (e *InvalidError) Error() string { return strings.Join(e.Messages(), "; ") }

// Messages are the problems, one text each; never empty.
func (e *InvalidError) Messages() []string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	return texts
}

// mostProblems bounds the problems told about one definition.
const mostProblems = 50

// invalid returns the problems as an error; nil when there are none.
func invalid(problems problem.List) error {
	if n := len(problems); n > mostProblems {
		problems = problems[:mostProblems]
		problems.Add("", "and %d problems more", n-mostProblems)
	}
	if len(problems) == 0 {
		return nil
	}
	return &InvalidError{problems}
}

// errNoSQL is CartoDB's answer to a job without a query.
func errNoSQL() error {
	return &InvalidError{problem.List{{Message: "You must indicate a valid SQL"}}}
}

// TooLarge refuses a definition of this many bytes where maxBytes are allowed, in
// CartoDB's words.
func TooLarge(bytes, maxBytes int) *InvalidError {
	kb := strconv.FormatFloat(math.Round(float64(maxBytes)/1024*10)/10, 'f', -1, 64)
	return &InvalidError{problem.List{{Message: fmt.Sprintf(
		"Your payload is too large: %d bytes. Max size allowed is %d bytes (%skb). Are you trying to import data?. "+
			"Please, check out import api http://docs.cartodb.com/cartodb-platform/import-api/", bytes, maxBytes, kb)}}}
}

// longestName bounds what is quoted of a client's names, in bytes.
const longestName = 60

// shown is a client's name as a message may hold it.
func shown(name string) string {
	if len(name) > longestName {
		name = name[:longestName] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(name, "\uFFFD"))
}
