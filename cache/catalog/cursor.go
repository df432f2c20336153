package catalog

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// Cursor is a place between two results in the order of lists, newest first. It holds
// what results are sorted by, and not the name of one: so it stays where it is when the
// result that it was made from goes.
type Cursor struct {
	created time.Time
	id      int64
}

// cursorTime is exact to the microsecond, as PostgreSQL's times are.
const cursorTime = "2006-01-02T15:04:05.000000Z"

// ErrCursor is wrapped by the errors of ParseCursor.
var ErrCursor = errors.New("not a place in a list: want the text that a list gave, 2006-01-02T15:04:05.000000Z_17, or a time, 2006-01-02 or 2006-01-02T15:04:05Z")

// ParseCursor reads what String wrote. A time alone, or a date, which begins at midnight
// UTC, stands behind everything that was created at that time or later.
func ParseCursor(text string) (Cursor, error) {
	at, number, numbered := strings.Cut(text, "_")
	if numbered {
		created, err := time.Parse(cursorTime, at)
		id, wrong := strconv.ParseUint(number, 10, 63)
		if err != nil || wrong != nil || (Cursor{created, int64(id)}).String() != text {
			return Cursor{}, ErrCursor
		}
		return Cursor{created, int64(id)}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339Nano} {
		created, err := time.Parse(layout, text)
		created = created.UTC().Truncate(time.Microsecond)
		if err == nil && created.Year() > 0 && created.Year() < 10_000 {
			return Cursor{created: created}, nil // ids begin at 1
		}
	}
	return Cursor{}, ErrCursor
}

// String is the cursor as one word that no shell minds; "" for the zero Cursor.
func (c Cursor) String() string {
	if c.IsZero() {
		return ""
	}
	return c.created.UTC().Format(cursorTime) + "_" + strconv.FormatInt(c.id, 10)
}

// IsZero reports whether it is no place at all.
func (c Cursor) IsZero() bool { return c.created.IsZero() }
