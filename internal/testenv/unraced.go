package testenv

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Unraced leaves a test that is long for its loops, and not for what runs at the same time, to
// the part of "make test" that goes without the race detector. The Makefile lists these tests.
func Unraced(t testing.TB) {
	t.Helper()
	if RaceDetector {
		t.Skip("runs without the race detector, in the second part of make test")
	}
	_, file, _, _ := runtime.Caller(0)
	makefile, err := os.ReadFile(filepath.Join(filepath.Dir(file), "..", "..", "Makefile"))
	if err != nil || !strings.Contains(string(makefile), t.Name()) {
		t.Errorf("%s is not among the UNRACED of the Makefile, so nothing runs it (%v)", t.Name(), err)
	}
}
