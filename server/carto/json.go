package carto

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// DecodeJSON reads a JSON object, as Parse takes it; numbers keep the digits they were
// written with. What encoding/json would silently replace or drop is refused: bytes that
// are not UTF-8, half a character, and the first of two members with one name.
func DecodeJSON(document []byte) (map[string]any, error) {
	if !utf8.Valid(document) {
		return nil, errors.New("not valid UTF-8")
	}
	if halfCharacter(document) {
		return nil, errors.New("half a character: a \\ud800 without its \\udc00")
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	v, err := decodeValue(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the object")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("expected an object")
	}
	return fields, nil
}

// deepest is how deep values may be nested: far more than any definition is.
const deepest = 1000

func decodeValue(d *json.Decoder, depth int) (any, error) {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	if depth > deepest {
		return nil, errors.New("nested too deep")
	}
	switch token {
	case json.Delim('{'):
		return decodeMembers(d, depth)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := decodeValue(d, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.Token() // ]
		return list, err
	}
	return token, nil
}

func decodeMembers(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("a name that is no string")
		}
		if _, twice := members[name]; twice {
			return nil, fmt.Errorf("%q is given twice", shown(name))
		}
		if members[name], err = decodeValue(d, depth+1); err != nil {
			return nil, err
		}
	}
	_, err := d.Token() // }
	return members, err
}

// halfCharacter reports whether a JSON text escapes one half of a character without the
// other; the decoder would replace it.
func halfCharacter(document []byte) bool {
	// A backslash stands in strings only, and never alone.
	for i := bytes.IndexByte(document, '\\'); i >= 0 && i+1 < len(document); {
		size := 2
		if r, ok := escaped(document[i:]); ok && utf16.IsSurrogate(r) {
			low, _ := escaped(document[i+6:])
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			size = 12
		}
		next := bytes.IndexByte(document[i+size:], '\\')
		if next < 0 {
			return false
		}
		i += size + next
	}
	return false
}

// escaped reads an escape of the form \u1234 at the start of a text.
func escaped(text []byte) (rune, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	r, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return rune(r), err == nil
}
