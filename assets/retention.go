package assets

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"slashbatch/internal/problem"
)

// Retention is when the recorded members of finished batches may go. Its JSON has durations
// as the configuration has them: {"completed": "30d", "errors": "365d", "superseded": "7d",
// "keepLast": 1}. The zero Retention keeps all for ever.
type Retention struct {
	// Completed is how long after its outcome a completed member is kept, Errors one in
	// error, Superseded one whose asset has a newer outcome in another batch. 0: for ever.
	Completed  time.Duration
	Errors     time.Duration
	Superseded time.Duration
	// KeepLast is how many records of each asset, newest first, are kept whatever their age.
	KeepLast int
}

// Closest returns the retention that holds: the batch's own, else the customer's, else the
// service's. It holds as a whole: what it leaves out is not taken from the next.
func Closest(batch, customer *Retention, service Retention) Retention {
	switch {
	case batch != nil:
		return *batch
	case customer != nil:
		return *customer
	}
	return service
}

// ParseRetention reads a retention, nil for null; at is its place for problems, which tell
// all that is wrong with it.
func ParseRetention(value []byte, at string) (*Retention, problem.List) {
	var problems problem.List
	if strings.TrimSpace(string(value)) == "null" {
		return nil, nil
	}
	object, err := jsonObject(value)
	if err != nil {
		problems.Add(at, `expected an object such as {"completed": "30d", "errors": "365d", "superseded": "7d", "keepLast": 1}: %v`, err)
		return nil, problems
	}
	prefix := ""
	if at != "" {
		prefix = at + "."
	}
	var r Retention
	for name, part := range properties(object, everything, twice(&problems, prefix)) {
		if reason := r.read(name, part); reason != "" {
			problems.Add(prefix+briefly(name), "%s", reason)
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return &r, nil
}

// read takes one property, or says what is wrong with it.
func (r *Retention) read(name string, value json.RawMessage) (reason string) {
	isNull := jsonKind(value) == "null" // which is the same as leaving it out
	switch name {
	case "completed":
		r.Completed, reason = readRetentionTime(value)
	case "errors":
		r.Errors, reason = readRetentionTime(value)
	case "superseded":
		r.Superseded, reason = readRetentionTime(value)
	case "keepLast":
		n, wrong := wholeNumber(string(value), 32)
		if n < 0 || wrong != "" && !isNull {
			return "expected a whole number, 0 or more, got " + briefly(string(value))
		}
		r.KeepLast = int(n)
	default:
		if !strings.HasPrefix(name, "@") { // annotations of JSON-LD
			return "is not known: expected completed, errors, superseded or keepLast"
		}
	}
	return reason
}

const wantRetentionTime = `expected a duration such as "30d", "1d12h" or "90s", or a number of milliseconds; 0 is for ever`

// readRetentionTime reads a text or a number of milliseconds, as the configuration has them.
func readRetentionTime(value json.RawMessage) (d time.Duration, reason string) {
	ok := false
	switch jsonKind(value) {
	case "null":
		return 0, ""
	case "a text":
		text, wrong := jsonText(value)
		d, ok = parseDays(text)
		ok = ok && wrong == ""
	case "a number":
		ms, wrong := wholeNumber(string(value), 64)
		d, ok = time.Duration(ms)*time.Millisecond, wrong == "" && ms >= 0 && ms <= math.MaxInt64/int64(time.Millisecond)
	}
	if !ok || d < 0 {
		return 0, wantRetentionTime + ", got " + briefly(string(value))
	}
	return d, ""
}

const day = 24 * time.Hour

// parseDays reads a duration of Go that may begin with whole days: "1d12h".
func parseDays(text string) (d time.Duration, ok bool) {
	days, rest, hasDays := strings.Cut(text, "d")
	if !hasDays {
		d, err := time.ParseDuration(text)
		return d, err == nil
	}
	n, err := strconv.ParseUint(days, 10, 63)
	if err != nil || n > uint64(math.MaxInt64/day) {
		return 0, false
	}
	d = time.Duration(n) * day
	if rest == "" {
		return d, true
	}
	more, err := time.ParseDuration(rest)
	return d + more, err == nil && more >= 0 && more <= math.MaxInt64-d
}

// daysText writes what parseDays reads: "30d", "1d12h", "1h30m".
func daysText(d time.Duration) string {
	text := ""
	if d >= day {
		text = strconv.FormatInt(int64(d/day), 10) + "d"
		if d %= day; d == 0 {
			return text
		}
	}
	rest := d.String()
	if strings.HasSuffix(rest, "m0s") {
		rest = strings.TrimSuffix(rest, "0s")
	}
	if strings.HasSuffix(rest, "h0m") {
		rest = strings.TrimSuffix(rest, "0m")
	}
	return text + rest
}

// retentionDocument is a retention in JSON.
type retentionDocument struct {
	Completed  string `json:"completed,omitempty"`
	Errors     string `json:"errors,omitempty"`
	Superseded string `json:"superseded,omitempty"`
	KeepLast   int    `json:"keepLast,omitempty"`
}

// MarshalJSON writes what ParseRetention reads, without what is for ever.
func (r Retention) MarshalJSON() ([]byte, error) {
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return daysText(d)
	}
	return json.Marshal(retentionDocument{text(r.Completed), text(r.Errors), text(r.Superseded), r.KeepLast})
}

// UnmarshalJSON reads as ParseRetention does. The error is a problem.List.
func (r *Retention) UnmarshalJSON(value []byte) error {
	read, problems := ParseRetention(value, "")
	if read != nil {
		*r = *read
	}
	return problems.Err()
}
