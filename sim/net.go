package sim

import "quorate.dev/quorate/consensus"

// Net is the simulator's clock and its network without a system, for participants
// that are no replicas of one. The same seed and the same calls give the same
// history. Not safe for concurrent use.
type Net struct {
	clock   *clock
	network *network
	dice    *stream
}

// NewNet returns a network of so many ends at time 0, which hands what arrives to
// arrive.
func NewNet(seed uint64, model NetworkModel, ends int, arrive func(from, to int, frame []byte)) *Net {
	n := &Net{clock: &clock{}, dice: newStream(seed, "participants")}
	n.network = newNetwork(n.clock, seed, model, ends, func(p packet) { arrive(int(p.from), int(p.to), p.bytes) })
	n.network.partly = func(packet) {}
	return n
}

// Send puts a frame under way, which must not be changed any more.
func (n *Net) Send(from, to int, frame []byte) {
	n.network.send(packet{from: endpoint(from), to: endpoint(to), bytes: frame})
}

// After calls do once d has passed.
func (n *Net) After(d consensus.Time, do func()) { n.clock.after(d, do) }

// Advance goes to the next thing that happens; false if there is none.
func (n *Net) Advance() bool { return n.clock.advance() }

// Now is the time since the beginning.
func (n *Net) Now() consensus.Time { return n.clock.now }

// Draw returns a random time from 0 to d.
func (n *Net) Draw(d consensus.Time) consensus.Time { return n.dice.duration(d) }
