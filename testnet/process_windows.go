package testnet

import (
	"path/filepath"
	"syscall"
)

// There are no such signals here: sending them fails with an error.
const (
	sigStop = syscall.Signal(19)
	sigCont = syscall.Signal(18)
)

func ownSession() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// keepDescriptors has nothing to do: a child gets only what it is given.
func keepDescriptors() {}

// place names a directory by its path: a copy has another.
func place(dir string) (string, error) { return filepath.Abs(dir) }
