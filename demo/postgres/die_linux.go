package postgres

import "syscall"

// dieWithParent makes the kernel send the child SIGQUIT, PostgreSQL's immediate
// shutdown, when we are gone without having stopped it, as after kill -9. The
// kernel takes "we" to be the thread that started the child: see run.
func dieWithParent(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGQUIT }
