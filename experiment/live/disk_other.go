//go:build !linux

package live

import "quorate.dev/quorate/internal/netlab"

// disk is what this system does not have.
type disk struct{ dir string }

func newDisk(string) (*disk, error) { return nil, netlab.ErrUnavailable }

func (d *disk) fill() error  { return netlab.ErrUnavailable }
func (d *disk) close() error { return nil }
