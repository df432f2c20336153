package endpoint

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"slashbatch/internal/problem"
)

// Control are a request's parameters about the answer, not about its rows.
// They are in no key and in no canonical form.
type Control struct {
	// Format is the word of _format, as sent; empty when not given.
	Format string
	// Count is the word of _count: CountExact, CountEstimated, or empty.
	Count string
	// Delimiter is _delimiter, what stands between the values of a CSV line:
	// ',', ';' or '\t'; 0 when not given, which means the comma.
	Delimiter byte
	// BOM is _bom: a CSV file begins with a byte order mark.
	BOM bool
	// Safe is _safe: text cells of a CSV file that a spreadsheet would run as a
	// formula are neutralised.
	Safe bool
	// Wait is _wait, given in seconds; Waits tells that it was given.
	Wait  time.Duration
	Waits bool
	// Fresh is _fresh.
	Fresh bool
	// Job is _job, as sent.
	Job string
}

// The words of _count.
const (
	CountExact     = "exact"
	CountEstimated = "estimated"
)

// delimiters are the words of _delimiter.
var delimiters = []struct {
	word string
	char byte
}{{"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}}

func delimiterWords() []string {
	var words []string
	for _, d := range delimiters {
		words = append(words, d.word)
	}
	return words
}

// ParseControl reads control parameters, of these names only, where no endpoint is asked: of
// a link to a result. Any other that begins with _ is a problem. The rest is not looked at:
// mailers and social networks add parameters of their own to links.
func ParseControl(params url.Values, names ...string) (Control, problem.List) {
	p := &parser{request: &Request{}}
	for _, name := range sortedKeys(params) {
		switch {
		case slices.Contains(names, name):
			if values, ok := p.texts(name, params[name]); ok {
				p.directive(name, values)
			}
		case strings.HasPrefix(name, "_"):
			p.problems.Add(shown(strings.ToValidUTF8(name, "\uFFFD")), "unknown parameter%s; known: %s", didYouMean(name, names), strings.Join(names, ", "))
		}
	}
	return p.request.Control, p.problems
}

// Values returns the parameters about how rows are written and counted, which a
// link to other rows of the same request repeats: _format, _count, _delimiter,
// _bom, _safe.
func (c Control) Values() url.Values {
	values := url.Values{}
	if c.Format != "" {
		values.Set(paramFormat, c.Format)
	}
	if c.Count != "" {
		values.Set(paramCount, c.Count)
	}
	for _, d := range delimiters {
		if c.Delimiter == d.char {
			values.Set(paramDelimiter, d.word)
		}
	}
	if c.BOM {
		values.Set(paramBOM, strconv.FormatBool(true))
	}
	if c.Safe {
		values.Set(paramSafe, strconv.FormatBool(true))
	}
	return values
}
