package pbft

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Config is what one replica needs besides the genesis. Everything in it is
// local: replicas may differ in it and still agree.
type Config struct {
	Genesis consensus.Genesis
	Self    consensus.ReplicaID
	Signer  crypto.Signer   // must have the key that the genesis names for Self
	Verify  crypto.Verifier // for votes that complete a quorum, and what is kept beside the state; Open gets its own

	TickLength    consensus.Time // nanoseconds between two Tick events
	Patience      int            // ticks a request may wait before its holder leaves the view; doubles, see PatienceCap
	PatienceCap   int            // ticks: the liveness assumption of §6
	StatusEvery   int            // ticks between two STATUS
	Pipeline      int            // slots proposed and not yet committed
	PendingCount  int            // requests that wait here, per lane
	PendingBytes  int            // their bytes, per lane
	RejoinEvery   int            // ticks between two rejoins of one peer that we help
	CheckEachStep bool           // test invariants after each step (tests and simulations)
}

// DefaultConfig suits replicas that reach each other within 100 ms.
func DefaultConfig(g consensus.Genesis, self consensus.ReplicaID, s crypto.Signer, v crypto.Verifier) Config {
	return Config{
		Genesis: g, Self: self, Signer: s, Verify: v,
		TickLength: 10e6, Patience: 200, PatienceCap: 12_000, StatusEvery: 25,
		Pipeline: 4, PendingCount: 4096, PendingBytes: 32 << 20, RejoinEvery: 3000,
	}
}

// errConfig is what validate wraps.
var errConfig = errors.New("invalid PBFT configuration")

// validate checks every field and says which one to change.
func (c *Config) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", errConfig, fmt.Sprintf(format, args...))
	}
	switch {
	case int(c.Self) >= len(c.Genesis.Replicas):
		return bad("this is replica %d, and the genesis names replicas 0 to %d", c.Self, len(c.Genesis.Replicas)-1)
	case c.Signer == nil || c.Signer.Public() != c.Genesis.Replicas[c.Self]:
		return bad("the key is not the one that the genesis names for replica %d", c.Self)
	case c.Verify == nil:
		return bad("no verifier")
	case c.TickLength < 1e6 || c.TickLength > 1e10:
		return bad("tick is %d ns: choose 1 ms to 10 s", c.TickLength)
	case c.Patience < 2 || c.PatienceCap < c.Patience || c.PatienceCap > 1<<30:
		return bad("patience must be at least 2 ticks and patience_cap no less: they are %d and %d", c.Patience, c.PatienceCap)
	case c.StatusEvery < 1 || c.RejoinEvery < 1:
		return bad("status_every and rejoin_every must be positive: they are %d and %d ticks", c.StatusEvery, c.RejoinEvery)
	case c.Pipeline < 1 || c.Pipeline > int(c.Genesis.Window):
		return bad("pipeline is %d slots: choose 1 to %d, the window of the genesis", c.Pipeline, c.Genesis.Window)
	case c.PendingCount < 1 || c.PendingBytes < c.Genesis.Limits.RequestBytes:
		return bad("pending_count must be positive and pending_bytes at least limits.request_bytes (%d): they are %d and %d", c.Genesis.Limits.RequestBytes, c.PendingCount, c.PendingBytes)
	}
	return nil
}
