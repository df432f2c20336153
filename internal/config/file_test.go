package config

import (
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v3"
)

const documented = "../../config.yaml"

// equal compares everything that can be configured.
var equal = cmp.Options{cmpopts.EquateComparable(), cmpopts.EquateEmpty()}

// TestDocumentedDefaults holds config.yaml to Defaults.
func TestDocumentedDefaults(t *testing.T) {
	c, problems := Load(documented, nil)
	if err := problems.Err(); err != nil {
		t.Fatalf("%s does not load:\n%v", documented, err)
	}
	want := Defaults()
	want.File = documented
	want.Catalog.URL = c.Catalog.URL
	want.Cache.URL = AbsoluteFile(want.Cache.URL)
	for _, name := range []string{DefaultSource, BatchSource} {
		ds := defaultDataSource(name)
		ds.URL = c.Catalog.URL
		want.DataSources[name] = ds
	}
	if diff := cmp.Diff(want, c, equal); diff != "" {
		t.Errorf("%s differs from Defaults (-default +documented):\n%s", documented, diff)
	}
}

// TestDefaultsNeedTwoURLs holds Defaults to its promise and to its own checks.
func TestDefaultsNeedTwoURLs(t *testing.T) {
	c := mustLoad(t, minimal)
	want := Defaults()
	want.File = "test.yaml"
	want.Catalog.URL = "postgres:///c"
	want.Cache.URL = AbsoluteFile(want.Cache.URL)
	want.DataSources[DefaultSource] = c.DataSources[DefaultSource]
	if diff := cmp.Diff(want, c, equal); diff != "" {
		t.Errorf("(-default +loaded):\n%s", diff)
	}
}

// TestEveryKeyIsDocumented looks for each key of the structs in config.yaml,
// among those that are set and those that are commented out, with a comment
// beside it.
func TestEveryKeyIsDocumented(t *testing.T) {
	data, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	// A # with no space after it is a key that is not set.
	all := regexp.MustCompile(`(?m)^( *)#([^ #\n])`).ReplaceAllString(string(data), "$1$2")
	var root yaml.Node
	if err := yaml.Unmarshal([]byte(all), &root); err != nil {
		t.Fatalf("with everything set: %v", err)
	}
	there := map[string]bool{}
	paths(root.Content[0], "", there)
	known := keys(reflect.TypeFor[Config](), "")
	for _, key := range known {
		if !there[key] {
			t.Errorf("%s lacks %s", documented, key)
		}
	}

	_, problems := load(documented, []byte(all), nil)
	for _, p := range problems {
		if !strings.HasSuffix(p.Path, ".urlFile") { // which are beside their url here
			t.Errorf("with everything set: %v", p)
		}
	}
}

// TestEveryLineIsExplained wants a comment where a key is first shown.
func TestEveryLineIsExplained(t *testing.T) {
	data, err := os.ReadFile(documented)
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`^ *#?(?:- )?([A-Za-z0-9]+):`)
	explained := map[string]bool{"server": true, "log": true, "batch": true, "auth": true, "namedQueries": true, "retention": true}
	for i, line := range strings.Split(string(data), "\n") {
		if m := key.FindStringSubmatch(line); m != nil {
			if _, comment, ok := strings.Cut(line[len(m[0]):], " # "); ok && comment != "" {
				explained[m[1]] = true
			} else if !explained[m[1]] {
				t.Errorf("%s:%d: %s has no comment", documented, i+1, m[1])
			}
		}
	}
}

// paths collects the paths of a tree, with * for names that people choose and
// nothing for places in lists.
func paths(n *yaml.Node, at string, into map[string]bool) {
	into[at] = true
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			name := n.Content[i].Value
			if at == "dataSources" {
				name = "*"
			}
			paths(n.Content[i+1], strings.TrimPrefix(at+"."+name, "."), into)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			paths(item, at, into)
		}
	}
}

// keys lists the paths of every key that can be written.
func keys(t reflect.Type, at string) []string {
	var out []string
	for _, f := range fieldsOf(t) {
		ft, path := t.Field(f.field).Type, strings.TrimPrefix(at+"."+f.name, ".")
		out = append(out, path)
		switch {
		case ft.Kind() == reflect.Map:
			out = append(out, keys(ft.Elem(), path+".*")...)
		case ft.Kind() == reflect.Slice && ft.Elem().Kind() == reflect.Struct:
			out = append(out, keys(ft.Elem(), path)...)
		case ft.Kind() == reflect.Struct:
			out = append(out, keys(ft, path)...)
		}
	}
	// A user's limits are those of everybody.
	return slices.DeleteFunc(out, func(path string) bool { return strings.HasPrefix(path, "auth.users.limits.") })
}

// TestFieldsSayTheirDefaults wants each field that has a default to say so.
func TestFieldsSayTheirDefaults(t *testing.T) {
	field := regexp.MustCompile("(?s)\n\n?((?:\t// [^\n]*\n)+)\t(\\w+) +([\\w.\\[\\]]+) +`yaml:\"(\\w+)")
	noDefault := map[string]bool{}
	for _, file := range []string{"config.go", "batch.go", "auth.go", "assets.go"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range field.FindAllStringSubmatch(string(data), -1) {
			comment := strings.Join(strings.Fields(strings.ReplaceAll(m[1], "//", "")), " ")
			if !strings.Contains(comment, "Defaults") && !strings.Contains(comment, "Required") {
				noDefault[m[2]] = true
			}
		}
	}
	// Sections, lanes, and what is taken from elsewhere.
	for _, name := range []string{
		"Server", "Catalog", "DataSources", "Queue", "Cache", "Batch", "Auth", "Assets", "NamedQueries", "Log", "URLFile",
		"Process", "Limits", "Retention", "Export", "SQL", "Anonymous", "Keys", "Cleanup",
	} {
		delete(noDefault, name)
	}
	if len(noDefault) > 0 {
		t.Errorf("these fields do not say what they default to: %v", slices.Sorted(maps.Keys(noDefault)))
	}
}
