package carto

import "testing"

func TestHalfCharacter(t *testing.T) {
	for text, want := range map[string]bool{
		`{"query": "\ud83d\ude00"}`:       false,
		`{"query": "\\ud800"}`:            false,
		`{"query": "\u0041\n\"\u00e4"}`:   false,
		`{"query": "\ud800"}`:             true,
		`{"query": "\udc00\ud800"}`:       true,
		`{"query": "\ud800\u0041"}`:       true,
		`{"query": "\\\ud800"}`:           true,
		`{"query": "\ud83d\ude00\ud83d"}`: true,
	} {
		if _, err := DecodeJSON([]byte(text)); (err != nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}
