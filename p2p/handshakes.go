package p2p

import (
	"io"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// handshakes are the inbound connections that have not proved that they belong
// to a member, and are not yet let in as anybody else. There is no telling an
// honest one from one that will be silent until its time is up, but an honest
// one needs milliseconds: when too many wait, one gives way. Were the newest
// refused instead, a few hundred silent connections would lock everybody out.
//
// It gives way at the address that has most of them, so that a flood from one
// address costs that address; between equals, an address where a member is
// known to live gives way last.
type handshakes struct {
	limit   int
	members map[netip.Prefix]bool // where members live, as far as their addresses are numbers
	evicted atomic.Uint64

	mu    sync.Mutex
	order []handshake // oldest first; a few hundred at most
}

// handshake is one of them. One that failed stays until it is the oldest:
// nobody tells us, and closing it again does no harm.
type handshake struct {
	remote string
	from   netip.Prefix
	conn   io.Closer
	began  time.Time
}

// fairTime is what an honest handshake may take. Whoever had it gives way first,
// the oldest before the others. If all are younger, chance decides: against a
// flood that renews all places within one round trip, age would take every
// honest one too, and chance lets one through after some attempts.
const fairTime = time.Second

// begin counts a connection by its remote address, which no two open ones share.
func (h *handshakes) begin(remote ma.Multiaddr, conn io.Closer) {
	h.mu.Lock()
	h.remove(remote.String())
	var victim io.Closer
	if len(h.order) >= h.limit {
		victim = h.evict(h.heaviest())
	}
	h.order = append(h.order, handshake{remote.String(), addressOf(remote), conn, time.Now()})
	h.mu.Unlock()
	if victim != nil {
		h.evicted.Add(1)
		_ = victim.Close()
	}
}

// end says that a connection needs no place here any more.
func (h *handshakes) end(remote ma.Multiaddr) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.remove(remote.String())
}

// waiting is how many there are.
func (h *handshakes) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.order)
}

// The methods below are called with mu held.

// heaviest is the address with most handshakes; of several the one that has
// waited longest and is no member's, if there is one.
func (h *handshakes) heaviest() netip.Prefix {
	counts := make(map[netip.Prefix]int)
	for i := range h.order {
		counts[h.order[i].from]++
	}
	best := h.order[0].from
	for i := range h.order {
		from := h.order[i].from
		if counts[from] > counts[best] || counts[from] == counts[best] && h.members[best] && !h.members[from] {
			best = from
		}
	}
	return best
}

// evict removes one of an address that has some.
func (h *handshakes) evict(at netip.Prefix) io.Closer {
	var among []int
	for i := range h.order {
		if h.order[i].from == at {
			among = append(among, i)
		}
	}
	victim := among[0]
	if time.Since(h.order[victim].began) < fairTime {
		victim = among[rand.IntN(len(among))]
	}
	conn := h.order[victim].conn
	h.order = slices.Delete(h.order, victim, victim+1)
	return conn
}

func (h *handshakes) remove(remote string) {
	for i := range h.order {
		if h.order[i].remote == remote {
			h.order = slices.Delete(h.order, i, i+1)
			return
		}
	}
}

// addressOf is what counts as one address: an IPv4 address, or an IPv6 /56, as one
// customer of a provider gets it. The zero value stands for what has no number.
func addressOf(a ma.Multiaddr) netip.Prefix {
	if a == nil {
		return netip.Prefix{}
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return netip.Prefix{}
	}
	number, _ := netip.AddrFromSlice(ip)
	number = number.Unmap()
	bits := 32
	if number.Is6() {
		bits = 56
	}
	prefix, err := number.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// isLoopback exempts a whole test network on one machine from limits per address.
func isLoopback(p netip.Prefix) bool { return p.Addr().IsLoopback() || p.Addr() == loopback6 }

// loopback6 is where ::1 lives once it is cut to a network.
var loopback6 = netip.MustParsePrefix("::1/56").Masked().Addr()
