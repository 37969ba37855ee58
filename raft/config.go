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

	Election      int  // ticks without a leader's word before a follower campaigns: at least this many, less than twice
	Heartbeat     int  // ticks between two heartbeats of a leader
	PreVote       bool // ask before disturbing: a replica that was cut off deposes nobody on its return
	CheckQuorum   bool // a leader that hears no majority steps down, and followers stay with one they hear
	Pipeline      int  // entries proposed and not yet committed
	PendingCount  int  // requests that wait here, per lane
	PendingBytes  int  // their bytes, per lane
	CheckEachStep bool // test invariants after each step (tests and simulations)
}

// DefaultConfig suits replicas that reach each other within 100 ms, with ticks
// of 10 ms.
func DefaultConfig(g consensus.Genesis, self consensus.ReplicaID) Config {
	return Config{
		Genesis: g, Self: self, Election: 100, Heartbeat: 10, PreVote: true, CheckQuorum: true,
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
		return bad("a quorum of %d: this protocol knows majorities only, leave it out", c.Genesis.Quorum)
	case int(c.Self) >= len(c.Genesis.Replicas):
		return bad("replica %d of %d", c.Self, len(c.Genesis.Replicas))
	case c.Heartbeat < 1 || c.Election <= c.Heartbeat || c.Election > 1<<30:
		return bad("election after %d ticks, heartbeat every %d: at least 1, and the election later than the heartbeat", c.Election, c.Heartbeat)
	case c.Pipeline < 1 || c.Pipeline > int(c.Genesis.Window):
		return bad("pipeline of %d entries: between 1 and the window of %d are possible", c.Pipeline, c.Genesis.Window)
	case c.PendingCount < 1 || c.PendingBytes < c.Genesis.Limits.RequestBytes:
		return bad("pending requests: count %d must be at least 1, bytes %d at least limits.request_bytes %d", c.PendingCount, c.PendingBytes, c.Genesis.Limits.RequestBytes)
	}
	return c.Genesis.Validate()
}
