package assets

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"slashbatch/internal/problem"
)

// jsonValue returns a body that is one JSON value, without white space and a byte order mark
// around it.
func jsonValue(body []byte) (json.RawMessage, error) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	if len(body) == 0 {
		return nil, errors.New("there is nothing")
	}
	if !json.Valid(body) {
		err := json.Unmarshal(body, &struct{}{})
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("this is not JSON, at byte %d: %w", syntax.Offset, err)
		}
		return nil, fmt.Errorf("this is not JSON: %w", err)
	}
	return body, nil
}

// jsonObject is jsonValue for objects.
func jsonObject(body []byte) (json.RawMessage, error) {
	value, err := jsonValue(body)
	if err != nil {
		return nil, err
	}
	if kind := jsonKind(value); kind != "an object" {
		return nil, fmt.Errorf("got %s", kind)
	}
	return value, nil
}

// jsonKind names the type of a JSON value as messages do.
func jsonKind(value json.RawMessage) string {
	switch value[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	case '"':
		return "a text"
	case 't', 'f':
		return string(value)
	case 'n':
		return "null"
	}
	return "a number"
}

// properties goes through those properties of a valid JSON object that are wanted. One that is
// given again is told instead.
func properties(object json.RawMessage, wanted func(name string) bool, again func(name string)) iter.Seq2[string, json.RawMessage] {
	return func(yield func(string, json.RawMessage) bool) {
		d := json.NewDecoder(bytes.NewReader(object))
		seen := map[string]int{}
		var value json.RawMessage
		mustDecode(d.Token())
		for d.More() {
			name, _ := mustDecode(d.Token()).(string)
			value = mustDecode(decodeRaw(d, value))
			if !wanted(name) {
				continue
			}
			if seen[name]++; seen[name] > 1 {
				if seen[name] == 2 {
					again(name)
				}
				continue
			}
			if !yield(name, value) {
				return
			}
			value = nil // it is somebody else's now
		}
	}
}

// elements goes through a valid JSON list. An element is good until the next one: there may be
// millions.
func elements(list json.RawMessage) iter.Seq2[int, json.RawMessage] {
	return func(yield func(int, json.RawMessage) bool) {
		d := json.NewDecoder(bytes.NewReader(list))
		mustDecode(d.Token())
		var element json.RawMessage
		for i := 0; d.More(); i++ {
			element = mustDecode(decodeRaw(d, element))
			if !yield(i, element) {
				return
			}
		}
	}
}

// decodeRaw reads the next value into the space of another.
func decodeRaw(d *json.Decoder, space json.RawMessage) (json.RawMessage, error) {
	err := d.Decode(&space)
	return space, err
}

// mustDecode is for JSON that is known to be valid.
func mustDecode[T any](value T, err error) T {
	if err != nil {
		panic(fmt.Errorf("valid JSON cannot be read: %w", err))
	}
	return value
}

// known reports whether a name is one of these.
func known(names ...string) func(name string) bool {
	return func(name string) bool { return slices.Contains(names, name) }
}

// everything is wanted.
func everything(string) bool { return true }

// twice tells of names that are given twice.
func twice(problems *problem.List, prefix string) func(name string) {
	return func(name string) {
		problems.Add(prefix+name, "is given twice: expected it once")
	}
}

// jsonText reads a text, or says why it cannot be kept. What encoding/json would silently
// replace is refused: bytes that are not UTF-8, and half a character.
func jsonText(value json.RawMessage) (text, reason string) {
	if kind := jsonKind(value); kind != "a text" {
		return "", "expected a text, got " + kind
	}
	if !utf8.Valid(value) {
		return "", "is not valid UTF-8"
	}
	if halfCharacter(value) {
		return "", `has half a character: a \ud800 without its \udc00`
	}
	if err := json.Unmarshal(value, &text); err != nil {
		return "", "is no text: " + err.Error()
	}
	return text, unstorable(text)
}

// halfCharacter reports whether a JSON text escapes one half of a surrogate pair without the
// other.
func halfCharacter(text []byte) bool {
	for len(text) > 0 {
		r, size := nextUnit(text)
		if utf16.IsSurrogate(r) {
			low, lowSize := nextUnit(text[size:])
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			size += lowSize
		}
		text = text[size:]
	}
	return false
}

// nextUnit is the escaped UTF-16 unit that begins a text, or 0 for anything else, and how many
// bytes it takes.
func nextUnit(text []byte) (r rune, size int) {
	switch {
	case len(text) < 2 || text[0] != '\\':
		return 0, min(len(text), 1)
	case text[1] != 'u' || len(text) < 6:
		return 0, 2
	}
	n, _ := strconv.ParseUint(string(text[2:6]), 16, 16) // of valid JSON
	return rune(n), 6
}
