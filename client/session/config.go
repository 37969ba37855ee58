package session

import (
	"errors"
	"fmt"

	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/consensus/quorum"
	"quorate.dev/quorate/crypto"
)

// ErrConfig is what New wraps.
var ErrConfig = errors.New("invalid session configuration")

// Config describes a session. Genesis, System, Signer and Epoch are needed; other
// zero fields take the default that stands beside them.
type Config struct {
	Genesis *consensus.Genesis // limits, and the cluster that signatures are for
	System  quorum.System      // how many equal replies are believed
	Elected bool               // leaders are elected, and known by nobody's arithmetic; one member's word that there is none is believed
	Signer  crypto.Signer      // the client's key
	Epoch   uint64             // start time, nanoseconds since 1970: should be higher than that of any earlier session of this key
	After   uint64             // the last epoch of this key that the cluster is known to have accepted (0 = none): the session begins above it, though Epoch does not

	Reads uint64 // READs are counted from here: a random number where two processes may use one key at a time

	// Writes reports that an operation may write, where the application can tell: Read
	// refuses it. With nil whoever calls Read answers for what it hands in.
	Writes func(op []byte) bool

	InFlight      int  // requests in flight (8; 256 with OneEach); at most consensus.SessionWindow
	InFlightBytes int  // bytes of the requests in flight (8 MiB, what replicas keep waiting of one client); one request is always allowed
	GatherOps     int  // operations in one request (the genesis limit)
	GatherBytes   int  // a request closes at this size (1 MiB, as batches do); one larger operation travels alone
	OneEach       bool // one operation, one signature: for measuring what gathering saves
	Queue         int  // operations waiting to be sent (16384)
	QueueBytes    int  // bytes of them (64 MiB)

	Patience    consensus.Time // without an answer for so long, a request goes to all (0.5 s); doubles each time
	MaxPatience consensus.Time // up to this (8 s)
	BusyPause   consensus.Time // before a request goes again to a primary that was busy (20 ms); doubles each time
	NoLeader    consensus.Time // with Elected: replicas that know no leader are asked again for so long (3 s)
	GiveUp      consensus.Time // a request that nobody waits for any more is retried for so long (30 s)
}

const (
	millisecond = consensus.Time(1e6)
	second      = consensus.Time(1e9)
)

// withDefaults fills in what is zero and refuses what makes no sense.
func (c Config) withDefaults() (Config, error) {
	if c.Genesis == nil || c.Signer == nil || c.Epoch == 0 || c.System.Size() != len(c.Genesis.Replicas) {
		return c, fmt.Errorf("%w: a genesis, its system, a signer and an epoch are needed", ErrConfig)
	}
	if err := c.Genesis.Validate(); err != nil {
		return c, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	inFlight := 8
	if c.OneEach {
		inFlight = consensus.SessionWindow
	}
	for _, f := range []struct {
		field    *int
		standard int
	}{
		{&c.InFlight, inFlight}, {&c.InFlightBytes, 8 << 20}, {&c.GatherOps, c.Genesis.Limits.RequestOperations},
		{&c.GatherBytes, 1 << 20}, {&c.Queue, 16 << 10}, {&c.QueueBytes, 64 << 20},
	} {
		if *f.field < 0 {
			return c, fmt.Errorf("%w: limits must not be negative", ErrConfig)
		}
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	for _, f := range []struct {
		field    *consensus.Time
		standard consensus.Time
	}{
		{&c.Patience, 500 * millisecond}, {&c.MaxPatience, 8 * second}, {&c.BusyPause, 20 * millisecond}, {&c.GiveUp, 30 * second}, {&c.NoLeader, 3 * second},
	} {
		if *f.field < 0 {
			return c, fmt.Errorf("%w: durations must not be negative", ErrConfig)
		}
		if *f.field == 0 {
			*f.field = f.standard
		}
	}
	if c.InFlight > consensus.SessionWindow {
		return c, fmt.Errorf("%w: %d requests in flight: choose at most %d", ErrConfig, c.InFlight, consensus.SessionWindow)
	}
	c.GatherOps = min(c.GatherOps, c.Genesis.Limits.RequestOperations)
	c.GatherBytes = min(c.GatherBytes, c.Genesis.Limits.RequestBytes-requestHead)
	if c.OneEach {
		c.GatherOps = 1
	}
	c.MaxPatience = max(c.MaxPatience, c.Patience)
	return c, nil
}

// requestHead is a little more than what a request's frame adds to its operations.
const requestHead = 256
