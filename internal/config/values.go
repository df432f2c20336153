package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Duration is a length of time. In YAML a number is milliseconds and a string
// a Go duration, which may begin with days: 1500, "90s", "7d", "1d12h".
type Duration time.Duration

// Std returns d as the standard library's type.
func (d Duration) Std() time.Duration { return time.Duration(d) }

// String returns the form that UnmarshalYAML reads: "1.5s", "12h", "1h30m".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText writes String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalYAML reads a number of milliseconds or a duration.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	var err error
	switch n.ShortTag() {
	case "!!int":
		var ms int64
		if err := n.Decode(&ms); err != nil || ms > maxMillis || ms < -maxMillis {
			return errors.New("is too large a number of milliseconds")
		}
		*d = Duration(ms * int64(time.Millisecond))
	case "!!str":
		*d, err = ParseDuration(n.Value)
	default:
		err = errors.New(wantDuration)
	}
	return err
}

// maxMillis is the longest Duration.
const maxMillis = math.MaxInt64 / int64(time.Millisecond)

const wantDuration = `expected a duration such as 90s, 12h or 7d, or a number of milliseconds`

// ParseDuration reads a Go duration that may begin with whole days: "7d",
// "1d12h", "90s".
func ParseDuration(s string) (Duration, error) {
	days, rest, ok := strings.Cut(s, "d")
	if !ok {
		days, rest = "", s
	}
	var sum time.Duration
	if ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64/int64(24*time.Hour) {
			return 0, errors.New(wantDuration)
		}
		sum = time.Duration(n) * 24 * time.Hour
	}
	if rest != "" || !ok {
		d, err := time.ParseDuration(rest)
		if err != nil || ok && d < 0 || d > math.MaxInt64-sum {
			return 0, errors.New(wantDuration)
		}
		sum += d
	}
	return Duration(sum), nil
}

// Size is a number of bytes. In YAML a number is bytes and a string has a unit:
// B, KiB, MiB, GiB, TiB, or the decimal kB, MB, GB, TB.
type Size int64

// units in the order in which String tries them.
var units = []struct {
	name  string
	bytes int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"KB", 1e3},
	{"B", 1},
}

// String returns the shortest exact form in binary units: "100GiB", "16KiB",
// "1000".
func (s Size) String() string {
	for _, u := range units[:4] {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// MarshalYAML writes String, and what has no unit as a number.
func (s Size) MarshalYAML() (any, error) {
	if t := s.String(); strings.HasSuffix(t, "B") {
		return t, nil
	}
	return int64(s), nil
}

const wantSize = `expected a size such as 512MiB or 100GiB, or a number of bytes`

// UnmarshalYAML reads a number of bytes or a size with a unit.
func (s *Size) UnmarshalYAML(n *yaml.Node) error {
	var err error
	switch n.ShortTag() {
	case "!!int":
		var b int64
		if n.Decode(&b) != nil {
			return errors.New("is too large a number of bytes")
		}
		*s = Size(b)
	case "!!str":
		*s, err = ParseSize(n.Value)
	default:
		err = errors.New(wantSize)
	}
	return err
}

// ParseSize reads a whole number with a unit: "100GiB", "5 MB".
func ParseSize(text string) (Size, error) {
	for _, u := range units {
		digits, ok := strings.CutSuffix(text, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 63)
		if err != nil {
			return 0, errors.New(wantSize)
		}
		if int64(n) > math.MaxInt64/u.bytes {
			return 0, fmt.Errorf("is more than %s", Size(math.MaxInt64&^(1<<40-1)))
		}
		return Size(int64(n) * u.bytes), nil
	}
	return 0, errors.New(wantSize)
}
