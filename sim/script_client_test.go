package sim

import (
	"fmt"

	"quorate.dev/quorate/check"
	"quorate.dev/quorate/consensus"
)

// scriptedClient is a client that a script moves: it sends what it is told to whom it is
// told, once, and says when enough replies agree.
type scriptedClient struct {
	client  *client
	counter uint64
	primary consensus.ReplicaID // where the next request goes
	open    []*attempt
	reading *reading // a READ under way, or nil
}

// attempt is one request under way.
type attempt struct {
	request *consensus.Request
	votes   map[string][]consensus.ReplicaID
}

// ask signs and sends one request: to the primary that the client knows, or to
// all.
func (h *scriptedClient) ask(op []byte, all bool) *consensus.Request {
	c, w := h.client, h.client.world
	h.counter++
	w.checks.judge.Invoked(w.at(), check.CallID{Client: c.index, Number: h.counter}, c.signer.Public(), op)
	seq := consensus.Sequence{Epoch: uint64(startTime), Counter: h.counter}
	r := consensus.SignRequest(c.signer, w.genesis.ID(), seq, [][]byte{op})
	w.checks.judge.Signed(r)
	h.open = append(h.open, &attempt{request: r, votes: map[string][]consensus.ReplicaID{}})
	for i := range w.replicas {
		if all || i == int(h.primary) {
			w.launch(packet{from: c.end, to: endpoint(i), class: consensus.Bodies, bytes: r.Raw})
		}
	}
	return r
}

// reply counts one.
func (h *scriptedClient) reply(from consensus.ReplicaID, r *consensus.Reply) {
	c := h.client
	for i, a := range h.open {
		if a.request.Digest != r.Request {
			continue
		}
		content := string(consensus.AppendResults(fmt.Appendf(nil, "%d ", r.Seq), r.Results))
		for _, id := range a.votes[content] {
			if id == from {
				return
			}
		}
		a.votes[content] = append(a.votes[content], from)
		if len(a.votes[content]) >= c.world.system.Replies() {
			h.open = append(h.open[:i], h.open[i+1:]...)
			if len(r.Results) > 0 {
				c.world.checks.judge.Returned(c.world.at(), check.CallID{Client: c.index, Number: a.request.Sequence.Counter}, r.Seq, r.Results[0])
			}
			c.world.say("", "%s believes %s, executed at %d", c.world.name(c.end), c.world.label(a.request), r.Seq)
		}
		return
	}
}
