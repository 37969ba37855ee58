package client

import (
	"fmt"
	"math/rand/v2"

	"quorate.dev/quorate/byzantine"
	"quorate.dev/quorate/consensus"
	"quorate.dev/quorate/crypto"
)

// Client is a Byzantine client: a source of frames. Its host calls Next every so
// often, sends what comes out, and reads what replicas answer unless it is Deaf.
// Not safe for concurrent use.
type Client struct {
	genesis  consensus.Genesis
	cluster  crypto.Digest
	signer   crypto.Signer
	draw     func() []byte // an operation of the application
	dice     *rand.Rand
	epoch    uint64 // its first moment
	counter  uint64 // of its last request
	deaf     bool
	strategy strategy
	past     []*consensus.Request // its own, oldest first, at most maxPast
	out      []consensus.Send
	spec     byzantine.Spec
	since    consensus.Time
	started  bool
}

// strategy is what a client does when its turn comes.
type strategy func(c *Client, now consensus.Time)

// Bounds of a client: requests that it remembers, and frames and bytes that it
// sends in one turn.
const (
	maxPast      = 64
	maxSends     = 4096
	maxSendBytes = 32 << 20
)

// New makes a client with key s that does what spec says. The operations that
// its requests carry come from draw, so that it knows no application. The key
// need not be in the genesis. It fails if spec is not a client's.
func New(g consensus.Genesis, s crypto.Signer, spec byzantine.Spec, seed uint64, draw func() []byte) (*Client, error) {
	c := &Client{
		genesis: g, cluster: g.ID(), signer: s, draw: draw,
		dice: byzantine.Rand(fmt.Sprintf("quorate/byzantine/villain/%d/%s/%s", seed, s.Public(), spec)),
	}
	var err error
	if c.spec, err = spec.Complete(&g, true); err != nil {
		return nil, fmt.Errorf("no such client: %w", err)
	}
	for _, b := range behaviours() {
		if b.Name != c.spec.Profile.Name {
			continue
		}
		if c.strategy, err = b.make(c, c.spec); err != nil {
			return nil, fmt.Errorf("no such client: %w", err)
		}
	}
	return c, nil
}

// Next returns what the client sends now, at most maxSends frames and
// maxSendBytes. The clock is its host's.
func (c *Client) Next(now consensus.Time) []consensus.Send {
	if !c.started {
		c.started, c.since, c.epoch = true, now, uint64(max(1, now))
	}
	c.out = nil
	if c.spec.Active(now-c.since) && c.spec.Happens(c.dice) {
		c.strategy(c, now)
	}
	bytes := 0
	for i, p := range c.out {
		if bytes += len(p.Bytes); bytes > maxSendBytes || i >= maxSends {
			c.out = c.out[:i]
			break
		}
	}
	return c.out
}

// Deaf reports whether its host must not read what replicas answer: such a client
// keeps its channels open, and full.
func (c *Client) Deaf() bool { return c.deaf }

// victims are the replicas that it means.
func (c *Client) victims() []consensus.ReplicaID {
	if c.spec.To != nil {
		return c.spec.To
	}
	all := make([]consensus.ReplicaID, len(c.genesis.Replicas))
	for i := range all {
		all[i] = consensus.ReplicaID(i)
	}
	return all
}

// signed makes a request; it may be a request that no honest client makes.
func (c *Client) signed(seq consensus.Sequence, ops ...[]byte) *consensus.Request {
	return consensus.SignRequest(c.signer, c.cluster, seq, ops)
}

// request makes the next request as an honest client would.
func (c *Client) request() *consensus.Request {
	r := c.signed(c.next(), c.draw())
	c.past = append(c.past, r)
	c.past = c.past[max(0, len(c.past)-maxPast):]
	return r
}

// next is the next sequence.
func (c *Client) next() consensus.Sequence {
	c.counter++
	return consensus.Sequence{Epoch: c.epoch, Counter: c.counter}
}

// post sends a frame to one replica.
func (c *Client) post(to consensus.ReplicaID, frame []byte) {
	if len(c.out) < maxSends {
		c.out = append(c.out, consensus.Send{To: consensus.ReplicaPeer(to), Class: consensus.Bodies, Bytes: frame})
	}
}

// tell sends a frame to all that it means.
func (c *Client) tell(frame []byte) {
	for _, to := range c.victims() {
		c.post(to, frame)
	}
}
