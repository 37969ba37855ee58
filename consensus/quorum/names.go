package quorum

import (
	"errors"
	"fmt"
	"strings"

	"quorate.dev/quorate/consensus"
)

// Names of the protocols, as a genesis has them.
const (
	PBFT = "pbft"
	Raft = "raft"
)

// Protocols are those that there are.
func Protocols() []string { return []string{PBFT, Raft} }

// Of is the system of n replicas under a protocol, nothing bent. It fails,
// wrapping consensus.ErrGenesis, as For does.
func Of(protocol string, n int) (System, error) {
	if n < 1 || n > consensus.MaxReplicas {
		return System{}, fmt.Errorf("%w: %d replicas: between 1 and %d are possible", consensus.ErrGenesis, n, consensus.MaxReplicas)
	}
	switch protocol {
	case PBFT:
		return Byzantine.System(n), nil
	case Raft:
		return Crash.System(n), nil
	}
	return System{}, fmt.Errorf("%w: protocol %q: choose %s", consensus.ErrGenesis, protocol, strings.Join(Protocols(), " or "))
}

// Least is how many replicas a protocol needs to tolerate f faults: 3f+1, or
// 2f+1 in crash mode.
func Least(protocol string, f int) int {
	if protocol == Raft {
		return 2*f + 1
	}
	return 3*f + 1
}

// ErrFaults: so many replicas do not tolerate so many faults, or more of them
// are asked for than it takes.
var ErrFaults = errors.New("the number of replicas does not fit the number of faults")

// Fit holds a number of replicas against a wish for f faults. It fails,
// wrapping ErrFaults and saying which number would do, if n is not the least
// that tolerates f.
func Fit(protocol string, n, f int) error {
	s, err := Of(protocol, n)
	if err != nil {
		return err
	}
	least := Least(protocol, f)
	if n == least && f >= 0 {
		return nil
	}
	return fmt.Errorf("%w: %d replicas of %s tolerate %d; for %d it takes %d replicas", ErrFaults, n, protocol, s.faults, f, least)
}

// For is the system of a genesis. It fails, wrapping consensus.ErrGenesis, if
// the protocol is unknown, the number of replicas is impossible, or a quorum
// or a number of faults of one's own choice is asked for without UnsafeDemo.
// They exist to demonstrate why the bounds are where they are.
func For(g consensus.Genesis) (System, error) {
	s, err := Of(g.Protocol, len(g.Replicas))
	if err != nil {
		return System{}, err
	}
	if g.Quorum == 0 && g.Faults == 0 {
		return s, nil
	}
	return s.bent(&g)
}
