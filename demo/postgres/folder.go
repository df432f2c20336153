package postgres

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The temporary folder of one server holds data/ (PostgreSQL's) and the file
// "pid" with the id of the process that started it.
const (
	prefix  = "slashbatch-demo-"
	dataDir = "data"
	pidFile = "pid"
)

// makeFolder creates the temporary folder below parent, or below the system's
// folder for such when parent is empty, and gives data/ to the owner.
func makeFolder(parent string, o owner) (dir string, err error) {
	parents := []string{parent}
	if parent == "" {
		// TMPDIR may lie where only root can go, and the owner may not be root.
		parents = []string{os.TempDir(), "/tmp"}
	}
	for _, parent := range parents {
		dir, err = o.makeFolderIn(parent)
		if err == nil {
			return dir, nil
		}
	}
	return "", err
}

func (o owner) makeFolderIn(parent string) (dir string, err error) {
	if o.credential != nil && !passable(parent) {
		return "", fmt.Errorf("user %s, as whom PostgreSQL has to run, cannot reach folders below %s", o.name, parent)
	}
	dir, err = os.MkdirTemp(parent, prefix)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(dir)
		}
	}()
	// Others may pass through to what they own below, but not look around.
	if err := os.Chmod(dir, 0o711); err != nil {
		return "", err
	}
	data := filepath.Join(dir, dataDir)
	if err := os.Mkdir(data, 0o700); err != nil {
		return "", err
	}
	if err := o.own(data); err != nil {
		return "", err
	}
	return dir, os.WriteFile(filepath.Join(dir, pidFile), []byte(strconv.Itoa(os.Getpid())), 0o600)
}

// passable tells whether everybody may pass through a folder and those above.
func passable(dir string) bool {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	for {
		info, err := os.Stat(dir)
		if err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(dir)
		if up == dir {
			return true
		}
		dir = up
	}
}

// removeStale deletes the folders of earlier demos that were killed before they
// could do so themselves. A folder goes only when it is this user's, and both
// the process that made it and its PostgreSQL are dead.
func removeStale(parent string) {
	if parent == "" {
		parent = os.TempDir()
	}
	dirs, _ := filepath.Glob(filepath.Join(parent, prefix+"*")) // its only error is a malformed pattern
	for _, dir := range dirs {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() {
			continue
		}
		if stat, ok := info.Sys().(*syscall.Stat_t); !ok || int(stat.Uid) != os.Getuid() {
			continue
		}
		// Without a readable pid file it may be a folder just being made.
		if maker, ok := readPid(filepath.Join(dir, pidFile)); !ok || alive(maker) {
			continue
		}
		if server, ok := readPid(filepath.Join(dir, dataDir, "postmaster.pid")); ok && alive(server) {
			continue
		}
		os.RemoveAll(dir) // what cannot be deleted now is tried again by the next demo
	}
}

// readPid returns the process id in the first line of a file.
func readPid(path string) (pid int, ok bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(content), "\n")
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	return pid, err == nil && pid > 0
}

// alive tells whether a process exists, be it somebody else's.
func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}
