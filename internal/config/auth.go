package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"go.yaml.in/yaml/v3"
)

// Auth is who may do what.
type Auth struct {
	// UserFromHost is a regular expression for the Host header; its first group
	// is the user's name, as in '^([^.]*)\.'. Empty means the host says nothing.
	// Defaults to "".
	UserFromHost string `yaml:"userFromHost"`

	// Anonymous is what callers without a key may do.
	Anonymous Anonymous `yaml:"anonymous"`

	// Users are those who have keys. Defaults to none.
	Users []User `yaml:"users"`
}

// Anonymous is what callers without a key may do. They have exports only, and
// are grouped by address (IPv6 by /64).
type Anonymous struct {
	// Enabled lets them in, where an endpoint is public. Defaults to true.
	Enabled bool `yaml:"enabled"`

	// Running is how many jobs of one address group run at once. Defaults to 2.
	Running int `yaml:"running"`

	// Queued is how many jobs of one address group may be pending. Defaults to 64.
	Queued int `yaml:"queued"`

	// TotalQueued is how many jobs of all of them may be pending. Defaults to
	// 10000.
	TotalQueued int `yaml:"totalQueued"`
}

// User is somebody with keys.
type User struct {
	// Name is unique and made of [A-Za-z0-9._-]. Required.
	Name string `yaml:"name"`

	// Keys are what the user shows. Each belongs to one user only.
	Keys []Key `yaml:"keys"`

	// DataSource is the user's own login role, on which the user's SQL jobs run.
	// Defaults to none.
	DataSource string `yaml:"dataSource"`

	// SQL lets the user's master keys send SQL jobs; needs DataSource. Defaults
	// to false.
	SQL bool `yaml:"sql"`

	// Limits are this user's; what is left out is taken from batch.limits, so
	// that a loaded User has all of them.
	Limits Limits `yaml:"limits"`

	// Customer is the number of the customer whose assets the user manages; 0
	// means none. Defaults to 0.
	Customer int `yaml:"customer"`

	// Admin lets the user see and change what is everybody's. Defaults to false.
	Admin bool `yaml:"admin"`
}

// Key is one of a user's keys, known by its digest only.
type Key struct {
	// SHA256 is the digest of the key, 64 hexadecimal digits. Required.
	SHA256 KeyHash `yaml:"sha256"`

	// Type is master, or regular or default, which have no SQL right. Defaults to
	// regular.
	Type string `yaml:"type"`
}

// Values of Key.Type.
const (
	KeyMaster  = "master"
	KeyRegular = "regular"
	KeyDefault = "default"
)

// KeyHash is the SHA-256 of a key.
type KeyHash [sha256.Size]byte

// HashKey returns the digest of a key.
func HashKey(key string) KeyHash { return sha256.Sum256([]byte(key)) }

// String returns the first digits only: enough to tell keys apart, of no use to
// who reads it in a log.
func (h KeyHash) String() string { return hex.EncodeToString(h[:4]) + "…" }

// MarshalText keeps the rest of the digest out of YAML, JSON and logs.
func (h KeyHash) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalYAML reads 64 hexadecimal digits. The error does not repeat what was
// given, because people paste the key itself.
func (h *KeyHash) UnmarshalYAML(n *yaml.Node) error {
	b, err := hex.DecodeString(n.Value)
	if n.Kind != yaml.ScalarNode || err != nil || len(b) != len(h) {
		return errors.New("expected the SHA-256 of the key, 64 hexadecimal digits")
	}
	copy(h[:], b)
	return nil
}
