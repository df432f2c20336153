package carto

import (
	"strings"
	"testing"
)

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

func TestDuplicateMembers(t *testing.T) {
	for _, text := range []string{`{"query": "a", "query": "b"}`, `{"query": [{"query": "a", "query": "b"}]}`} {
		if _, err := DecodeJSON([]byte(text)); err == nil || !strings.Contains(err.Error(), `"query" is given twice`) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A key that comes with a definition is not kept, wherever it stands.
func TestSecretsDropped(t *testing.T) {
	fields, err := DecodeJSON([]byte(`{"query": {"query": [{"query": "SELECT 1", "map_key": "k3y", "x": [{"api_key": "k3y"}]}], "api_key": "k3y"}, "api_key": "k3y"}`))
	if err != nil {
		t.Fatal(err)
	}
	d, err := Parse(fields)
	if err != nil {
		t.Fatal(err)
	}
	if form := string(d.Plan().Form); strings.Contains(form, "k3y") {
		t.Error(form)
	}
}
