package byzantine

import "quorate.dev/quorate/consensus"

// Interceptor is one behaviour at work between the engine and the network, in
// one life of one replica. While its plan is on it is asked at each step, first
// for what comes in and then for what goes out.
type Interceptor interface {
	// Incoming changes what is about to reach the engine: of the events only
	// those of peers, and of them those that the Spec selects; and the clock. The
	// number of ticks in the burst is for those who wait.
	Incoming(b *consensus.Burst, ticks int)
	// Outgoing changes what is about to leave. The burst is all that the engine
	// was given, the host's own events included.
	Outgoing(b *consensus.Burst, o *Outbox)
}

// Holder is an Interceptor that holds messages back. They are sent when it is
// taken off.
type Holder interface{ Release() []Outbound }

// Ticker is an Interceptor that changes how many ticks the engine gets in a step.
type Ticker interface{ Ticks(n int) int }

// Reporter is an Interceptor that notes its lies itself.
type Reporter interface{ ReportsItself() }

// passIn is embedded by interceptors that do not change what comes in.
type passIn struct{}

func (passIn) Incoming(*consensus.Burst, int) {}

// outgoing is an interceptor that does nothing but change what goes out.
type outgoing func(b *consensus.Burst, o *Outbox)

func (outgoing) Incoming(*consensus.Burst, int)           {}
func (f outgoing) Outgoing(b *consensus.Burst, o *Outbox) { f(b, o) }

// passOut is embedded by interceptors that do not change what goes out.
type passOut struct{}

func (passOut) Outgoing(*consensus.Burst, *Outbox) {}

// maxHeld bounds the messages, and the events, that one interceptor holds;
// maxHeldBytes bounds the messages' bytes.
const (
	maxHeld      = 4096
	maxHeldBytes = 32 << 20
)
