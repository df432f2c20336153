// Package deploytest holds the tests of what nothing else runs: that
// docker-compose.yml, the Dockerfile and config.yaml agree with each other.
package deploytest

import (
	"os"
	"path/filepath"
	"testing"

	"go.yaml.in/yaml/v3"
)

const root = "../.."

// compose is what the tests look at in docker-compose.yml.
type compose struct {
	Services map[string]service
	Volumes  map[string]any
}

type service struct {
	Image       string
	Restart     string
	Entrypoint  []string
	Command     []string
	Environment map[string]string
	Expose      []string
	Ports       []string
	Volumes     []string
	Healthcheck *struct{ Test []string }
	DependsOn   map[string]struct{ Condition string } `yaml:"depends_on"`
}

// once tells whether the service does its work and ends.
func (s service) once() bool { return s.Restart == "no" }

func read(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func loadCompose(t *testing.T) compose {
	t.Helper()
	var c compose
	if err := yaml.Unmarshal([]byte(read(t, "docker-compose.yml")), &c); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) == 0 {
		t.Fatal("docker-compose.yml has no services")
	}
	return c
}

// loadConfig returns the top level of config.yaml as a node.
func loadConfig(t *testing.T) *yaml.Node {
	t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(read(t, "config.yaml")), &document); err != nil {
		t.Fatal(err)
	}
	return document.Content[0]
}
