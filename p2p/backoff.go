package p2p

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	ma "github.com/multiformats/go-multiaddr"
)

// Waiting between attempts: doubled each time, between these, with jitter of
// half of it, so that a cluster that restarts at once does not dial in step.
const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = 2 * time.Second
)

// backoff is how long to wait after each failure in a row.
type backoff struct{ last time.Duration }

func (b *backoff) next() time.Duration {
	b.last = min(max(2*b.last, backoffFirst), backoffMost)
	return b.last/2 + rand.N(b.last)/2
}

func (b *backoff) sleep(ctx context.Context) {
	timer := time.NewTimer(b.next())
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// dial connects to a member. The swarm's own memory of failures, which can
// hold a peer off for minutes, is cleared: the caller has its own. Nil says that
// there is a connection.
func dial(ctx context.Context, h host.Host, m member) *Unreachable {
	if s, ok := h.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(m.id)
	}
	ctx, cancel := context.WithTimeout(ctx, 2*dialTimeout)
	defer cancel()
	if err := h.Connect(ctx, peer.AddrInfo{ID: m.id, Addrs: []ma.Multiaddr{m.dialled()}}); err != nil {
		return unreachable(m, err)
	}
	return nil
}
