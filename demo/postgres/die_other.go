//go:build !linux

package postgres

import "syscall"

// dieWithParent does nothing: only Linux can tie a child's life to its parent's.
// After a kill -9 of the demo its PostgreSQL goes on until somebody ends it.
func dieWithParent(*syscall.SysProcAttr) {}
