//go:build !unix

package node

// descriptorLimit is not known here.
func descriptorLimit() (limit uint64, known bool) { return 0, false }
