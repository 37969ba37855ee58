//go:build unix

package testnet

import (
	"syscall"
)

// The signals that pause a process and let it go on.
const (
	sigStop = syscall.SIGSTOP
	sigCont = syscall.SIGCONT
)

// ownSession keeps a child out of our session, so that neither Ctrl-C nor the
// end of the terminal reaches it.
func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
