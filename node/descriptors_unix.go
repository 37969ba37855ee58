//go:build unix

package node

import "syscall"

// descriptorLimit is how many files this process may have open.
func descriptorLimit() (limit uint64, known bool) {
	var r syscall.Rlimit
	err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r)
	return uint64(r.Cur), err == nil
}
