package postgres

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// owner is the user who runs PostgreSQL and owns its files: we ourselves, or
// somebody harmless when we are root, as whom PostgreSQL refuses to run.
type owner struct {
	name       string
	credential *syscall.Credential // nil: ourselves
}

func chooseOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseInt(u.Uid, 10, 64)
		if err != nil {
			continue
		}
		gid, err := strconv.ParseInt(u.Gid, 10, 64)
		if err != nil {
			continue
		}
		// macOS says -2 for nobody, which the system call takes as 2³² − 2.
		return owner{name, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return owner{}, fmt.Errorf("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}

// own gives a file to the owner.
func (o owner) own(path string) error {
	if o.credential == nil {
		return nil
	}
	return os.Chown(path, int(o.credential.Uid), int(o.credential.Gid))
}

// attributes makes a program run as the owner, and in a process group of its
// own, so that a Ctrl-C at the terminal reaches only us: we then stop PostgreSQL
// in the right order.
func (o owner) attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: o.credential, Setpgid: true}
}
