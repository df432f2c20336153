package carto

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// sql reads a text of SQL. Text that happens to be JSON is SQL as any other.
func (p *parser) sql(v any, at string) string {
	text, ok := v.(string)
	switch {
	case !ok:
		p.problems.Add(at, "expected a string")
	case strings.TrimSpace(text) == "":
		p.problems.Add(at, "is blank")
	default:
		if wrong := checkText(text); wrong != "" {
			p.problems.Add(at, "%s", wrong)
		}
	}
	return text
}

// boolean reads true or false; a form can only send them as text.
func (p *parser) boolean(v any, at string) *bool {
	switch v := v.(type) {
	case bool:
		return &v
	case string:
		if v == "true" || v == "false" {
			b := v == "true"
			return &b
		}
	}
	p.problems.Add(at, "expected true or false")
	return nil
}

// milliseconds reads a time limit; 0 is none. As in CartoDB, only a finite number
// above 0 is one, and everything else is ignored. It is rounded up: PostgreSQL
// would take less than half a millisecond for no limit.
func milliseconds(v any) time.Duration {
	number, _ := v.(json.Number)
	ms, err := number.Float64()
	if err != nil || !(ms > 0) {
		return 0
	}
	const most = math.MaxInt64 / int64(time.Millisecond)
	return time.Duration(min(math.Ceil(ms), float64(most))) * time.Millisecond
}

// mostDepth bounds how deep a value nests that only the client understands.
const mostDepth = 32

// checkValue tells what is wrong with a value that is kept and shown; "" is nothing.
func checkValue(v any, depth int) string {
	if depth == 0 {
		return "nests deeper than " + strconv.Itoa(mostDepth) + " levels"
	}
	switch v := v.(type) {
	case nil, bool:
		return ""
	case string:
		return checkText(v)
	case json.Number:
		if _, err := v.Float64(); (err != nil && !errors.Is(err, strconv.ErrRange)) || !json.Valid([]byte(v)) {
			return "holds a number that JSON does not have"
		}
		return ""
	case []any:
		for _, v := range v {
			if wrong := checkValue(v, depth-1); wrong != "" {
				return wrong
			}
		}
		return ""
	case map[string]any:
		for name, v := range v {
			if wrong := checkText(name); wrong != "" {
				return wrong
			}
			if wrong := checkValue(v, depth-1); wrong != "" {
				return wrong
			}
		}
		return ""
	}
	return "holds a value that JSON does not have"
}

// checkText tells what makes a text unfit for the database; "" is nothing.
func checkText(s string) string {
	switch {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.IndexByte(s, 0) >= 0:
		// The database would take what stands before it for the whole.
		return "holds a NUL character"
	}
	return ""
}
