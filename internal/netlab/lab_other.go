//go:build !linux

package netlab

import "errors"

// ErrUnavailable: this system has no network namespaces.
var ErrUnavailable = errors.New("no network namespaces here: they need Linux, root and the program ip")

// Lab exists on Linux only.
type Lab struct{}

// New fails with ErrUnavailable.
func New(int) (*Lab, error) { return nil, ErrUnavailable }

// Address and its like are never reached, for there is no Lab.
func (l *Lab) Address(int) string { return "" }

// Command is argv, run on host i.
func (l *Lab) Command(_ int, argv []string) []string { return argv }

// Cut loses every packet from one host to another.
func (l *Lab) Cut(int, int, bool) error { return ErrUnavailable }

// Close removes everything.
func (l *Lab) Close() error { return nil }
