package sim

import (
	"hash/crc32"

	"quorate.dev/quorate/consensus"
)

// endpoint is an end of a link: replicas come first, then clients.
type endpoint int

// packet is one frame under way.
type packet struct {
	from, to endpoint
	class    consensus.Class
	topic    bool
	bytes    []byte
	sum      uint32 // of bytes when sent: handed over is handed over
}

// network carries packets between endpoints: each on its own, over links that
// lose, delay, double and reorder, and that may be cut in either direction.
type network struct {
	clock   *clock
	dice    *stream
	model   NetworkModel
	ends    int
	cut     []bool // from*ends+to: what arrives there is stopped
	barred  []int  // ... by so many faults at fixed moments, which heal does not end
	held    []packet
	arrive  func(packet)
	partly  func(packet) // of a larger one, a part more
	manual  bool         // a script delivers: packets wait in pool
	pool    []packet     // in the order in which they were sent
	lost    uint64
	settled bool // loss does not change any more
}

// maxHeld bounds the packets that partitions keep, and a script's pool.
const maxHeld = 10_000

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func newNetwork(c *clock, seed uint64, w NetworkModel, ends int, arrive func(packet)) *network {
	return &network{
		clock: c, dice: newStream(seed, "network"), model: w, ends: ends,
		cut: make([]bool, ends*ends), barred: make([]int, ends*ends), arrive: arrive,
	}
}

// send puts a packet under way.
func (n *network) send(p packet) {
	p.sum = crc32.Checksum(p.bytes, castagnoli)
	if n.manual {
		if len(n.pool) < maxHeld {
			n.pool = append(n.pool, p)
		}
		return
	}
	if n.dice.chance(n.model.Loss) {
		n.lost++
		return
	}
	n.launch(p)
	if n.dice.chance(n.model.Duplicate) {
		n.launch(p)
	}
}

func (n *network) launch(p packet) {
	d := n.model.Delay + n.dice.duration(n.model.Jitter)
	if n.dice.chance(n.model.Late) {
		d += n.dice.duration(n.model.LateBy)
	}
	if n.model.Bandwidth > 0 {
		for come := largePart; come < len(p.bytes); come += largePart {
			n.clock.after(d+n.takes(come), func() { n.part(p) })
		}
		d += n.takes(len(p.bytes))
	}
	n.clock.after(d, func() { n.land(p) })
}

// largePart is as much of a larger frame as its receiver takes note of before the
// rest is there.
const largePart = 64 << 10 // bytes

// takes is how long so many bytes are under way.
func (n *network) takes(bytes int) consensus.Time {
	return consensus.Time(bytes) * Second / consensus.Time(n.model.Bandwidth)
}

// part lets some of a larger frame arrive.
func (n *network) part(p packet) {
	if !n.stops(p) {
		n.partly(p)
	}
}

// land delivers a packet, unless its link is cut by now. What is held comes
// again when the network heals, however old it is then.
func (n *network) land(p packet) {
	if !n.stops(p) {
		n.arrive(p)
		return
	}
	if len(n.held) < maxHeld && n.dice.chance(n.model.Held) {
		n.held = append(n.held, p)
		return
	}
	n.lost++
}

// stops reports whether a packet's link is cut.
func (n *network) stops(p packet) bool {
	link := int(p.from)*n.ends + int(p.to)
	return n.cut[link] || n.barred[link] > 0
}

// links lists those that are chosen, by their places in cut and barred.
func (n *network) links(chosen func(from, to int) bool) []int {
	var list []int
	for from := range n.ends {
		for to := range n.ends {
			if from != to && chosen(from, to) {
				list = append(list, from*n.ends+to)
			}
		}
	}
	return list
}

// bar cuts links for a fault of its own, or with -1 ends that.
func (n *network) bar(links []int, by int) {
	for _, l := range links {
		n.barred[l] += by
	}
}

// block is bar for all links of one end.
func (n *network) block(e, by int) {
	n.bar(n.links(func(from, to int) bool { return from == e || to == e }), by)
}

// heal connects all links and sends on what they held.
func (n *network) heal() {
	clear(n.cut)
	n.release()
}

// release sends on what cut links held. Those that are still cut may hold it
// again.
func (n *network) release() {
	held := n.held
	n.held = nil
	for _, p := range held {
		n.launch(p)
	}
}

// setLoss changes the chance of loss, in parts per million.
func (n *network) setLoss(ppm int) {
	if !n.settled {
		n.model.Loss = ppm
	}
}
