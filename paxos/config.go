package paxos

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
)

// Config is what one replica needs besides the genesis. Everything in it is
// local: replicas may differ in it and still agree.
type Config struct {
	Genesis consensus.Genesis
	Self    consensus.ReplicaID

	Election      int            // ticks without a leader's word before a follower prepares: at least this many, less than twice
	TickLength    consensus.Time // nanoseconds between two Tick events
	Heartbeat     int            // ticks between two heartbeats of a leader
	Sticky        bool           // who heard its leader lately answers nobody else's PREPARE: one that was cut off deposes nobody
	AnyLeader     bool           // whoever has a request prepares at once. A laboratory's: it is Paxos without a leader
	Backoff       bool           // who is preempted waits before it prepares again
	Pipeline      int            // slots proposed and not yet chosen, beside those of leaders before
	PendingCount  int            // requests that wait here, per lane
	PendingBytes  int            // their bytes, per lane
	CheckEachStep bool           // test invariants after each step (tests and simulations)
}

// DefaultConfig suits replicas that reach each other within 100 ms, with ticks
// of 10 ms.
func DefaultConfig(g consensus.Genesis, self consensus.ReplicaID) Config {
	return Config{
		Genesis: g, Self: self, TickLength: 10e6, Election: 100, Heartbeat: 10, Sticky: true, Backoff: true,
		Pipeline: 8, PendingCount: 4096, PendingBytes: 32 << 20,
	}
}

// errConfig is what validate wraps.
var errConfig = errors.New("invalid Paxos configuration")

// validate checks every field and says which one to change.
func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case int(c.Self) >= len(c.Genesis.Replicas):
		return bad("this is replica %d, and the genesis names replicas 0 to %d", c.Self, len(c.Genesis.Replicas)-1)
	case c.Heartbeat < 1 || c.Election <= c.Heartbeat || c.Election > 1<<30:
		return bad("a heartbeat must take at least 1 tick and an election more than a heartbeat: they are %d and %d", c.Heartbeat, c.Election)
	case c.TickLength < 1e6 || c.TickLength > 1e10:
		return bad("tick is %d ns: choose 1 ms to 10 s", c.TickLength)
	case c.AnyLeader && c.Sticky:
		return bad("where anybody may lead at any time, nobody can stay with a leader: choose one of them")
	case c.Pipeline < 1 || c.Pipeline > int(c.Genesis.Window):
		return bad("pipeline is %d slots: choose 1 to %d, the window of the genesis", c.Pipeline, c.Genesis.Window)
	case c.PendingCount < 1 || c.PendingBytes < c.Genesis.Limits.RequestBytes:
		return bad("pending_count must be positive and pending_bytes at least limits.request_bytes (%d): they are %d and %d", c.Genesis.Limits.RequestBytes, c.PendingCount, c.PendingBytes)
	case tables*c.Genesis.Window > maxVotes:
		return bad("window is %d: the votes of a promise would not fit a frame; choose %d at most", c.Genesis.Window, maxVotes/tables)
	}
	return c.Genesis.Validate()
}
