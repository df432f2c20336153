package carto

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
)

// KeyFields are the fields of a request in which a key may come. A definition keeps none
// of them, wherever it stands.
var KeyFields = []string{"api_key", "map_key"}

// KeysInForm are the KeyFields of a form that ParseForm has not read yet, the first of
// each name. Nothing else of it is decoded: anybody may send it.
func KeysInForm(text string) url.Values {
	keys := url.Values{}
	for pair := range strings.SplitSeq(text, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil || !slices.Contains(KeyFields, name) || keys.Has(name) {
			continue
		}
		if value, err = url.QueryUnescape(value); err == nil {
			keys.Set(name, value)
		}
	}
	return keys
}

// KeysInJSON are the KeyFields of a JSON object that DecodeJSON has not read yet, as far
// as they are texts, the first of each name. Nothing else of it is decoded: anybody may
// send it. The error is that of a text that is no JSON.
func KeysInJSON(document []byte) (url.Values, error) {
	var checked json.RawMessage
	if err := json.Unmarshal(document, &checked); err != nil {
		return nil, err
	}
	// From here on it is JSON, so names and texts are told from what stands before them.
	keys := url.Values{}
	depth, name := 0, ""
	for i := 0; i < len(document); i++ {
		switch document[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			name = ""
		case '"':
			end := i + 1 + textLength(document[i+1:])
			if depth == 1 {
				if text := document[i : end+1]; name != "" {
					if !keys.Has(name) {
						keys.Set(name, decodeText(text))
					}
					name = ""
				} else if bytes.HasPrefix(bytes.TrimLeft(document[end+1:], " \t\r\n"), []byte{':'}) {
					name = keyField(text)
				}
			}
			i = end
		}
	}
	return keys, nil
}

// textLength is how far the end of a JSON text is from its beginning.
func textLength(text []byte) int {
	for i := 0; ; i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
}

// keyField is the one of the KeyFields that a JSON text names, "" for any other.
func keyField(text []byte) string {
	for _, name := range KeyFields {
		if spells(text[1:len(text)-1], name) {
			return name
		}
	}
	return ""
}

// spells reports whether the inside of a JSON text is this name, whose letters may be
// written as escapes.
func spells(text []byte, name string) bool {
	for _, c := range name {
		r, isEscape := escaped(text)
		switch {
		case isEscape && r == c:
			text = text[len(`\u0061`):]
		case len(text) > 0 && rune(text[0]) == c:
			text = text[1:]
		default:
			return false
		}
	}
	return len(text) == 0
}

func decodeText(text []byte) string {
	var s string
	_ = json.Unmarshal(text, &s) // it has been checked
	return s
}
