package endpoint

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// mostDigits bounds a numeric written out without an exponent. PostgreSQL
	// admits far more; nobody filters by them.
	mostDigits = 1000
	// mostValueBytes bounds one value.
	mostValueBytes = 8192
	// mostValues bounds the values of one filter.
	mostValues = 1000
)

// checkText returns what makes a text unfit for PostgreSQL or for us, or "".
func checkText(s string) string { return checkTextOf(s, mostValueBytes) }

// checkTextOf is checkText for texts of at most so many bytes.
func checkTextOf(s string, most int) string {
	switch {
	case len(s) > most:
		return fmt.Sprintf("is longer than %d bytes", most)
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case strings.IndexByte(s, 0) >= 0:
		return "has a NUL byte"
	}
	return ""
}

// canonical returns the one way in which the value is written: the same for
// all spellings that mean the same to a column of this type. It returns false
// for what is not a value of the type. The result is PostgreSQL's input text.
func (t columnType) canonical(raw string) (string, bool) {
	switch t.kind {
	case Int:
		return canonicalInt(raw, t.bits)
	case Numeric:
		return canonicalNumeric(raw)
	case Float:
		return canonicalFloat(raw, t.bits)
	case Bool:
		return canonicalBool(raw)
	case Date:
		return canonicalDate(raw)
	case Timestamp:
		return canonicalTime(raw, "2006-01-02T15:04:05.999999")
	case TimestampTZ:
		return canonicalTime(raw, "2006-01-02T15:04:05.999999Z")
	case UUID:
		return canonicalUUID(raw)
	}
	return raw, true
}

// unplus drops a plus sign, also one that a form decoder took for a space.
func unplus(raw string) string {
	if raw != "" && (raw[0] == '+' || raw[0] == ' ') {
		return raw[1:]
	}
	return raw
}

var intSyntax = regexp.MustCompile(`^[+ -]?[0-9]+$`)

func canonicalInt(raw string, bits int) (string, bool) {
	if !intSyntax.MatchString(raw) {
		return "", false
	}
	n, err := strconv.ParseInt(unplus(raw), 10, bits)
	if err != nil {
		return "", false
	}
	return strconv.FormatInt(n, 10), true
}

var numericSyntax = regexp.MustCompile(`^([+ -]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+ -]?[0-9]{1,5}))?$`)

// canonicalNumeric writes a decimal number without exponent and without zeros
// that mean nothing: 1.50e1 is 15.
func canonicalNumeric(raw string) (string, bool) {
	m := numericSyntax.FindStringSubmatch(raw)
	if m == nil || m[2]+m[3] == "" {
		return "", false
	}
	exponent := 0
	if m[4] != "" {
		exponent, _ = strconv.Atoi(unplus(m[4])) // The syntax bounds it.
	}
	digits := m[2] + m[3]
	point := len(m[2]) + exponent // the digits before the point
	trimmed := strings.TrimLeft(digits, "0")
	point -= len(digits) - len(trimmed)
	digits = strings.TrimRight(trimmed, "0")
	if digits == "" {
		return "0", true
	}
	if max(point, len(digits))-min(point, 0) > mostDigits {
		return "", false
	}
	switch {
	case point <= 0:
		digits = "0." + strings.Repeat("0", -point) + digits
	case point >= len(digits):
		digits += strings.Repeat("0", point-len(digits))
	default:
		digits = digits[:point] + "." + digits[point:]
	}
	if m[1] == "-" {
		digits = "-" + digits
	}
	return digits, true
}

// canonicalFloat writes the shortest number that rounds to the same float.
// What PostgreSQL would refuse as out of range, too small included, is refused.
func canonicalFloat(raw string, bits int) (string, bool) {
	m := numericSyntax.FindStringSubmatch(raw)
	if m == nil || m[2]+m[3] == "" {
		return "", false
	}
	// Where there is a space, there was a plus.
	f, err := strconv.ParseFloat(strings.ReplaceAll(raw, " ", "+"), bits)
	if err != nil || math.IsInf(f, 0) {
		return "", false
	}
	if f == 0 {
		return "0", strings.Trim(m[2]+m[3], "0") == ""
	}
	return strconv.FormatFloat(f, 'g', -1, bits), true
}

func canonicalBool(raw string) (string, bool) {
	switch strings.ToLower(raw) {
	case "true", "t", "1":
		return "true", true
	case "false", "f", "0":
		return "false", true
	}
	return "", false
}

func canonicalDate(raw string) (string, bool) {
	d, err := time.Parse(time.DateOnly, raw)
	if err != nil || d.Year() < 1 {
		return "", false
	}
	return d.Format(time.DateOnly), true
}

var timeSyntax = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)([Zz]|[+ -][0-9]{2}:?[0-9]{2})?)?$`)

// canonicalTime reads RFC 3339, also without an offset and a date alone, both
// meaning UTC as in the sessions, and PostgreSQL's own form with a space. A
// space before the offset was a +. Fractions are rounded to microseconds, as
// PostgreSQL does. The result is in UTC.
func canonicalTime(raw, layout string) (string, bool) {
	m := timeSyntax.FindStringSubmatch(raw)
	if m == nil {
		return "", false
	}
	clock, offset := m[2], strings.Replace(m[3], " ", "+", 1)
	if clock == "" {
		clock = "00:00:00"
	}
	if offset == "" || offset == "z" {
		offset = "Z"
	}
	if len(offset) == len("+0100") {
		offset = offset[:3] + ":" + offset[3:]
	}
	at, err := time.Parse(time.RFC3339Nano, m[1]+"T"+clock+offset)
	if err != nil {
		return "", false
	}
	at = at.UTC().Round(time.Microsecond)
	if at.Year() < 1 || at.Year() > 9999 {
		return "", false
	}
	return at.Format(layout), true
}

var uuidSyntax = regexp.MustCompile(`^[0-9a-f]{32}$|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

func canonicalUUID(raw string) (string, bool) {
	raw = strings.ToLower(raw)
	if !uuidSyntax.MatchString(raw) {
		return "", false
	}
	hex := strings.ReplaceAll(raw, "-", "")
	return strings.Join([]string{hex[:8], hex[8:12], hex[12:16], hex[16:20], hex[20:]}, "-"), true
}

// arrayLiteral writes values as the text of a PostgreSQL array. Every element
// is quoted, so that none can be NULL or be taken apart.
func arrayLiteral(values []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		b.WriteString(arrayEscape.Replace(v))
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

var arrayEscape = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// likePattern writes a LIKE pattern that matches the texts that begin with
// each value (prefix) or contain it.
func likePattern(match, value string) string {
	pattern := likeEscape.Replace(value) + "%"
	if match == MatchContains {
		pattern = "%" + pattern
	}
	return pattern
}

var likeEscape = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// unique returns the values sorted, each once.
func unique(values []string) []string {
	slices.Sort(values)
	return slices.Compact(values)
}
