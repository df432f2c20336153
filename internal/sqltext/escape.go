package sqltext

import "strings"

// unfinished reports whether the text of an E'…' up to here ends in an escape
// which the next character is a part of, or can become one: \ \1 \x4 \u00e. The
// text must not begin in the middle of an escape.
func unfinished(text string) bool {
	for {
		_, rest, found := strings.Cut(text, `\`)
		switch {
		case !found:
			return false
		case rest == "":
			return true
		}
		most, digits := 0, "0123456789abcdefABCDEF"
		switch c := rest[0]; c {
		case '0', '1', '2', '3', '4', '5', '6', '7':
			most, digits = 2, "01234567" // with the first one three
		case 'x':
			most = 2
		case 'u':
			most = 4
		case 'U':
			most = 8
		}
		text = rest[1:]
		for ; most > 0 && text != "" && strings.IndexByte(digits, text[0]) >= 0; most-- {
			text = text[1:]
		}
		if most > 0 && text == "" {
			return true
		}
	}
}
