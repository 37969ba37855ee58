package sim

import (
	"fmt"

	"quorate/consensus"
	"quorate/crypto"
)

// client is a closed loop: it keeps a few requests under way, sends each to
// the primary first and to everybody after a timeout, and believes a result
// once enough replicas say the same.
type client struct {
	world   *World
	index   int
	end     endpoint
	signer  crypto.Signer
	dice    *stream
	epoch   uint64
	counter uint64
	quota   int // requests still to ask
	open    []*attempt
	primary consensus.ReplicaID // where the first try goes
}

// attempt is one request under way.
type attempt struct {
	request *consensus.Request
	after   consensus.Seq // what was known to be executed when it began
	votes   map[string][]consensus.ReplicaID
	refused map[consensus.ReplicaID]consensus.RefusalCode
}

func newClient(w *World, index int) *client {
	return &client{
		world: w, index: index, end: endpoint(w.cfg.Replicas + index), signer: w.keys.clients[index],
		dice: newStream(w.cfg.Seed, fmt.Sprintf("client %d", index)), epoch: uint64(dawn) + uint64(index),
	}
}

// start begins to ask for quota requests.
func (c *client) start(quota int) {
	c.quota = quota
	for range c.world.cfg.Workload.InFlight {
		c.think()
	}
}

// grant adds to what the client will ask for.
func (c *client) grant(quota int) {
	idle := c.quota == 0
	c.quota += quota
	for range c.world.cfg.Workload.InFlight {
		if idle && len(c.open) < c.world.cfg.Workload.InFlight {
			c.think()
		}
	}
}

// done reports whether everything was asked and answered.
func (c *client) done() bool { return c.quota == 0 && len(c.open) == 0 }

// think waits a while and asks the next request.
func (c *client) think() {
	if c.quota == 0 {
		return
	}
	c.world.clock.after(c.dice.around(c.world.cfg.Workload.Think), func() {
		if c.quota > 0 && len(c.open) < c.world.cfg.Workload.InFlight {
			c.quota--
			c.invoke(c.operations())
		}
	})
}

// operations draws what the next request does.
func (c *client) operations() [][]byte {
	var ops [][]byte
	for i := range 1 + c.dice.upTo(c.world.cfg.Workload.Operations-1) {
		ops = append(ops, drawOperation(c.dice, c.world.cfg.Workload, token{client: c.index, counter: c.counter + 1, place: i}))
	}
	return ops
}

// invoke signs and sends one request.
func (c *client) invoke(ops [][]byte) *consensus.Request {
	c.counter++
	r := consensus.SignRequest(c.signer, c.world.genesis.ID(), consensus.Sequence{Epoch: c.epoch, Counter: c.counter}, ops)
	a := &attempt{
		request: r, after: c.world.checks.answered.highest, votes: map[string][]consensus.ReplicaID{},
		refused: map[consensus.ReplicaID]consensus.RefusalCode{},
	}
	c.open = append(c.open, a)
	c.world.checks.issued(c, r)
	c.world.launch(packet{from: c.end, to: endpoint(c.primary), class: consensus.Bodies, bytes: r.Raw})
	c.retryLater(a, c.world.cfg.Workload.Timeout)
	return r
}

// retryLater sends the request to all when a timeout passes without a result,
// again and again.
func (c *client) retryLater(a *attempt, timeout consensus.Time) {
	if c.world.net.manual {
		return
	}
	c.world.clock.after(timeout, func() {
		if c.find(a.request.Digest) == a {
			c.world.stats.Retries++
			c.broadcast(a.request)
			c.retryLater(a, min(2*timeout, 16*c.world.cfg.Workload.Timeout))
		}
	})
}

func (c *client) broadcast(r *consensus.Request) {
	for i := range c.world.replicas {
		c.world.launch(packet{from: c.end, to: endpoint(i), class: consensus.Bodies, bytes: r.Raw})
	}
}

func (c *client) find(d crypto.Digest) *attempt {
	for _, a := range c.open {
		if a.request.Digest == d {
			return a
		}
	}
	return nil
}

// accept takes a frame from a replica.
func (c *client) accept(from consensus.ReplicaID, frame []byte) {
	switch {
	case len(frame) > 0 && frame[0] == consensus.KindReply:
		c.onReply(from, frame)
	case len(frame) > 0 && frame[0] == consensus.KindRefusal:
		c.onRefusal(from, frame)
	default:
		c.world.violate("%s got %s from R%d", c.world.name(c.end), c.world.describe(frame), from)
	}
}

func (c *client) onReply(from consensus.ReplicaID, frame []byte) {
	r, err := consensus.DecodeReply(frame)
	if err != nil {
		c.world.violate("R%d sent %s a reply that does not decode: %v", from, c.world.name(c.end), err)
		return
	}
	c.world.checks.replied(c, from, r)
	c.primary = consensus.ReplicaID(uint64(r.View) % uint64(len(c.world.replicas)))
	a := c.find(r.Request)
	if a == nil || r.Sequence != a.request.Sequence {
		return
	}
	content := string(consensus.AppendResults(nil, r.Results)) + fmt.Sprint(r.Seq)
	for _, id := range a.votes[content] {
		if id == from {
			return
		}
	}
	a.votes[content] = append(a.votes[content], from)
	if len(a.votes[content]) >= c.world.cfg.Replies {
		c.close(a)
		c.world.checks.believed(c, a, r)
		c.think()
	}
}

// onRefusal counts final refusals: among honest replicas and clients, nobody
// ever deserves one from as many as make a client believe.
func (c *client) onRefusal(from consensus.ReplicaID, frame []byte) {
	r, err := consensus.DecodeRefusal(frame)
	if err != nil {
		c.world.violate("R%d sent %s a refusal that does not decode: %v", from, c.world.name(c.end), err)
		return
	}
	a := c.find(r.Request)
	if a == nil || !r.Code.Final() {
		return
	}
	a.refused[from] = r.Code
	if len(a.refused) >= c.world.cfg.Replies {
		c.world.violate("%s is refused for good: %s", c.world.label(a.request), r.Code)
	}
}

func (c *client) close(a *attempt) {
	for i, o := range c.open {
		if o == a {
			c.open = append(c.open[:i], c.open[i+1:]...)
			return
		}
	}
}

// String says what the client waits for.
func (c *client) String() string {
	s := fmt.Sprintf("%d to ask;", c.quota)
	for _, a := range c.open {
		s += fmt.Sprintf(" #%d %s (%d replies in %d versions)", a.request.Sequence.Counter, a.request.Digest.Short(), total(a.votes), len(a.votes))
	}
	return s
}

func total(votes map[string][]consensus.ReplicaID) int {
	n := 0
	for _, v := range votes {
		n += len(v)
	}
	return n
}
