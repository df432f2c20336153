package config

import (
	"io"

	"go.yaml.in/yaml/v3"
)

// Print writes the effective configuration as YAML, with passwords as xxxxx and
// keys shortened, for people: it is not meant to be loaded again.
func (c *Config) Print(w io.Writer) error {
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(c); err != nil {
		return err
	}
	return e.Close()
}
