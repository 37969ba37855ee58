package testnet

import (
	"syscall"
)

// There are no such signals here: sending them fails with an error.
const (
	sigStop = syscall.Signal(19)
	sigCont = syscall.Signal(18)
)

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
