package raft

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

	Election      int            // ticks without a leader's word before a follower campaigns: at least this many, less than twice
	TickLength    consensus.Time // nanoseconds between two Tick events
	Heartbeat     int            // ticks between two heartbeats of a leader
	PreVote       bool           // ask before disturbing: a replica that was cut off deposes nobody on its return
	CheckQuorum   bool           // a leader that hears no majority steps down, and followers stay with one they hear
	Pipeline      int            // entries proposed and not yet committed
	PendingCount  int            // requests that wait here, per lane
	PendingBytes  int            // their bytes, per lane
	CheckEachStep bool           // test invariants after each step (tests and simulations)
}

// DefaultConfig suits replicas that reach each other within 100 ms, with ticks
// of 10 ms.
func DefaultConfig(g consensus.Genesis, self consensus.ReplicaID) Config {
	return Config{
		Genesis: g, Self: self, TickLength: 10e6, Election: 100, Heartbeat: 10, PreVote: true, CheckQuorum: true,
		Pipeline: 8, PendingCount: 4096, PendingBytes: 32 << 20,
	}
}

// errConfig is what validate wraps.
var errConfig = errors.New("invalid Raft configuration")

// validate checks every field and says which one to change.
func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case c.Genesis.Quorum != 0:
		return bad("the genesis asks for a quorum of %d: Raft knows majorities only, leave it out", c.Genesis.Quorum)
	case int(c.Self) >= len(c.Genesis.Replicas):
		return bad("this is replica %d, and the genesis names replicas 0 to %d", c.Self, len(c.Genesis.Replicas)-1)
	case c.Heartbeat < 1 || c.Election <= c.Heartbeat || c.Election > 1<<30:
		return bad("a heartbeat must take at least 1 tick and an election more than a heartbeat: they are %d and %d", c.Heartbeat, c.Election)
	case c.TickLength < 1e6 || c.TickLength > 1e10:
		return bad("tick is %d ns: choose 1 ms to 10 s", c.TickLength)
	case c.Pipeline < 1 || c.Pipeline > int(c.Genesis.Window):
		return bad("pipeline is %d entries: choose 1 to %d, the window of the genesis", c.Pipeline, c.Genesis.Window)
	case c.PendingCount < 1 || c.PendingBytes < c.Genesis.Limits.RequestBytes:
		return bad("pending_count must be positive and pending_bytes at least limits.request_bytes (%d): they are %d and %d", c.Genesis.Limits.RequestBytes, c.PendingCount, c.PendingBytes)
	}
	return c.Genesis.Validate()
}
