package postgres

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
)

// ErrNotInstalled says that no PostgreSQL server was found on this machine.
var ErrNotInstalled = errors.New("PostgreSQL is not installed")

// places lists where packages put the server's programs when they keep them out
// of PATH, as most do, because several versions may be installed side by side.
// scripts/find.sh looks in the same places.
var places = []string{
	"/usr/lib/postgresql/*/bin", // Debian, Ubuntu
	"/usr/pgsql-*/bin",          // Red Hat and kin, from postgresql.org
	"/opt/homebrew/opt/postgresql@*/bin",
	"/opt/homebrew/opt/postgresql/bin",
	"/usr/local/opt/postgresql@*/bin",
	"/usr/local/opt/postgresql/bin",
	"/Applications/Postgres.app/Contents/Versions/latest/bin",
}

// find returns the folder of initdb and postgres: the one in PATH, else the
// newest version in one of the places.
func find() (string, error) {
	var dirs []string
	if initdb, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(initdb))
	}
	dirs = append(dirs, newestFirst(places)...)
	for _, dir := range dirs {
		if executable(filepath.Join(dir, "initdb")) && executable(filepath.Join(dir, "postgres")) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%w: initdb and postgres are neither in PATH nor in the usual places; %s", ErrNotInstalled, advice())
}

// newestFirst expands the patterns and orders what exists by the version number
// in the path, so that 15 comes before 9.6.
func newestFirst(patterns []string) []string {
	var dirs []string
	for _, pattern := range patterns {
		found, _ := filepath.Glob(pattern) // its only error is a malformed pattern
		dirs = append(dirs, found...)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
	return dirs
}

var number = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// version returns the last number in a path, or 0.
func version(path string) float64 {
	all := number.FindAllString(path, -1)
	if len(all) == 0 {
		return 0
	}
	v, _ := strconv.ParseFloat(all[len(all)-1], 64) // only digits and a point: always a number
	return v
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// advice names the command that installs PostgreSQL on this kind of machine.
func advice() string {
	if runtime.GOOS == "darwin" {
		return "install it with: brew install postgresql@17"
	}
	for _, manager := range []struct{ program, command string }{
		{"apt-get", "sudo apt-get install postgresql"},
		{"dnf", "sudo dnf install postgresql-server"},
		{"zypper", "sudo zypper install postgresql-server"},
		{"apk", "sudo apk add postgresql"},
		{"pacman", "sudo pacman -S postgresql"},
	} {
		if _, err := exec.LookPath(manager.program); err == nil {
			return "install it with: " + manager.command
		}
	}
	return "install its server with your package manager"
}
