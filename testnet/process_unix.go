//go:build unix

package testnet

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
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

// keepDescriptors keeps from our children what this process was given besides its
// three streams. A replica outlives us: with a descriptor of flock(1) it would hold
// the caller's lock, and with the end of a pipe keep its reader waiting.
func keepDescriptors() {
	open, err := os.ReadDir("/dev/fd")
	if err != nil {
		return // where the system does not list them
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// place names a directory for as long as it is there, wherever it is moved. A copy of
// it has another name.
func place(dir string) (string, error) {
	stat, err := os.Stat(dir)
	if err != nil {
		return "", err
	}
	s, ok := stat.Sys().(*syscall.Stat_t)
	if !ok {
		return filepath.Abs(dir)
	}
	return fmt.Sprintf("%d:%d", s.Dev, s.Ino), nil
}
