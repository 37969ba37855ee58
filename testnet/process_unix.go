//go:build unix

package testnet

import (
	"fmt"
	"os"
	"path/filepath"
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
