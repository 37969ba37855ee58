package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"

	"quorate.dev/quorate/consensus"
)

// Unreachable says why a replica could not be reached.
type Unreachable struct {
	Replica consensus.ReplicaID
	Address string // as the configuration has it
	Reason  string // in words
	// Final says that waiting is of no use unless something is changed there:
	// nobody listens, or somebody else does.
	Final bool
	Err   error // what the library said
}

// Error implements error.
func (u *Unreachable) Error() string {
	return fmt.Sprintf("replica %d is not reached at %s: %s", u.Replica, u.Address, u.Reason)
}

// Unwrap gives the library's error.
func (u *Unreachable) Unwrap() error { return u.Err }

// unreachable puts the failure of a dial into words.
func unreachable(m member, err error) *Unreachable {
	u := &Unreachable{Replica: m.replica, Address: m.where, Err: err}
	var dns *net.DNSError
	var other sec.ErrPeerIDMismatch
	switch {
	case errors.As(err, &other):
		u.Reason, u.Final = "another key answers there: correct the address, or the key in the genesis", true
	case errors.Is(err, syscall.ECONNREFUSED):
		u.Reason, u.Final = "connection refused: no process listens there", true
	case errors.As(err, &dns):
		u.Reason, u.Final = "its name is not known: correct the address", dns.IsNotFound
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		u.Reason = "there is no route to it"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
		u.Reason = "this process has no file descriptor left: raise the limit (ulimit -n)"
	case errors.Is(err, network.ErrResourceLimitExceeded):
		u.Reason = "this process has no room for another connection"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), isTimeout(err):
		u.Reason = "no answer: the process, its machine or the network stands still"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		u.Reason = "it hung up: it has no room, or is no replica"
	default:
		u.Reason = innermost(err)
	}
	return u
}

// innermost is the last cause of an error, on one line.
func innermost(err error) string {
	for {
		next := errors.Unwrap(err)
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			if all := many.Unwrap(); len(all) > 0 {
				next = all[len(all)-1]
			}
		}
		if next == nil {
			break
		}
		err = next
	}
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
