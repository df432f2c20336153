package carto

import (
	"bytes"
	"encoding/json"
)

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value json.RawMessage
}

// add appends a member; value is of strings, json.Numbers, booleans, nil, and
// lists and maps of these.
func (o *object) add(name string, value any) {
	*o = append(*o, member{name, encode(value)})
}

func (o object) has(name string) bool {
	for _, m := range o {
		if m.name == name {
			return true
		}
	}
	return false
}

func (o object) encode() json.RawMessage {
	out := []byte{'{'}
	for i, m := range o {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(out, encode(m.name)...), ':')
		out = append(out, m.value...)
	}
	return append(out, '}')
}

// list is a JSON array of these.
func list(values []json.RawMessage) json.RawMessage {
	out := []byte{'['}
	for i, v := range values {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, v...)
	}
	return append(out, ']')
}

// encode writes compact JSON without the escapes that only HTML needs: they would
// count in the size, and make SQL hard to read.
func encode(value any) json.RawMessage {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err) // only what has been checked comes here
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{'\n'})
}
