package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"slashbatch/internal/problem"
)

// The longest configuration and the longest secret that are read.
const (
	maxFile   = 8 << 20
	maxSecret = 64 << 10
)

// Load reads the YAML file at path, or nothing when path is empty, and the
// SLASHBATCH_… variables of env, given as os.Environ gives them.
//
// Every problem is reported, not only the first. The configuration returned is
// never nil, holds defaults where there were problems, and is fit to work with
// only when the list is empty. No problem repeats a secret.
func Load(path string, env []string) (*Config, problem.List) {
	if path == "" {
		return load("", nil, env)
	}
	data, err := readFile(path, maxFile)
	if err != nil {
		c, problems := Defaults(), problem.List{}
		c.File = path
		problems.Add("", "%v", err)
		return c, problems.In(path)
	}
	return load(path, data, env)
}

// load is Load for a file that has been read.
func load(file string, data []byte, env []string) (*Config, problem.List) {
	l := &loader{
		cfg:      Defaults(),
		env:      environ(env),
		given:    map[string]bool{},
		variable: map[string]string{},
		fromFile: map[string]string{},
	}
	l.cfg.File = file
	root := l.parse(data)
	if root != nil {
		l.override(root)
		l.decodeRoot(root)
		l.readSecrets()
		l.derive()
		l.validate()
	}
	for i, p := range l.problems {
		l.problems[i].File = file
		if name := l.blame(p.Path); name != "" {
			l.problems[i].File = name
		}
	}
	return l.cfg, append(l.problems, l.envProblems...)
}

// loader carries one Load.
type loader struct {
	cfg *Config
	env map[string]string
	// problems are about places in the configuration, envProblems about
	// variables that name none.
	problems, envProblems problem.List
	// given tells which paths the file or a variable gave a value.
	given map[string]bool
	// variable names the variable that set a path, which is to blame then.
	variable map[string]string
	// fromFile is the urlFile of a path whose value was read from that file, and
	// where a problem with it is to be mended.
	fromFile map[string]string
}

// add records a problem at path, unless the place or one around it has one
// already: the first says enough, and what follows from it only distracts.
func (l *loader) add(path, format string, args ...any) {
	for _, p := range l.problems {
		if inside(path, p.Path) {
			return
		}
	}
	l.problems.Add(path, format, args...)
}

// blame returns the variable that gave the value at path, or "" for the file.
func (l *loader) blame(path string) string {
	name, longest := "", -1
	for place, variable := range l.variable {
		if len(place) > longest && inside(path, place) {
			name, longest = variable, len(place)
		}
	}
	return name
}

// inside reports whether path is place or below it.
func inside(path, place string) bool {
	rest, ok := strings.CutPrefix(path, place)
	return ok && place != "" && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// parse returns the document's root mapping, free of aliases; nil when there is
// none to go on with.
func (l *loader) parse(data []byte) *yaml.Node {
	empty := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return empty
	} else if err != nil {
		l.problems.Add("", "is not YAML: %s", strings.TrimPrefix(err.Error(), "yaml: "))
		return nil
	}
	if err := dec.Decode(&more); !errors.Is(err, io.EOF) {
		l.problems.Add("", "holds more than one YAML document")
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return empty
	}
	left := maxNodes
	root := plain(doc.Content[0], &left)
	switch {
	case root == nil:
		l.problems.Add("", "its aliases come to more than %d values", maxNodes)
	case root.ShortTag() == "!!null":
		return empty
	case root.Kind != yaml.MappingNode:
		l.problems.Add("", "expected a mapping of keys such as server and catalog, got %s", kindName(root))
		return nil
	}
	return root
}

// maxNodes bounds what aliases can blow up to.
const maxNodes = 200_000

// plain copies a tree with its aliases replaced by what they stand for; nil
// when that is more than left nodes.
func plain(n *yaml.Node, left *int) *yaml.Node {
	if *left--; *left < 0 {
		return nil
	}
	if n.Kind == yaml.AliasNode {
		return plain(n.Alias, left)
	}
	c := *n
	c.Anchor, c.Content = "", make([]*yaml.Node, len(n.Content))
	for i := range n.Content {
		if c.Content[i] = plain(n.Content[i], left); c.Content[i] == nil {
			return nil
		}
	}
	return &c
}

// derive sets what defaults to another key.
func (l *loader) derive() {
	if b := &l.cfg.Batch; !l.given["batch.maxAge"] {
		b.MaxAge = b.Retention.Results
	}
	l.cfg.Server.PublicURL = strings.TrimRight(l.cfg.Server.PublicURL, "/")
	l.cfg.Cache.URL = AbsoluteFile(l.cfg.Cache.URL)
	for i, u := range l.cfg.Cache.ReadFrom {
		l.cfg.Cache.ReadFrom[i] = AbsoluteFile(u)
	}
}

// environ returns the variables of env, the last of a name winning.
func environ(env []string) map[string]string {
	m := make(map[string]string, len(env))
	for _, kv := range env {
		if name, value, ok := strings.Cut(kv, "="); ok && name != "" {
			m[name] = value
		}
	}
	return m
}

// readFile reads at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", bare(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", bare(err))
	case int64(len(data)) > limit:
		return nil, fmt.Errorf("is longer than %s", Size(limit))
	}
	return data, nil
}

// bare takes the operation and the path off an error; the problem has the path.
func bare(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}
